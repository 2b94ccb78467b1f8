"""A small bookshop: real books, honest descriptions, simulated readers."""

import csv
from collections.abc import Iterator
from importlib import resources
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

from skrec.datasets._dataset import Dataset
from skrec.datasets._frames import FRAMES, FrameName, make_events, make_features, resolve_frame
from skrec.datasets._reader_words import CHINESE, ENGLISH, ReaderWords
from skrec.datasets._readers import simulate_readers

__all__ = ["load_bookshop"]


class _Edition(NamedTuple):
    """One language of the bookshop: the prefix of its data files, and what its readers' profiles are written with."""

    stem: str
    words: ReaderWords


_EDITIONS = {"en": _Edition("bookshop", ENGLISH), "zh": _Edition("bookshop_zh", CHINESE)}
_NUMBERS = ("year", "pages")


@validate_params(
    {
        "return_X_y": ["boolean"],
        "frame": [StrOptions({"auto", *FRAMES}), None],
        "language": [StrOptions(set(_EDITIONS))],
    },
    prefer_skip_nested_validation=True,
)
def load_bookshop(*, return_X_y: bool = False, frame: FrameName = "auto", language: Literal["en", "zh"] = "en") -> Any:
    """Load the bookshop: real books with descriptions, and what 600 simulated readers bought.

    The books are works in the public domain (first published before 1930, by authors who died before 1956):
    449 of them with English texts, from Gilgamesh to Virginia Woolf and from 41 languages, or 205 with Chinese
    texts, from the Book of Songs to Lu Xun and from 20 languages. The descriptions were written for this dataset.
    The readers are **not** real. Each has one to three tastes among twenty themes, with one of them to the
    fore at a time, and buys books by taste, by popularity, and by chance, never the same one
    twice; see the description of the data, ``DESCR``. Use it to learn, to test and to show; a result on it
    says nothing about real readers.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(interactions, y)`` alone.
    frame : {"auto", "pandas", "polars", "pyarrow"} or None, default="auto"
        Kind of the tables; "auto" is the first of these that is installed. With None they are NumPy:
        ``interactions`` holds user and item alone, its rows are in time order, and feature tables are pairs
        ``(ids, matrix)``.
    language : {"en", "zh"}, default="en"
        Language of the catalogue and of the readers' profiles: English or Chinese. Each has books, readers and
        events of its own. Names of columns are English in both.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        interactions : frame of shape (n_events, 3), or ndarray of shape (n_events, 2)
            ``user`` (``"reader-001"``), ``item`` (``"bk-0042"``, in Chinese ``"zh-042"``) and ``timestamp``
            (seconds since 1970), in time order. Also as ``X``.
        y : float32 ndarray of shape (n_events,)
            Stars from 1 to 5, for models of explicit feedback.
        timestamp : int64 ndarray of shape (n_events,)
            The times of the events, also where ``interactions`` is an array.
        item_features : frame of 449 rows, in Chinese 205
            ``item_id``, ``title``, ``author``, ``year`` (of first publication or about, negative before the
            common era), ``language`` (of the original), ``genres`` and ``description``; in Chinese also ``pages``
            (of a current edition, about).
        user_features : frame of 600 rows
            ``user_id``, ``age``, ``country``, ``favourite_genres`` and ``biography``.
        item_themes : ndarray of shape (n_books, 20)
            How much each book is about each theme, 0 to 3: what the readers go by, and no model is given.
        user_tastes : ndarray of shape (600, 20)
            The true tastes of the readers; rows sum to 1.
        theme_names : list of str
            The columns of ``item_themes`` and ``user_tastes``.
        cold_items : ndarray of str
            The books that nobody has bought yet: 24, in Chinese 9.
        DESCR : str
            Description of the data.
    (interactions, y) : tuple
        In its place, if ``return_X_y`` is True.

    Examples
    --------
    >>> from skrec.datasets import load_bookshop
    >>> shop = load_bookshop()
    >>> shop.item_features.shape, shop.user_features.shape
    ((449, 7), (600, 5))
    >>> X, y = load_bookshop(return_X_y=True)
    >>> list(X.columns)
    ['user', 'item', 'timestamp']
    >>> load_bookshop(language="zh").theme_names[:3]
    ['冒险', '童年', '罪案']
    """
    frame_name = resolve_frame(frame)
    stem, words = _EDITIONS[language]
    books: dict[str, Any] = _columns(f"{stem}.csv")
    weights = _columns(f"{stem}_themes.csv")
    item_ids = np.array(books.pop("item_id"))
    if weights.pop("item_id") != item_ids.tolist():
        raise RuntimeError(f"{stem}.csv and {stem}_themes.csv list different books; install skrec again.")
    appeal = np.array(weights.pop("appeal"), dtype=np.int64)
    themes = np.array(list(weights.values()), dtype=np.float64).T
    readers = simulate_readers(themes, appeal, list(weights), books["genres"], words)

    user_ids = np.array([f"reader-{i:03d}" for i in range(1, len(readers.tastes) + 1)])
    X = make_events(user_ids[readers.users], item_ids[readers.books], readers.timestamp, frame_name)
    if return_X_y:
        return X, readers.ratings
    books |= {name: np.array(books[name], dtype=np.int64) for name in _NUMBERS if name in books}
    return Dataset(
        interactions=X,
        X=X,
        y=readers.ratings,
        timestamp=readers.timestamp,
        item_features=make_features({"item_id": item_ids, **books}, frame_name),
        user_features=make_features({"user_id": user_ids, **readers.profile}, frame_name),
        item_themes=themes,
        user_tastes=readers.tastes,
        theme_names=[words.themes[name] for name in weights],
        cold_items=item_ids[appeal == 0],
        DESCR=_data(f"{stem}.rst").read_text(encoding="utf-8"),
    )


def _data(name: str) -> Any:
    return resources.files("skrec.datasets") / "data" / name


def _columns(name: str) -> dict[str, list[str]]:
    with _data(name).open(encoding="utf-8", newline="") as file:
        header, *rows = _rows(file)
    return {column: list(values) for column, values in zip(header, zip(*rows, strict=True), strict=True)}


def _rows(file: Any) -> Iterator[list[str]]:
    return csv.reader(file, strict=True)
