"""Titles, numbers, labels and words of items, from a feature table."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import Features
from skrec.llm._conversation._word_forms import fold, lengths_by_sign, name_words, stem
from skrec.utils import WordSplitter, as_text, is_spaceless, list_members, main_script

ATTRIBUTES = {
    "length": (
        *("pages", "page_count", "num_pages", "n_pages", "length", "duration", "runtime", "minutes"),
        "word_count",
        *("页数", "时长", "篇幅"),
    ),
    "year": (
        "year",
        "release_year",
        "publication_year",
        "published",
        "release_date",
        "released",
        "date",
        "年份",
        "出版年",
    ),
    "price": ("price", "cost", "preis", "prix", "precio", "价格", "售价"),
    "rating": ("average_rating", "avg_rating", "stars", "mean_rating", "评分"),
    "size": ("size", "width", "height"),
    "weight": ("weight",),
    "age": ("age", "min_age", "recommended_age"),
}
_TITLES = (
    "title",
    "name",
    "titel",
    "titre",
    "título",
    "titulo",
    "product_name",
    "item_name",
    "书名",
    "片名",
    "标题",
    "名称",
)
_PEOPLE = (
    "author",
    "authors",
    "artist",
    "director",
    "brand",
    "writer",
    "composer",
    "creator",
    "publisher",
    "作者",
    "导演",
)
_SUBTITLE = re.compile(r"\s*(?:[:;(]|, or,? )")
_LONGEST_LABEL, _LONGEST_SPACELESS, _MOST_WORDS = 40, 16, 4
_LONG_SHARE = 0.1
_MOST_COLUMNS = 50
_SAMPLED = 200
_LEAST_SHARE = 0.5


class ItemFacts:
    """Columns of a feature table in catalogue order, grouped by their use in a conversation.

    Parameters
    ----------
    cells : dict of str to list of n_items values
        None where an item has no row or no value.
    title_column : str or None
    ids : sequence of n_items ids
        Used as titles where an item has none.
    splitter : WordSplitter, default=None
        Splits the texts of items, and those that are compared with them, into words.

    Attributes
    ----------
    own_titles : list of n_items str or None
        Titles of the table.
    titles : list of n_items str
        Titles to show; the id where an item has none.
    numbers : dict of str to float64 array of shape (n_items,)
        NaN where an item has no value.
    labels : dict of str to dict of str to int64 array
        By column and label, the codes of the items with that label.
    script : {"zh", "ja", "ko"} or None
        That of the texts, where they are in one of these languages.
    """

    def __init__(
        self,
        cells: dict[str, list[Any]],
        title_column: str | None,
        ids: Sequence[Any],
        splitter: WordSplitter | None = None,
    ) -> None:
        self.cells = cells
        self.splitter = WordSplitter() if splitter is None else splitter
        self.title_column = title_column
        self.ids = ids
        self.n_items = len(ids)
        self.numbers: dict[str, NDArray[np.float64]] = {}
        self.labels: dict[str, dict[str, NDArray[np.int64]]] = {}
        texts: dict[str, list[str | None]] = {}
        for name, column in cells.items():
            if (numbers := _as_numbers(column)) is not None:
                self.numbers[name] = numbers
            else:
                texts[name] = [as_text(cell) for cell in column]
        self._title_name = _choose_title(texts, title_column)
        own = texts.get(self._title_name or "")
        self.own_titles: list[str | None] = [None] * len(ids) if own is None else own
        self.titles = [str(i) if title is None else title for title, i in zip(self.own_titles, ids, strict=True)]
        for name in texts:
            if name != self._title_name and (found := _labels(cells[name])) is not None:
                self.labels[name] = found
        self._index_titles(own is not None)
        self._index_labels()
        self._index_words(texts)
        sample = [text for column in texts.values() for text in column[:: max(self.n_items // _SAMPLED, 1)] if text]
        self.script = main_script("".join(sample), _LEAST_SHARE)

    def __getstate__(self) -> dict[str, Any]:
        names = ("cells", "title_column", "ids", "splitter")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    # Titles ----------------------------------------------------------------------------------------

    def _index_titles(self, has_titles: bool) -> None:
        self.title_codes: dict[tuple[str, ...], int] = {}
        for code, title in enumerate(self.titles):
            for variant in (title, _SUBTITLE.split(title)[0]):
                spelt = tuple(name_words(variant))
                if has_titles and spelt:
                    self.title_codes.setdefault(spelt, code)
        articles = ("the", "a", "an", "der", "die", "das", "le", "la", "les", "l", "el", "los", "las")
        for spelt, code in list(self.title_codes.items()):
            if len(spelt) > 1 and spelt[0] in articles:
                self.title_codes.setdefault(spelt[1:], code)
        self.longest_title = max(map(len, self.title_codes), default=0)

    @cached_property
    def spaceless_names(self) -> frozenset[str]:
        """Words of titles and labels in scripts without spaces."""
        spelt = (*self.title_codes, *self.label_words)
        return frozenset(word for words in spelt for word in words if is_spaceless(word))

    @cached_property
    def longest_spaceless_names(self) -> dict[str, int]:
        """By first sign, the length of the longest of them."""
        return lengths_by_sign(self.spaceless_names)

    # Labels ----------------------------------------------------------------------------------------

    def _index_labels(self) -> None:
        """Index labels by the stems of their words, and persons by their last names too."""
        self.label_words: dict[tuple[str, ...], tuple[str, str]] = {}
        last_names: dict[str, set[tuple[str, str]]] = {}
        for column, values in self.labels.items():
            person = column.lower() in _PEOPLE
            for value in values:
                words = name_words(value)
                if not words:
                    continue
                self.label_words.setdefault(tuple(map(stem, words)), (column, value))
                if person and len(words) > 1 and (len(words[-1]) > 3 or is_spaceless(words[-1])):
                    last_names.setdefault(words[-1], set()).add((column, value))
        for name, bearers in last_names.items():
            if len(bearers) == 1:
                self.label_words.setdefault((stem(name),), next(iter(bearers)))
        self.longest_label = max(map(len, self.label_words), default=0)

    def is_person(self, column: str) -> bool:
        """Whether a column holds the names of persons, such as authors or artists."""
        return column.lower() in _PEOPLE

    # Words -----------------------------------------------------------------------------------------

    def _index_words(self, texts: dict[str, list[str | None]]) -> None:
        vocabulary: dict[str, int] = {}
        rows, columns = [], []
        for row in range(self.n_items):
            text = " ".join(column[row] or "" for column in texts.values())
            for word in set(self.words_of(text)):
                rows.append(row)
                columns.append(vocabulary.setdefault(word, len(vocabulary)))
        shape = (self.n_items, max(len(vocabulary), 1))
        self._words = sp.csc_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        self.vocabulary, self._sorted = vocabulary, sorted(vocabulary)
        self._spaceless = [word for word in self._sorted if is_spaceless(word)]

    def words_of(self, text: str) -> list[str]:
        """Lower-case words without accents: "L'Été" gives "l" and "ete"."""
        return self.splitter.words(fold(text))

    def items_with(self, patterns: Iterable[str]) -> NDArray[np.bool_]:
        """Items whose text contains one of the words; ``kill*`` matches all words with that beginning."""
        found = np.zeros(self.n_items, bool)
        for pattern in patterns:
            *before, last = self.words_of(pattern) or [""]
            together = np.ones(self.n_items, bool)
            for word in before:
                together &= self._with_word(word, False)
            found |= together & self._with_word(last, pattern.endswith("*"))
        return found

    def _with_word(self, word: str, begins: bool) -> NDArray[np.bool_]:
        if is_spaceless(word):  # a dictionary may know "horror story" as one word
            columns = [self.vocabulary[known] for known in self._containing(word)]
        elif begins:
            columns = [self.vocabulary[known] for known in self._starting_with(word)]
        else:
            columns = [self.vocabulary[word]] if word in self.vocabulary else []
        found = np.zeros(self.n_items, bool)
        for column in columns:
            found[self._words.indices[self._words.indptr[column] : self._words.indptr[column + 1]]] = True
        return found

    def forms_of(self, text: str) -> list[str]:
        """Words of the items with the same stem as a word of the text: "dragons" finds "dragon"."""
        found = []
        for word in self.words_of(text):
            if is_spaceless(word):
                found += self._containing(word) if len(word) > 1 else [word]
                continue
            base = stem(word)
            found += [known for known in self._starting_with(base) if stem(known) == base]
        return found

    def _starting_with(self, word: str) -> list[str]:
        start = bisect.bisect_left(self._sorted, word)
        return self._sorted[start : bisect.bisect_left(self._sorted, word + "\U0010ffff")]

    def _containing(self, word: str) -> list[str]:
        return [known for known in self._spaceless if word in known]

    # Attributes ------------------------------------------------------------------------------------

    def column_of(self, kind: str) -> str | None:
        """The numeric column of an attribute such as "length", or the column of that name."""
        wanted = (kind, *ATTRIBUTES.get(kind, ()))
        spelt = {name.lower().replace(" ", "_").replace("-", "_"): name for name in self.numbers}
        return next((spelt[name] for name in wanted if name in spelt), None)

    def kind_of(self, column: str) -> str | None:
        """The attribute that a column holds, or None."""
        return next((kind for kind in ATTRIBUTES if self.column_of(kind) == column), None)


def read_cells(
    features: Features, codes: NDArray[np.int64], n_items: int, rows: NDArray[np.int64]
) -> dict[str, list[Any]]:
    """Columns of a feature table in catalogue order; none for a sparse or a wide matrix.

    Parameters
    ----------
    features : Features
    codes, rows : int64 arrays of shape (n_known,)
        Codes of items, and their rows in the table.
    n_items : int

    Raises
    ------
    ValueError
        If a matrix holds NaN. A frame may have missing values.
    """
    frame = nw.from_native(features.values, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        given = {str(name): _as_list(frame[:, j]) for j, name in enumerate(frame.columns)}
    elif sp.issparse(features.values) or features.values.shape[1] > _MOST_COLUMNS:
        given = {}
    else:
        matrix = np.asarray(features.values)
        if matrix.dtype.kind == "f" and np.isnan(matrix).any():
            raise ValueError("item_features contains NaN or infinity; fill or drop those values first.")
        given = {f"x{j}": matrix[:, j].tolist() for j in range(matrix.shape[1])}
    cells: dict[str, list[Any]] = {name: [None] * n_items for name in given}
    for name, column in given.items():
        for code, row in zip(codes.tolist(), rows.tolist(), strict=True):
            cells[name][code] = column[row]
    return cells


def merge_cells(old: dict[str, list[Any]], new: dict[str, list[Any]], rows: Any, n_items: int) -> dict[str, list[Any]]:
    """The old columns extended to ``n_items``, with the given rows replaced."""
    merged = {name: [*column, *[None] * (n_items - len(column))] for name, column in old.items()}
    for name, column in new.items():
        target = merged.setdefault(name, [None] * n_items)
        for row in rows:
            target[row] = column[row]
    return merged


def _as_list(column: Any) -> list[Any]:
    # A date becomes its year, with the day as a fraction.
    if column.dtype in (nw.Date, nw.Datetime) or isinstance(column.dtype, nw.Datetime):
        years, days = column.dt.year().to_list(), column.dt.ordinal_day().to_list()
        return [None if y is None else y + (d - 1) / 366 for y, d in zip(years, days, strict=True)]
    missing = column.is_null().to_list()
    return [None if gone else cell for cell, gone in zip(column.to_list(), missing, strict=True)]


def _as_numbers(column: list[Any]) -> NDArray[np.float64] | None:
    """A column as numbers; None where it holds other values."""
    given = [cell for cell in column if cell is not None]
    if not given or not all(isinstance(c, int | float | np.number) and not isinstance(c, bool) for c in given):
        return None
    return np.array([np.nan if cell is None else float(cell) for cell in column])


def _choose_title(texts: dict[str, list[str | None]], given: str | None) -> str | None:
    if given is not None:
        if given not in texts:
            raise ValueError(
                f"title_column={given!r} is not a text column of item_features; its text columns are {list(texts)}."
            )
        return given
    return next((name for wanted in _TITLES for name in texts if name.lower() == wanted), None)


def _labels(column: list[Any]) -> dict[str, NDArray[np.int64]] | None:
    """Items of each label, for a column of short labels or lists of labels; None for free text."""
    items: dict[str, list[int]] = {}
    n_members = n_long = 0
    for row, cell in enumerate(column):
        members = list(dict.fromkeys(_members(cell)))
        for member in members:
            n_members += 1
            if _is_sentence(member):
                n_long += 1
            else:
                items.setdefault(member, []).append(row)
    if n_long > _LONG_SHARE * n_members:
        return None
    # Where every label occurs once, the column holds codes or titles.
    if not items or len(items) == n_members > 1:
        return None
    return _merged(items)


def _is_sentence(text: str) -> bool:
    """Whether a text is too long for a label: by its words, and where it has no spaces by its signs."""
    longest = _LONGEST_SPACELESS if is_spaceless(text) else _LONGEST_LABEL
    return len(text) > longest or len(text.split()) > _MOST_WORDS


def _merged(items: dict[str, list[int]]) -> dict[str, NDArray[np.int64]]:
    """Merge forms of one label, such as "essay" and "essays", under the most frequent one."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for label in items:
        groups.setdefault(tuple(map(stem, name_words(label))) or (label,), []).append(label)
    return {
        max(labels, key=lambda label: len(items[label])): np.unique(np.concatenate([items[label] for label in labels]))
        for labels in groups.values()
    }


def _members(cell: Any) -> list[str]:
    if isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        return [text for member in cell if (text := as_text(member)) is not None]
    text = as_text(cell)
    return [] if text is None else list_members(text)
