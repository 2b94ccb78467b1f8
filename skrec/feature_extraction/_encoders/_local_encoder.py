"""Texts to vectors with a SentenceTransformer, faster than its own ``encode``."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._encoders._batching import pack_by_tokens
from skrec.feature_extraction._encoders._device_memory import MemoryLimit, token_budget_of, use_tf32
from skrec.feature_extraction._encoders._tokens import (
    Spans,
    Tokens,
    read_tokens,
    reads_tokens,
    token_limit,
    token_spans,
)
from skrec.utils import use_one_thread_after_fork


class Pending(Protocol):
    """Vectors that a device may still be computing."""

    def result(self) -> tuple[NDArray[np.float32], int]:
        """Wait for the vectors; return them and how many texts were cut."""


@dataclass
class Done:
    """Vectors that are there."""

    vectors: NDArray[np.float32]
    n_truncated: int

    def result(self) -> tuple[NDArray[np.float32], int]:
        return self.vectors, self.n_truncated


@dataclass
class Copying:
    """Vectors on their way from a device to the host."""

    host: Any  # tensor of shape (n_texts, dimension) in page-locked memory, in the order of the batches
    arrived: Any  # event of the device
    order: NDArray[np.intp]
    n_truncated: int

    def result(self) -> tuple[NDArray[np.float32], int]:
        self.arrived.synchronize()
        return in_order(self.host.numpy(), self.order), self.n_truncated


def in_order(rows: NDArray[np.float32], order: NDArray[np.intp]) -> NDArray[np.float32]:
    """Rows of the batches put back to the order of the texts."""
    vectors = np.empty_like(rows)
    vectors[order] = rows
    return vectors


class LocalModel:
    """A SentenceTransformer that packs texts by tokens.

    Where the first module is a transformer that reads plain tokens, distinct texts are tokenised once in
    bulk and run in batches of equal length, which need neither padding nor mask. Anything else (static
    embeddings, CLIP, chat templates) goes through ``SentenceTransformer.encode``.

    Parameters
    ----------
    model : SentenceTransformer
        Put in evaluation mode, otherwise left as it is.
    always_mask : bool
        Pass an attention mask with every batch: what exported graphs and custom code may insist on.
    """

    def __init__(self, model: Any, always_mask: bool = False):
        use_one_thread_after_fork()
        self.model = model.eval()
        self.always_mask = always_mask
        self.memory = MemoryLimit(model.device)

    @property
    def prompts(self) -> dict[str, str]:
        return {name: text for name, text in (self.model.prompts or {}).items() if text}

    @property
    def default_prompt(self) -> str:
        return self.prompts.get(self.model.default_prompt_name, "")

    @property
    def dimension(self) -> int | None:
        model = self.model
        for name in ("get_embedding_dimension", "get_sentence_embedding_dimension"):
            if hasattr(model, name):
                return getattr(model, name)()
        return None

    @property
    def is_asynchronous(self) -> bool:
        """Whether the device computes by itself."""
        return self.model.device.type == "cuda"

    @property
    def has_spans(self) -> bool:
        """Whether the tokenizer says where its tokens stand in a text."""
        return reads_tokens(self.model) and self.model[0].tokenizer.is_fast

    def spans_of(self, texts: Sequence[str], max_length: int | None) -> list[Spans]:
        """Where the tokens of each text stand, and which are unknown."""
        return token_spans(self.model[0].tokenizer, texts, token_limit(self.model, max_length))

    def read(self, texts: Sequence[str], prompt: str, max_length: int | None) -> Tokens:
        """Tokenise texts.

        Raises
        ------
        ValueError
            If ``max_length`` does not fit the model.
        """
        return read_tokens(self.model, texts, prompt, max_length)

    def start(self, tokens: Tokens, token_budget: int | None) -> Pending:
        """Embed what was read. On CUDA this returns when the work is queued.

        Raises
        ------
        MemoryError
            If a single text does not fit into the memory of the device.
        """
        import torch

        from skrec.feature_extraction._encoders._onednn import fast_linear

        if tokens.ids is None:
            # An empty prompt, and not None, which would bring in the model's default a second time.
            options: Any = {"show_progress_bar": False, "convert_to_numpy": True}
            vectors = self.model.encode(list(tokens.texts), prompt=tokens.prompt, **options)
            return Done(np.asarray(vectors, dtype=np.float32), 0)
        device = self.model.device
        budget = token_budget or token_budget_of(self.model)
        # Padding moves vectors by the rounding of the precision. On a GPU batches of one length are too small.
        mix = device.type != "cpu" or self._is_float32()
        batches = list(pack_by_tokens(tokens.lengths, budget, mix=mix))
        with torch.inference_mode(), fast_linear(device), use_tf32(device):
            parts = [part for batch in batches for part in self._run(tokens, batch)]
            rows = torch.cat(parts)
            return self._to_host(rows, np.concatenate(batches), tokens.n_truncated)

    def _run(self, tokens: Tokens, batch: NDArray[np.intp]) -> Iterator[Any]:
        """Vectors of one batch, in parts where it does not fit into memory."""
        features = self._to_device(tokens.padded(batch, always_mask=self.always_mask))
        shared = {"prompt_length": tokens.prompt_length} if tokens.prompt else {}
        width = features["input_ids"].shape[1]
        forward: Callable[[slice], Any] = lambda some: self._forward(  # noqa: E731
            {name: tensor[some] for name, tensor in features.items()} | shared
        ).float()
        return self.memory.in_parts(forward, len(batch), width)

    def _to_device(self, features: dict[str, NDArray[np.int64]]) -> dict[str, Any]:
        import torch

        device = self.model.device
        tensors = {name: torch.from_numpy(array) for name, array in features.items()}
        if device.type == "cuda":  # copies from page-locked memory do not wait for the device
            return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in tensors.items()}
        return {name: tensor.to(device) for name, tensor in tensors.items()}

    def _to_host(self, rows: Any, order: NDArray[np.intp], n_truncated: int) -> Pending:
        import torch

        if rows.device.type != "cuda":
            return Done(in_order(rows.cpu().numpy(), order), n_truncated)
        host = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True)
        host.copy_(rows, non_blocking=True)
        with torch.cuda.device(rows.device):
            arrived = torch.cuda.Event()
            arrived.record()
        return Copying(host, arrived, order, n_truncated)

    def _is_float32(self) -> bool:
        import torch

        tensors = list(self.model[0].parameters()) + list(self.model[0].buffers())
        return all(t.dtype == torch.float32 for t in tensors if t.is_floating_point() or t.dtype == torch.int8)

    def _forward(self, features: dict[str, Any]) -> Any:
        import torch

        first, *rest = self.model
        features = first(features)
        if all(p.dtype == torch.float32 for module in rest for p in module.parameters()):
            # Pooling in the transformer's 16 bits would round the vectors a second time.
            for name, value in features.items():
                if isinstance(value, torch.Tensor) and value.is_floating_point():
                    features[name] = value.float()
        for module in rest:
            features = module(features)
        return features["sentence_embedding"]
