"""Texts to tokens, and tokens to padded batches."""

import itertools
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_lock = threading.Lock()
_truncating: "weakref.WeakKeyDictionary[Any, dict[tuple[int, int], Any]]" = weakref.WeakKeyDictionary()

Spans = list[tuple[int, int, bool]]
"""Of each token: where it begins and ends in its text, and whether it stands for something unknown."""


def _no_numbers() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Tokens:
    """Tokenised texts.

    Attributes
    ----------
    texts : sequence of str
        The texts themselves where the model does not read plain tokens; else empty.
    prompt : str
    ids : ndarray of shape (n_tokens,), int64, or None
        Tokens of all texts, one text after the other; None where the model does not read plain tokens.
    starts, lengths : ndarray of shape (n_texts,), int64
        Where the tokens of each text begin, and how many they are.
    prompt_length : int
        Tokens of the prompt, without a closing special token.
    padding : int
        The token to pad with.
    needs_types : bool
        Whether a batch with masks carries token types too.
    n_truncated : int
        How many texts were cut.
    """

    texts: Sequence[str]
    prompt: str
    ids: NDArray[np.int64] | None = None
    starts: NDArray[np.int64] = field(default_factory=_no_numbers)
    lengths: NDArray[np.int64] = field(default_factory=_no_numbers)
    prompt_length: int = 0
    padding: int = 0
    needs_types: bool = False
    n_truncated: int = 0

    def take(self, which: NDArray[np.intp]) -> "Tokens":
        """Some of the texts; how many were cut stays with the whole."""
        if self.ids is None:
            return replace(self, texts=[self.texts[i] for i in which], n_truncated=0)
        return replace(self, starts=self.starts[which], lengths=self.lengths[which], n_truncated=0)

    def padded(self, batch: NDArray[np.intp], *, always_mask: bool) -> dict[str, NDArray[np.int64]]:
        """Features of the texts of a batch, which come by falling length.

        Padded on the right, whatever the tokenizer's habit: then positions start at 0 and no causal model sees it.
        """
        assert self.ids is not None
        lengths, starts = self.lengths[batch], self.starts[batch]
        columns = np.arange(max(int(lengths[0]), 1))
        is_token = columns < lengths[:, None]
        places = np.where(is_token, starts[:, None] + columns, 0)
        ids = np.where(is_token, self.ids[places] if len(self.ids) else 0, self.padding)
        features = {"input_ids": ids}
        if always_mask or lengths[-1] != lengths[0]:
            features["attention_mask"] = is_token.astype(np.int64)
        if always_mask and self.needs_types:
            features["token_type_ids"] = np.zeros_like(ids)
        return features


def read_tokens(model: Any, texts: Sequence[str], prompt: str, max_length: int | None) -> Tokens:
    """Tokenise texts for a SentenceTransformer.

    Raises
    ------
    ValueError
        If ``max_length`` does not fit the model.
    """
    if not reads_tokens(model):
        if max_length is not None:
            raise ValueError("max_length needs a transformer with a tokenizer; this model has none.")
        return Tokens(texts, prompt)
    limit = token_limit(model, max_length)
    tokens, n_truncated = _tokenize(model[0], [prompt + text for text in texts], limit)
    lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
    tokenizer = model[0].tokenizer
    return Tokens(
        texts=(),
        prompt=prompt,
        ids=np.fromiter(itertools.chain.from_iterable(tokens), dtype=np.int64, count=int(lengths.sum())),
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        prompt_length=_prompt_length(model[0], prompt, limit) if prompt else 0,
        padding=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (tokenizer.eos_token_id or 0),
        needs_types="token_type_ids" in tokenizer.model_input_names,
        n_truncated=n_truncated,
    )


def reads_tokens(model: Any) -> bool:
    """Whether the first module of a SentenceTransformer is a transformer that reads plain tokens."""
    from transformers import PreTrainedTokenizerBase

    first = model[0]
    return (
        isinstance(getattr(first, "tokenizer", None), PreTrainedTokenizerBase)
        and hasattr(first, "auto_model")
        and "message" not in getattr(first, "modality_config", {})
    )


def token_limit(model: Any, max_length: int | None) -> int:
    """How many tokens a text may have.

    Raises
    ------
    ValueError
        If ``max_length`` is more than the model has positions for.
    """
    transformer: Any = model[0].auto_model
    positions = getattr(transformer.config, "max_position_embeddings", None) or 10**9
    table = getattr(getattr(transformer, "embeddings", None), "position_embeddings", None)
    padding_idx = getattr(table, "padding_idx", None)
    if padding_idx is not None:  # RoBERTa counts positions from padding_idx + 1
        positions -= padding_idx + 1
    if max_length is not None and max_length > positions:
        raise ValueError(f"max_length={max_length} is more than the {positions} tokens that the model can read.")
    return int(min(max_length or model.max_seq_length or positions, positions))


def _tokenize(first: Any, texts: list[str], limit: int) -> tuple[list[list[int]], int]:
    if getattr(first, "do_lower_case", False):
        texts = [text.lower() for text in texts]
    if not first.tokenizer.is_fast:
        tokens = first.tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
        full = [text for text, ids in zip(texts, tokens, strict=True) if len(ids) == limit]
        longest = first.tokenizer(full)["input_ids"] if full else []
        return tokens, sum(len(ids) > limit for ids in longest)
    encodings = _fast_tokenizer(first.tokenizer, limit).encode_batch(texts)
    return [e.ids for e in encodings], sum(len(e) == limit and bool(e.overflowing) for e in encodings)


def _prompt_length(first: Any, prompt: str, limit: int) -> int:
    """Tokens of the prompt, without a closing special token; poolings that leave it out need to know."""
    ids = _tokenize(first, [prompt], limit)[0][0]
    return len(ids) - (bool(ids) and ids[-1] in first.tokenizer.all_special_ids)


def token_spans(tokenizer: Any, texts: Sequence[str], limit: int) -> list[Spans]:
    """Where the tokens of each text stand, for a fast tokenizer; of an ASCII text without an unknown token none."""
    fast, unknown = _fast_tokenizer(tokenizer, limit), tokenizer.unk_token_id
    encodings = fast.encode_batch(list(texts), add_special_tokens=False)
    return [
        [] if text.isascii() and unknown not in encoding.ids else _spans(encoding, unknown)
        for text, encoding in zip(texts, encodings, strict=True)
    ]


def _spans(encoding: Any, unknown: int | None) -> Spans:
    return [
        (start, stop, token_id == unknown or token.startswith("<0x"))  # a byte, which SentencePiece falls back to
        for token, token_id, (start, stop) in zip(encoding.tokens, encoding.ids, encoding.offsets, strict=True)
        if token.strip("\u2581\u0120 ")  # a mark of a space alone stands nowhere
    ]


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
