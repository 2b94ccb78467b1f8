"""Texts to vectors, through any transformer that reads them."""

from typing import Any

import numpy as np

from skrec.interactions import one_column_as_list
from skrec.utils import Matrix, finite_matrix, plain_output


def default_encoder(encoder: Any) -> Any:
    """The encoder given, or an :class:`LLMTextEmbedder`."""
    if encoder is not None:
        return encoder
    from skrec.feature_extraction._text_embedder import LLMTextEmbedder

    return LLMTextEmbedder()


@plain_output()
def encode_column(encoder: Any, texts: list[str], what: str, *, fit: bool = False) -> Matrix:
    """(n_texts, d) float32 vectors; ``fit`` fits the encoder to the texts first."""
    cells = np.empty((len(texts), 1), dtype=object)
    cells[:, 0] = texts
    column = one_column_as_list(cells, encoder)
    return finite_matrix((encoder.fit_transform if fit else encoder.transform)(column), f"{what} as embedded")
