"""Helpers that know no recommender."""

from skrec.utils._dataframe import frame_backend, installed_frame_library
from skrec.utils._device import have_bfloat16, model_device, resolve_device
from skrec.utils._endpoint import OPENAI_URL, Connection, Endpoint
from skrec.utils._endpoint_errors import EndpointError, RequestRejected
from skrec.utils._fingerprint import (
    describe_config,
    describe_tokenizer,
    folder_fingerprint,
    folder_state,
    identity_token,
    weights_fingerprint,
    weights_state,
)
from skrec.utils._fit_context import LARGEST_NUMBER, MOST_FACTORS, fit_context, read_random_state
from skrec.utils._fork import note_pools, pools_are_lost, use_one_thread_after_fork
from skrec.utils._http_limits import MOST_BYTES, BadResponse
from skrec.utils._hub import dtype_argument, hub_is_out_of_reach, is_path, quiet, torch_dtype
from skrec.utils._loading import (
    ExternalMixin,
    PersistenceMixin,
    check_array,
    check_choice,
    check_codes,
    check_csr,
    check_flag,
    check_indptr,
    check_kind,
    check_matrix,
    check_number,
    check_texts,
    check_width,
    external_parts,
    refuse_state,
)
from skrec.utils._matrix import (
    Matrix,
    align,
    finite_matrix,
    inner_products,
    is_zero_row,
    read_only,
    replace_rows,
    row_dots,
    unit_rows,
    with_rows,
)
from skrec.utils._metaestimators import (
    first_step,
    is_column_transformer,
    is_pipeline,
    is_search,
    unwrap_recommender,
)
from skrec.utils._missing import is_missing_value, missing_cells
from skrec.utils._plain_output import plain_output
from skrec.utils._printing import in_columns, one_line, table_html, table_text
from skrec.utils._privacy import Scrubber, read_scrub
from skrec.utils._progress import Verbose, advance, block_progress, progress, verbosity, watched_blocks
from skrec.utils._snapshots import atomic_update, detached, kept_on_failure, on_snapshot, snapshot
from skrec.utils._sqlite_cache import SQLiteStore
from skrec.utils._text_rendering import (
    Text,
    as_object_array,
    as_text,
    column_texts,
    table_cells,
    template_fields,
    write_rows,
)
from skrec.utils._typing import RandomState, Recommender, Transformer
from skrec.utils._warnings import caller_level
from skrec.utils._words import (
    FUNCTION_WORDS,
    HAN,
    INVISIBLE,
    SPACELESS,
    Tokenizer,
    WordPattern,
    WordSplitter,
    check_splitter,
    content_words,
    count_words,
    installed_splitters,
    is_spaceless,
    list_members,
    main_script,
    quoted_texts,
    simplified,
)
