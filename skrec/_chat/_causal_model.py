"""A causal language model with its tokenizer: tokens in, logits out, padded on the left."""

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")

_KEEP_ARGUMENTS = ("logits_to_keep", "num_logits_to_keep")  # by the version of transformers
_COPYABLE_LAYERS = ("DynamicLayer", "DynamicSlidingWindowLayer")


class CausalModel:
    """The interface to a model of transformers that generation and likelihoods use.

    Parameters
    ----------
    model : PreTrainedModel
        Put in evaluation mode, otherwise left as it is.
    tokenizer : PreTrainedTokenizerBase
    name : str
        Where the weights are from; empty for a live model.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str = "") -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self.lock = threading.Lock()
        accepted = set(inspect.signature(model.forward).parameters)
        self._reads_positions = "position_ids" in accepted
        self._keep_argument = next((name for name in _KEEP_ARGUMENTS if name in accepted), None)
        self._takes_cache = "past_key_values" in accepted

    @property
    def device(self) -> Any:
        return self.model.device

    @cached_property
    def window(self) -> int | None:
        """How many tokens the model reads, where its configuration says."""
        config = self.model.config
        config = config.get_text_config() if hasattr(config, "get_text_config") else config
        return getattr(config, "max_position_embeddings", None)

    @cached_property
    def can_pad(self) -> bool:
        """Whether tokens before a text leave it as it is: not in recurrent models, nor without explicit positions."""
        return self._reads_positions and not getattr(self.model, "_is_stateful", False)

    @cached_property
    def can_reuse_cache(self) -> bool:
        """Whether the keys and values of a prefix can be copied to each of its continuations.

        Only layers of keys and values are: a recurrent state, a cache of fixed size or one of an unknown kind
        is not. A forward pass of one token shows which kind of cache the model has.
        """
        if not self._takes_cache or not self.can_pad:
            return False
        import torch

        with torch.inference_mode():
            _, cache = self.forward([[0]], keep=1, use_cache=True)
        layers: Any = getattr(cache, "layers", None)
        return (
            type(cache).__name__ == "DynamicCache"
            and bool(layers)
            and all(type(layer).__name__ in _COPYABLE_LAYERS for layer in layers)
        )

    @cached_property
    def pad_id(self) -> int:
        """Any token: no attention goes to it."""
        ids = (self.tokenizer.pad_token_id, *self.stop_ids, 0)
        return next(i for i in ids if i is not None)

    @cached_property
    def stop_ids(self) -> list[int]:
        """The tokens that end an answer, by the tokenizer and by the model."""
        own: Any = getattr(getattr(self.model, "generation_config", None), "eos_token_id", None)
        ids: list[Any] = [*(own if isinstance(own, list) else [own]), self.tokenizer.eos_token_id]
        return list(dict.fromkeys(i for i in ids if i is not None))

    @cached_property
    def _beginning(self) -> list[int]:
        """What the tokenizer puts before a text."""
        bare = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        ids = self.tokenizer("a")["input_ids"]
        at = next((i for i in range(len(ids)) if ids[i : i + len(bare)] == bare), 0)
        return list(ids[:at])

    def tokenize(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Tokens of texts; ``special`` puts what the tokenizer begins a text with before them.

        What it ends a text with is not added, since the text continues.
        """
        if not texts:
            return []
        beginning = self._beginning if special else []
        texts = [text.encode("utf-8", "replace").decode() for text in texts]  # no tokenizer takes lone surrogates
        return [beginning + list(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    @cached_property
    def start_ids(self) -> list[int]:
        """What an empty prompt starts from: the tokenizer's beginning or, as in GPT-2, its end."""
        ids = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokenizer.pad_token_id)
        return [next((i for i in ids if i is not None), 0)]

    def batches(self, keys: Sequence[tuple[int, ...]], size: int) -> Iterator[list[int]]:
        """Positions of the rows that run together, longest first: what does not fit in memory fails early.

        The last number of a key is a length, which differs within a batch only where padding is safe.
        """
        same = [key[:-1] if self.can_pad else key for key in keys]
        order = sorted(range(len(keys)), key=lambda i: keys[i], reverse=True)
        for _, group in groupby(order, key=lambda i: same[i]):
            rows = list(group)
            yield from (rows[start : start + size] for start in range(0, len(rows), size))

    def pad(self, rows: Sequence[Sequence[int]], *, left: bool = True) -> tuple[Any, Any]:
        """Tokens and mask as tensors of shape (n_rows, longest)."""
        import torch

        width = max(len(row) for row in rows)
        ids = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for i, row in enumerate(rows):
            place = slice(width - len(row), width) if left else slice(len(row))
            ids[i, place] = row
            mask[i, place] = 1
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)

    def forward(self, rows: Sequence[Sequence[int]], keep: int, *, use_cache: bool = False) -> tuple[Any, Any]:
        """Logits of the last ``keep`` positions, (n_rows, keep, n_tokens), and the cache if ``use_cache``."""
        ids, mask = self.pad(rows)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        return self.run(ids, mask, positions, keep, use_cache=use_cache)

    def run(self, ids: Any, mask: Any, positions: Any, keep: int, **options: Any) -> tuple[Any, Any]:
        """One pass of the model over tensors."""
        inputs = {"input_ids": ids, "attention_mask": mask, **options}
        if self._reads_positions:
            inputs["position_ids"] = positions
        if self._keep_argument is not None:
            inputs[self._keep_argument] = keep
        output = self.model(**inputs)
        return output.logits[:, -keep:], getattr(output, "past_key_values", None)


def halving(work: Callable[[list[int]], Sequence[Result]], batch: list[int]) -> list[Result | RuntimeError]:
    """The results of a batch, halved where PyTorch fails, as for want of memory; of a single row, the error."""
    try:
        return list(work(batch))
    except RuntimeError as error:
        if len(batch) == 1:
            return [error]
    half = len(batch) // 2
    return [*halving(work, batch[:half]), *halving(work, batch[half:])]
