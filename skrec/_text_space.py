"""Vectors of texts beside vectors of items, and products of both."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import safe_sparse_dot

from skrec._features import Matrix, finite_matrix

_ONE_REQUEST = 1 << 22
"""Multiplications up to which BLAS is passed over: its threads gain 0.1 ms, and wait for 8 on a busy machine."""


def inner_products(vectors: Matrix, item_vectors: Matrix, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """(n_queries, n_items) inner products, for all items or for the given codes."""
    chosen = item_vectors if items is None else item_vectors[items]
    if not sp.issparse(vectors) and not sp.issparse(chosen) and len(vectors) * chosen.size <= _ONE_REQUEST:
        return np.einsum("qd,id->qi", vectors, chosen).astype(np.float32, copy=False)
    return np.asarray(safe_sparse_dot(vectors, chosen.T, dense_output=True), dtype=np.float32)


def is_zero_row(vectors: Matrix) -> NDArray[np.bool_]:
    """Which rows of a dense or sparse matrix hold nothing."""
    if sp.issparse(vectors):
        return np.asarray(abs(vectors).sum(axis=1)).ravel() == 0
    return ~np.any(vectors, axis=1)


def row_dots(a: Matrix, b: Matrix) -> NDArray[np.floating]:
    """Inner product of each row of ``a`` with the same row of ``b``."""
    if sp.issparse(a) or sp.issparse(b):
        return np.asarray((a * b if sp.issparse(a) else b * a).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", a, b)


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
    if sp.issparse(item_matrix):
        return normalize(vectors), normalize(item_matrix)
    told = ~is_zero_row(item_matrix)
    # Embeddings of language models share a large common part that says nothing.
    center = item_matrix[told].mean(axis=0) if told.sum() > 1 else 0.0
    queries = np.where(is_zero_row(vectors)[:, None], 0.0, vectors - center)
    return normalize(queries), normalize(np.where(told[:, None], item_matrix - center, 0.0))


def encode_texts(encoder: Any, texts: list[str]) -> Matrix:
    """Vectors of free texts in the space of a fitted item encoder.

    The encoder has ``encode(texts)``, or is a pipeline whose first step has, or reads lists of texts.

    Raises
    ------
    ValueError
        If there is no encoder, or it needs several columns.
    """
    if encoder is None:
        raise ValueError(
            "search and request= need an item_encoder that reads text, fitted on item_features; pass "
            "item_encoder=LLMTextEmbedder() (from skrec.feature_extraction import LLMTextEmbedder)."
        )
    steps = [step for _, step in encoder.steps] if isinstance(encoder, Pipeline) else [encoder]
    # What completes the row of an item has nothing to do with a text that is searched for.
    first, *later = [step for step in steps if not getattr(step, "fills_rows", False)] or steps
    try:
        encode = getattr(first, "encode_query", None) or getattr(first, "encode", None) or first.transform
        vectors = encode(texts)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"search and request=: {type(first).__name__} does not read a list of texts ({error}); use an item_encoder "
            "with encode(texts), such as LLMTextEmbedder, first in a pipeline."
        ) from error
    for step in later:
        vectors = vectors if step in (None, "passthrough") else step.transform(vectors)
    return finite_matrix(vectors, "the texts as encoded")
