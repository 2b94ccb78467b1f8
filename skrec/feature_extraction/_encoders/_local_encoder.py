"""Texts to vectors with a SentenceTransformer, faster than its own ``encode``."""

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._encoders._batching import pack_by_tokens
from skrec.utils import use_one_thread_after_fork

_lock = threading.Lock()
_truncating: "weakref.WeakKeyDictionary[Any, dict[tuple[int, int], Any]]" = weakref.WeakKeyDictionary()


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
    def reads_tokens(self) -> bool:
        from transformers import PreTrainedTokenizerBase

        first = self.model[0]
        return (
            isinstance(getattr(first, "tokenizer", None), PreTrainedTokenizerBase)
            and hasattr(first, "auto_model")
            and "message" not in getattr(first, "modality_config", {})
        )

    def token_limit(self, max_length: int | None) -> int:
        """How many tokens a text may have.

        Raises
        ------
        ValueError
            If ``max_length`` is more than the model has positions for.
        """
        transformer: Any = self.model[0].auto_model
        positions = getattr(transformer.config, "max_position_embeddings", None) or 10**9
        table = getattr(getattr(transformer, "embeddings", None), "position_embeddings", None)
        padding_idx = getattr(table, "padding_idx", None)
        if padding_idx is not None:  # RoBERTa counts positions from padding_idx + 1
            positions -= padding_idx + 1
        if max_length is not None and max_length > positions:
            raise ValueError(f"max_length={max_length} is more than the {positions} tokens that the model can read.")
        return int(min(max_length or self.model.max_seq_length or positions, positions))

    def encode(
        self, texts: Sequence[str], prompt: str, max_length: int | None, token_budget: int | None
    ) -> tuple[NDArray[np.float32], int]:
        """Embed texts.

        Returns
        -------
        vectors : ndarray of shape (n_texts, dimension), float32
        n_truncated : int
            How many texts were cut.
        """
        import torch

        from skrec.feature_extraction._encoders._onednn import fast_linear

        if not self.reads_tokens:
            if max_length is not None:
                raise ValueError("max_length needs a transformer with a tokenizer; this model has none.")
            # An empty prompt, and not None, which would bring in the model's default a second time.
            vectors = self.model.encode(list(texts), prompt=prompt, show_progress_bar=False, convert_to_numpy=True)
            return np.asarray(vectors, dtype=np.float32), 0
        limit = self.token_limit(max_length)
        tokens, n_truncated = self._tokenize([prompt + text for text in texts], limit)
        shared = {"prompt_length": self._prompt_length(prompt, limit)} if prompt else {}
        lengths = np.array([len(ids) for ids in tokens])
        if token_budget is None:
            token_budget = 2_000 if self.model.device.type == "cpu" else 16_384
        rows: list[Any] = [None] * len(texts)
        with torch.inference_mode(), fast_linear(self.model.device):
            for batch in pack_by_tokens(lengths, token_budget, mix=self._is_float32()):
                vectors = self._forward(self._pad([tokens[i] for i in batch], lengths[batch]) | shared)
                for i, vector in zip(batch, vectors.float().cpu().numpy(), strict=True):
                    rows[i] = vector
        return np.stack(rows), n_truncated

    def _is_float32(self) -> bool:
        import torch

        tensors = list(self.model[0].parameters()) + list(self.model[0].buffers())
        return all(t.dtype == torch.float32 for t in tensors if t.is_floating_point() or t.dtype == torch.int8)

    def _tokenize(self, texts: list[str], limit: int) -> tuple[list[list[int]], int]:
        first = self.model[0]
        if getattr(first, "do_lower_case", False):
            texts = [text.lower() for text in texts]
        if not first.tokenizer.is_fast:
            tokens = first.tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
            full = [text for text, ids in zip(texts, tokens, strict=True) if len(ids) == limit]
            longest = first.tokenizer(full)["input_ids"] if full else []
            return tokens, sum(len(ids) > limit for ids in longest)
        encodings = _fast_tokenizer(first.tokenizer, limit).encode_batch(texts)
        return [e.ids for e in encodings], sum(len(e) == limit and bool(e.overflowing) for e in encodings)

    def _prompt_length(self, prompt: str, limit: int) -> int:
        """Tokens of the prompt, without a closing special token; poolings that leave it out need to know."""
        ids = self._tokenize([prompt], limit)[0][0]
        return len(ids) - (bool(ids) and ids[-1] in self.model[0].tokenizer.all_special_ids)

    def _pad(self, tokens: list[list[int]], lengths: NDArray[np.int64]) -> dict[str, Any]:
        """Pad on the right, whatever the tokenizer's habit: then positions start at 0 and no causal model sees it."""
        import torch

        tokenizer = self.model[0].tokenizer
        width = max(int(lengths[0]), 1)
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (tokenizer.eos_token_id or 0)
        ids = np.full((len(tokens), width), pad, dtype=np.int64)
        for row, text in zip(ids, tokens, strict=True):
            row[: len(text)] = text
        features = {"input_ids": torch.from_numpy(ids)}
        if self.always_mask or lengths[-1] != lengths[0]:
            mask = np.arange(width) < lengths[:, None]
            features["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
        if self.always_mask and "token_type_ids" in tokenizer.model_input_names:
            features["token_type_ids"] = torch.zeros_like(features["input_ids"])
        return {name: tensor.to(self.model.device) for name, tensor in features.items()}

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


def _fast_tokenizer(tokenizer: Any, limit: int) -> Any:
    """A copy with its truncation set: setting it on the shared one is not safe with threads."""
    from tokenizers import Tokenizer

    key = (len(tokenizer), limit)
    with _lock:
        copies = _truncating.setdefault(tokenizer, {})
        if key not in copies:
            copies[key] = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
            copies[key].no_padding()
            copies[key].enable_truncation(limit)
        return copies[key]
