"""Vectors of texts beside vectors of items, and products of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.base._text_parts import effective_steps, only_step, text_part, text_parts
from skrec.exceptions import UnsupportedArgumentError
from skrec.utils import (
    Matrix,
    check_array,
    check_kind,
    check_matrix,
    finite_matrix,
    is_column_transformer,
    is_zero_row,
    plain_output,
    unit_rows,
)

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer


def text_space(encoder: Any, texts: list[str], item_matrix: Matrix | None) -> tuple[Matrix, Matrix]:
    """Vectors of texts and of items by an item encoder, of unit length; dense ones centred.

    Parameters
    ----------
    encoder : fitted transformer or None
    texts : list of str
    item_matrix : matrix of shape (n_items, d)
        The items as encoded, in catalogue order.
    """
    vectors = encode_texts(encoder, texts)
    assert item_matrix is not None
    item_matrix = text_part(encoder, item_matrix)
    if sp.issparse(item_matrix):
        return unit_rows(vectors), unit_rows(item_matrix)
    has_vector = ~is_zero_row(item_matrix)
    # Embeddings of language models share a large common part that says nothing.
    center = item_matrix[has_vector].mean(axis=0) if has_vector.sum() > 1 else 0.0
    queries = np.where(is_zero_row(vectors)[:, None], 0.0, vectors - center)
    return unit_rows(queries), unit_rows(np.where(has_vector[:, None], item_matrix - center, 0.0))


@plain_output()
def encode_texts(encoder: Any, texts: list[str]) -> Matrix:
    """Vectors of free texts in the space of a fitted item encoder.

    The encoder has ``encode(texts)``, or is a pipeline whose first step has, or reads lists of texts. Of a
    ColumnTransformer, the parts that do: see :func:`~skrec.base._text_parts.text_columns` for their columns. Before
    further steps of a pipeline, the columns of its other parts are zeros: the text says nothing of them.

    Raises
    ------
    ValueError
        If there is no encoder, or it needs several columns.
    """
    if encoder is None:
        raise UnsupportedArgumentError(
            "search and request= need an item_encoder that reads text, fitted on item_features; pass "
            "item_encoder=LLMTextEmbedder() (from skrec.feature_extraction import LLMTextEmbedder).",
            "request",
        )
    encoder = only_step(encoder)
    if is_column_transformer(encoder):
        return _encode_by_parts(encoder, texts)
    steps = effective_steps(encoder)
    # What completes the row of an item has nothing to do with a text that is searched for.
    first, *later = [step for step in steps if not getattr(step, "fills_rows", False)] or steps
    if is_column_transformer(first):
        return finite_matrix(_through(later, _in_all_columns(first, texts)), "the texts as encoded")
    try:
        encode = getattr(first, "encode_query", None) or getattr(first, "encode", None) or first.transform
        vectors = encode(texts)
    except (TypeError, ValueError, AttributeError) as error:
        raise UnsupportedArgumentError(
            f"search and request=: {type(first).__name__} does not read a list of texts ({error}); use an item_encoder "
            "with encode(texts), such as LLMTextEmbedder, first in a pipeline.",
            "request",
        ) from error
    return finite_matrix(_through(later, vectors), "the texts as encoded")


def _through(steps: list[Any], vectors: Any) -> Any:
    for step in steps:
        vectors = step.transform(vectors)
    return vectors


def _in_all_columns(encoder: ColumnTransformer, texts: list[str]) -> Matrix:
    """Encoded texts in the columns that they have in the output of a ColumnTransformer; zeros in the others."""
    vectors = _encode_by_parts(encoder, texts)
    columns = np.concatenate([columns for _, columns, _ in text_parts(encoder)])
    width = max(place.stop for place in encoder.output_indices_.values())
    place = sp.csr_array((np.ones(len(columns), np.float32), (np.arange(len(columns)), columns)), (len(columns), width))
    return vectors @ place


def _encode_by_parts(encoder: ColumnTransformer, texts: list[str]) -> Matrix:
    parts = text_parts(encoder)
    if not parts:
        raise UnsupportedArgumentError(
            "search and request=: no part of the ColumnTransformer reads a list of texts; give it one for a text "
            "column, as in make_column_transformer((LLMTextEmbedder(), ['title']), ...).",
            "request",
        )
    vectors = [weight * encode_texts(part, texts) for part, _, weight in parts]
    if not encoder.sparse_output_:
        return np.hstack([part.toarray() if isinstance(part, sp.csr_array) else part for part in vectors]).astype(
            np.float32
        )
    return sp.csr_array(sp.hstack([sp.csr_array(part) for part in vectors], dtype=np.float32))


class TextSpace:
    """Unit vectors of items, centred where they are dense, and of texts beside them.

    Parameters
    ----------
    encoder : transformer
        Fitted; reads texts.
    matrix : float32 array or CSR array of shape (n_items, d)
        The items as encoded; a zero row for an item without a text.
    """

    def __init__(self, encoder: Any, matrix: Matrix) -> None:
        self.encoder = encoder
        matrix = text_part(encoder, matrix)
        has_vector = ~is_zero_row(matrix)
        self.center: NDArray[np.float32] | None = None
        if not sp.issparse(matrix) and has_vector.sum() > 1:
            self.center = matrix[has_vector].mean(axis=0)
        self.items = self._place(matrix)

    def _place(self, vectors: Matrix) -> Matrix:
        if self.center is not None:
            vectors = (vectors - self.center) * ~is_zero_row(vectors)[:, None]
        return unit_rows(vectors)

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self.items.shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n_texts, d) unit vectors of texts."""
        return _dense(self._place(encode_texts(self.encoder, list(texts))))

    def vectors_of(self, codes: Sequence[int]) -> NDArray[np.float32]:
        """(n_codes, d) unit vectors of items."""
        return _dense(self.items[list(codes)])

    def similarity(self, vector: NDArray) -> NDArray[np.float64]:
        """(n_items,) cosines, as standard scores over the items; zeros for a zero vector."""
        norm = float(np.linalg.norm(vector))
        if norm == 0:
            return np.zeros(self.items.shape[0])
        cosines = np.asarray(self.items @ (vector / norm), dtype=np.float64).ravel()
        return standard(cosines)


def check_text_space(value: object, name: str, n_items: int) -> None:
    """Check loaded text vectors of a catalogue.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, TextSpace)
    assert isinstance(value, TextSpace)
    check_matrix(value.items, f"{name}.items", (n_items, None))
    if value.center is not None:
        check_array(value.center, f"{name}.center", (value.items.shape[1],))


def _dense(vectors: Matrix) -> NDArray[np.float32]:
    return np.asarray(vectors.toarray() if isinstance(vectors, sp.csr_array) else vectors)


def standard(values: NDArray) -> NDArray[np.float64]:
    """Values less their mean, over their standard deviation; zeros where they are all the same."""
    spread = float(values.std())
    return np.zeros(len(values)) if spread < 1e-12 else (values - values.mean()) / spread


def reads_text(encoder: Any) -> bool:
    """Whether a fitted encoder turns a list of texts into vectors."""
    try:
        encode_texts(encoder, ["a text"])
    except ValueError:
        return False
    return True
