"""What a saved estimator is marked with, and what a loaded one is checked for before it is used."""

from skrec.utils._loading._checks import (
    check_array,
    check_choice,
    check_codes,
    check_columns,
    check_csr,
    check_flag,
    check_indptr,
    check_kind,
    check_matrix,
    check_number,
    check_texts,
    check_width,
    refuse_state,
)
from skrec.utils._loading._external import ExternalMixin
from skrec.utils._loading._format_version import PersistenceMixin
from skrec.utils._loading._nested import external_parts
