"""One interface for everything that turns texts into vectors."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._encoders._batching import batched
from skrec.feature_extraction._encoders._loading import LoadSettings, fingerprint, local_model, resolve
from skrec.feature_extraction._encoders._local_encoder import Done, Pending
from skrec.feature_extraction._encoders._tokens import Spans, Tokens
from skrec.utils import identity_token

MOST_TEXTS = 4096
MOST_TEXTS_GPU = 32_768  # several batches per chunk, so that a GPU does not wait for the next one


class Encoder(Protocol):
    """What the embedder asks of a model."""

    @property
    def fingerprint(self) -> str | None:
        """Names the vectors for the caches; None: they cannot be named, so they are not kept."""

    @property
    def dimension(self) -> int | None:
        """Length of the vectors, where it is known in advance."""

    @property
    def prompts(self) -> dict[str, str]: ...

    @property
    def default_prompt(self) -> str: ...

    @property
    def most_texts(self) -> int:
        """Most texts of a chunk."""

    @property
    def is_asynchronous(self) -> bool:
        """Whether ``start`` returns while a device computes, so that other work can be done meanwhile."""

    def read(self, texts: Sequence[str], prompt: str) -> Any:
        """What has to be done to texts before ``start``, and may be done by another thread: tokenising."""

    def start(self, read: Any) -> Pending:
        """Compute the vectors of what was read."""


class BlockingEncoder:
    """An encoder that computes in one call of its ``encode``."""

    most_texts = MOST_TEXTS
    is_asynchronous = False

    def encode(self, texts: Sequence[str], prompt: str) -> tuple[NDArray[np.float32], int]:
        """Vectors of the texts, and how many texts were cut."""
        raise NotImplementedError

    def read(self, texts: Sequence[str], prompt: str) -> Any:
        return texts, prompt

    def start(self, read: Any) -> Pending:
        return Done(*self.encode(*read))


class LocalEncoder:
    """A model in this process, through :class:`LocalModel`."""

    def __init__(self, model: Any, settings: LoadSettings, max_length: int | None, token_budget: int | None):
        self.settings = resolve(settings, model)
        self.local, self.source = local_model(model, self.settings)
        self.max_length = max_length
        self.token_budget = token_budget
        self.prompts = self.local.prompts
        self.default_prompt = self.local.default_prompt
        self.dimension = self.local.dimension

    @property
    def fingerprint(self) -> str:
        # Neither the device nor the kernel of attention: they change vectors by rounding only.
        settings = {**asdict(self.settings), "device": None, "max_length": self.max_length}
        del settings["attn_implementation"]
        if not self.settings.model_kwargs:
            del settings["model_kwargs"]
        return json.dumps([fingerprint(self.local, self.source), settings], sort_keys=True)

    @property
    def is_asynchronous(self) -> bool:
        return self.local.is_asynchronous

    @property
    def most_texts(self) -> int:
        return MOST_TEXTS_GPU if self.is_asynchronous else MOST_TEXTS

    def read(self, texts: Sequence[str], prompt: str) -> Tokens:
        return self.local.read(texts, prompt, self.max_length)

    def start(self, read: Tokens) -> Pending:
        return self.local.start(read, self.token_budget)

    @property
    def has_spans(self) -> bool:
        """Whether :meth:`spans_of` can be asked."""
        return self.local.has_spans

    def spans_of(self, texts: Sequence[str]) -> list[Spans]:
        """Of each text, where its tokens begin and end in it, and whether they stand for something unknown."""
        return self.local.spans_of(texts, self.max_length)


class ObjectEncoder(BlockingEncoder):
    """Any object with ``encode(texts) -> (n, d)``; its ``fingerprint``, if it has one, names its vectors."""

    dimension = None
    prompts: dict[str, str] = {}  # noqa: RUF012
    default_prompt = ""

    def __init__(self, model: Any, batch_size: int):
        self.model = model
        self.batch_size = batch_size

    @property
    def fingerprint(self) -> str | None:
        own = getattr(self.model, "fingerprint", None)
        return own if isinstance(own, str) else None

    @property
    def memory_fingerprint(self) -> str | None:
        """A name for this process only, for objects without a ``fingerprint``."""
        token = identity_token(self.model)
        return None if token is None else f"object-{token}"

    def encode(self, texts: Sequence[str], prompt: str) -> tuple[NDArray[np.float32], int]:
        parts = [self._encode_some([prompt + text for text in some]) for some in batched(texts, self.batch_size)]
        return np.concatenate(parts), 0

    def _encode_some(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = self.model.encode(texts)
        if hasattr(vectors, "detach"):
            vectors = vectors.detach().cpu().float().numpy()
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ValueError(
                f"{type(self.model).__name__}.encode must return finite numbers of shape (n_texts, n_features); got "
                f"shape {vectors.shape} for {len(texts)} texts."
            )
        return vectors


def is_sentence_transformer(model: Any) -> bool:
    """Whether this is a live SentenceTransformer; asks without importing the library."""
    library = sys.modules.get("sentence_transformers")
    return library is not None and isinstance(model, library.SentenceTransformer)
