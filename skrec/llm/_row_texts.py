"""Rows of feature tables as texts for a language model, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from skrec.interactions import Column, IdIndex, as_unique_ids, check_index, read_features
from skrec.utils import Text, as_text, check_kind, check_texts, table_cells, write_rows

_WIDEST = 32
"""A numeric matrix with more columns holds vectors, which are not written as text."""


class RowTexts:
    """One text per row of a feature table.

    Parameters
    ----------
    index : IdIndex
        The ids of the rows.
    texts : list of str or None
        In the order of ``index``.
    """

    def __init__(self, index: IdIndex, texts: list[Text]) -> None:
        self.index = index
        self.texts = texts

    @classmethod
    def read(cls, table: Any, what: str, template: str | None = None) -> RowTexts:
        """Write the rows of a table as text; the id is not part of the text.

        Parameters
        ----------
        table : frame, pair (ids, matrix), FeatureTable or None
            There are no texts for None, for a sparse matrix and, without a template, for a wide matrix.
        what : str
            Name of the table in error messages.
        template : str, default=None
            Text by columns, such as ``"{title} ({year})"``; None writes all columns with their names.

        Raises
        ------
        ValueError
            If the template names an unknown column, or an attribute of a value.
        """
        if table is None:
            return cls(IdIndex(np.zeros(0, np.int64)), [])
        features = read_features(table, what)
        index = IdIndex(as_unique_ids(features))
        if sp.issparse(features.values) or (template is None and _is_wide(features.values)):
            return cls(index, [None] * len(index))
        columns = {name: [as_text(cell) for cell in cells] for name, cells in table_cells(features.values).items()}
        return cls(index, write_rows(columns, template))

    def __len__(self) -> int:
        return sum(text is not None for text in self.texts)

    def of(self, ids: Column) -> list[Text]:
        """The text of each id; None where it has none."""
        if not len(self.index):
            return [None] * len(ids)
        codes = self.index.codes(ids, "ids", check_kind=False)
        return [self.texts[code] if code >= 0 else None for code in codes.tolist()]

    def updated(self, later: RowTexts) -> RowTexts:
        """These rows and the later ones, which replace rows of the same id."""
        if not len(later.index) or not len(self.index):
            return later if len(later.index) else self
        index = self.index.extended(later.index.values)
        texts = self.texts + [None] * (len(index) - len(self.index))
        for code, text in zip(index.codes(later.index.values, "ids").tolist(), later.texts, strict=True):
            texts[code] = text
        return RowTexts(index, texts)


def check_row_texts(value: object, name: str) -> None:
    """Check loaded texts of rows.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, RowTexts)
    assert isinstance(value, RowTexts)
    check_index(value.index, f"{name}.index")
    check_texts(value.texts, f"{name}.texts", len(value.index))


def _is_wide(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind in "iufb" and values.shape[1] > _WIDEST
