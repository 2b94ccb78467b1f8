"""What the functions of this package return: a Bunch that prints what it holds, and not all of it."""

from typing import Any

import narwhals as nw
import numpy as np
from sklearn.utils import Bunch

from skrec.utils import one_line, table_html, table_text

_LONGEST = 100


class Dataset(Bunch):
    """A :class:`~sklearn.utils.Bunch` whose text and HTML say what each field holds."""

    def __repr__(self) -> str:
        return table_text(self._cells(), 0)

    def _repr_html_(self) -> str:
        return table_html(self._cells(), 0)

    def _cells(self) -> dict[str, list[str]]:
        return {"field": [one_line(name) for name in self], "holds": [_described(value) for value in self.values()]}


def _described(value: Any) -> str:
    """A field in a few words: its kind and its size."""
    frame = nw.from_native(value, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return one_line(f"{len(frame):,} rows of {', '.join(map(str, frame.columns))}", _LONGEST)
    if isinstance(value, np.ndarray):
        return f"{' x '.join(f'{n:,}' for n in value.shape)} {value.dtype}"
    if isinstance(value, list | tuple):
        return f"{len(value):,} entries"
    return one_line("nothing" if value is None else value)
