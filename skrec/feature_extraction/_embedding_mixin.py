"""How an embedder goes from texts to vectors: its model, its prompt, what is scrubbed, and the shape of the vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._encoders import (
    Encoder,
    EndpointEncoder,
    ModelParameters,
    check_later_texts,
    check_vectors,
    embed,
    select_encoder,
    select_prompt,
)
from skrec.utils import Scrubber, Text, check_width, read_scrub


class EmbeddingMixin(ModelParameters):
    """The private half of :class:`LLMTextEmbedder`."""

    n_features_out_: int

    def _embed(self, texts: Sequence[Text], **prompt: Any) -> NDArray[np.float32]:
        encoder = select_encoder(self)
        scrubber, counts = self._scrubber(encoder), getattr(self, "scrubbed_", None)
        instruction = select_prompt(self, encoder, **prompt)
        check_later_texts(encoder, texts, self._model_name, self.on_unreadable)
        vectors = embed(texts, encoder, instruction, self.cache, self.verbose, scrubber, counts)
        if vectors is None:
            width = getattr(self, "n_features_out_", None) or self._n_kept(encoder.dimension or 1)
            return np.zeros((len(texts), width), dtype=np.float32)
        check_vectors(encoder, texts, vectors, self._model_name, self.on_unreadable)
        return self._finish(vectors)

    def _finish(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        # The cache holds what the model gives, so these two cost no second pass through it.
        vectors = vectors[:, : self._n_kept(vectors.shape[1])]
        if self.normalize:
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
        expected = getattr(self, "n_features_out_", vectors.shape[1])
        if vectors.shape[1] != expected:
            raise ValueError(
                f"The model gives vectors of length {vectors.shape[1]} where fit found {expected}: "
                "a parameter was changed since; fit again."
            )
        return vectors

    def _scrubber(self, encoder: Encoder) -> Scrubber | None:
        leaves = isinstance(encoder, EndpointEncoder) and not encoder.endpoint.is_loopback
        return read_scrub(self.scrub, leaves=leaves)

    def _n_kept(self, dimension: int) -> int:
        kept = self.truncate_dim
        if kept is not None and kept > dimension:
            raise ValueError(f"truncate_dim={kept} is more than the {dimension} numbers the model gives.")
        return kept or dimension

    @property
    def _model_name(self) -> str:
        model = self.model
        return repr(model) if isinstance(model, str) else type(model).__name__

    @property
    def _n_features_out(self) -> int:
        return self.n_features_out_

    def _check_state(self) -> None:
        super()._check_state()  # type: ignore[misc]
        if "n_features_out_" in vars(self):
            check_width(self.n_features_out_, "n_features_out_", 1)
