"""Texts to vectors over HTTP: any endpoint that speaks OpenAI's embeddings protocol."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._encoders._batching import batched
from skrec.feature_extraction._encoders._encoder import BlockingEncoder
from skrec.utils import MOST_BYTES, BadResponse, Endpoint

_MOST_DIMENSIONS = 8192
_BYTES_PER_NUMBER = 32


class EndpointEncoder(BlockingEncoder):
    """An embeddings endpoint."""

    prompts: dict[str, str] = {}  # noqa: RUF012
    default_prompt = ""

    def __init__(self, endpoint: Endpoint, dimensions: int | None, batch_size: int):
        self.endpoint = endpoint
        self.dimension = dimensions
        self.batch_size = batch_size

    @property
    def fingerprint(self) -> str:
        return json.dumps(["endpoint", self.endpoint.base_url, self.endpoint.model, self.dimension])

    def encode(self, texts: Sequence[str], prompt: str) -> tuple[NDArray[np.float32], int]:
        """Embed texts; none is reported as cut, since endpoints do not report it.

        Raises
        ------
        ImportError
            If ``openai`` is not installed.
        ValueError
            If the key's variable is not set, the request is refused, or the answers stay malformed.
        TimeoutError, ConnectionError
            If the endpoint does not answer in time, is out of reach, overloaded or broken.
        """
        with self.endpoint.connect() as connection:
            parts = [
                connection.call(
                    partial(self._request, [prompt + text for text in some]), max_bytes=self._most_bytes(len(some))
                )
                for some in batched(texts, self.batch_size)
            ]
        if len(widths := {part.shape[1] for part in parts}) > 1:
            raise ValueError(
                f"The endpoint {self.endpoint.base_url} gave vectors of different lengths: {sorted(widths)}."
            )
        return np.concatenate(parts), 0

    def _most_bytes(self, n_texts: int) -> int:
        """Bound of the size of an answer: so many bytes no number takes, and so many numbers no vector has."""
        return MOST_BYTES + n_texts * (self.dimension or _MOST_DIMENSIONS) * _BYTES_PER_NUMBER

    def _request(self, texts: list[str], client: Any) -> NDArray[np.float32]:
        body: dict[str, Any] = {"model": self.endpoint.model, "input": texts, "encoding_format": "float"}
        if self.dimension is not None:
            body["dimensions"] = self.dimension
        response = client.post("/embeddings", cast_to=object, body=body)
        data = response.get("data") if isinstance(response, dict) else None
        if not isinstance(data, list):
            raise BadResponse("an answer without a list of embeddings")
        data = [item if isinstance(item, dict) else {} for item in data]
        indices = [item.get("index") for item in data]
        if all(index is None for index in indices):
            indices = list(range(len(data)))  # some servers give no index, and the order of the texts
        by_index = {i: item.get("embedding") for i, item in zip(indices, data, strict=True) if type(i) is int}
        if len(data) != len(texts) or set(by_index) != set(range(len(texts))):
            raise BadResponse(f"{len(data)} embeddings for {len(texts)} texts")
        try:
            vectors = np.array([by_index[i] for i in range(len(texts))], dtype=np.float32)
        except (TypeError, ValueError, OverflowError):
            raise BadResponse("embeddings of different lengths, or not of numbers") from None
        if vectors.ndim != 2 or not vectors.shape[1] or not np.isfinite(vectors).all():
            raise BadResponse("embeddings that are empty, NaN or infinite")
        if self.dimension is not None and vectors.shape[1] != self.dimension:
            raise BadResponse(f"embeddings of length {vectors.shape[1]} where dimensions={self.dimension}")
        return vectors
