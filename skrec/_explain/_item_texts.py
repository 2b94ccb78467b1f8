"""What items are called and what their texts say, kept where a table of features holds text."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Features
from skrec.utils import Tokenizer, WordSplitter, check_kind, check_texts, content_words, refuse_state

_NAME_COLUMNS = ("title", "name", "item_name", "product", "headline", "label")
_NAME_LENGTH = 80
_TEXT_LENGTH = 500
"""Characters kept of an item: enough for words in common, and pickles stay small."""
_SPLITTER = WordSplitter()
_SAMPLE = 20_000
_COMMON = 0.1
"""Share of the items from which on a word tells nothing."""


class ItemTexts:
    """Names and texts in catalogue order; None where an item has none.

    Parameters
    ----------
    names, texts : lists of n_items str or None
    tokenizer : callable, default=None
        From a text, without case, to its words; None follows the rules of Unicode, and dictionaries where installed.
    """

    def __init__(self, names: list[str | None], texts: list[str | None], tokenizer: Tokenizer | None = None) -> None:
        self.names = names
        self.texts = texts
        self.tokenizer = tokenizer
        self._splitter = _SPLITTER if tokenizer is None else WordSplitter(tokenizer)
        self._counts: dict[str, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {"names": self.names, "texts": self.texts}
        return state if self.tokenizer is None else {**state, "tokenizer": self.tokenizer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        tokenizer = state.get("tokenizer")
        if not (tokenizer is None or callable(tokenizer)):
            refuse_state("the tokenizer of item texts", f"a {type(tokenizer).__name__}", "a function")
        self.__init__(state["names"], state["texts"], tokenizer)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def read(
        cls, features: Features, codes: NDArray[np.int64], n_items: int, tokenizer: Tokenizer | None = None
    ) -> ItemTexts | None:
        """The columns of text of a table, whose rows stand for item codes; None where it has none."""
        from skrec.utils import as_text

        columns = _text_columns(features.values)
        if not columns:
            return None
        title = next((column for name in _NAME_COLUMNS for column in columns if column.casefold() == name), None)
        written = {name: [as_text(cell) for cell in cells] for name, cells in columns.items()}
        title = next(iter(written)) if title is None else title
        names: list[str | None] = [None] * n_items
        texts: list[str | None] = [None] * n_items
        for row, code in enumerate(codes.tolist()):
            names[code] = _short(written[title][row])
            texts[code] = " ".join(cells[row] or "" for cells in written.values())[:_TEXT_LENGTH].strip() or None
        return cls(names, texts, tokenizer)

    def grown(self, n_items: int) -> ItemTexts:
        """The same for a catalogue with more items."""
        more: list[str | None] = [None] * (n_items - len(self))
        return ItemTexts(self.names + more, self.texts + more, self.tokenizer)

    def replaced(self, later: ItemTexts, codes: NDArray[np.int64]) -> ItemTexts:
        """The same with the rows of later ones at some codes."""
        names, texts = list(self.names), list(self.texts)
        for code in codes.tolist():
            names[code], texts[code] = later.names[code], later.texts[code]
        return ItemTexts(names, texts, self.tokenizer)

    def shared_words(self, a: int, b: int, n: int = 3) -> tuple[str, ...]:
        """Words that the texts of two items share, the rarest in the catalogue first."""
        common = self._words(self.texts[a]) & self._words(self.texts[b])
        counts = self._document_counts()
        most = max(2, _COMMON * min(len(self), _SAMPLE))
        telling = [word for word in common if counts.get(word, 0) <= most]
        return tuple(sorted(telling, key=lambda word: (counts.get(word, 0), word))[:n])

    def _document_counts(self) -> dict[str, int]:
        """Texts that each word is in, of at most a sample of the items."""
        if self._counts is None:
            counts: dict[str, int] = {}
            for text in self.texts[:: max(1, len(self) // _SAMPLE)]:
                for word in self._words(text):
                    counts[word] = counts.get(word, 0) + 1
            self._counts = counts
        return self._counts

    def _words(self, text: str | None) -> set[str]:
        return set(content_words((text or "").casefold(), self._splitter))


def check_item_texts(value: object, name: str, n_items: int) -> None:
    """Check loaded texts of a catalogue.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, ItemTexts)
    assert isinstance(value, ItemTexts)
    check_texts(value.names, f"{name}.names", n_items)
    check_texts(value.texts, f"{name}.texts", n_items)


def _text_columns(values: Any) -> dict[str, list[Any]]:
    frame = nw.from_native(values, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        kept = [
            (str(name), j)
            for j, (name, dtype) in enumerate(frame.schema.items())
            if not (dtype.is_numeric() or dtype.is_temporal() or dtype == nw.Boolean)
        ]
        return {name: frame[:, j].to_list() for name, j in kept}
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "OUS":
        return {}
    columns = {f"x{j}": values[:, j].tolist() for j in range(values.shape[1])}
    return {name: cells for name, cells in columns.items() if any(isinstance(cell, str) for cell in cells)}


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= _NAME_LENGTH:
        return text
    return text[: _NAME_LENGTH - 1].rsplit(" ", 1)[0].rstrip(",;:. ") + "…"
