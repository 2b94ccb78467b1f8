"""Log-probabilities of given continuations, by a forward pass alone.

A prompt and an option are tokenised together, as the model would have read them. Where an option merges with
the end of its prompt into other tokens, the prefix ends before that merge, for all options of the prompt: each
is then scored over the same stretch of text, and they stay comparable.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec._chat._causal_model import CausalModel, halving


@dataclass
class ScoredOptions:
    """Sums of log-probabilities and numbers of tokens.

    Attributes
    ----------
    sums : float64 array of shape (n_prompts, n_options)
        NaN where there is none: a prompt longer than the model reads, an option that adds no token.
    n_tokens : int array of shape (n_prompts, n_options)
    n_read : int array of shape (n_prompts,)
        Tokens that the model read, of a prompt and its options.
    reused : bool
        Whether a prompt was read once for all its options.
    """

    sums: NDArray[np.float64]
    n_tokens: NDArray[np.int64]
    n_read: NDArray[np.int64]
    reused: bool = False


@dataclass
class _Question:
    prefix: list[int]
    suffixes: list[list[int]]

    @property
    def longest(self) -> int:
        return max(map(len, self.suffixes))


def check_options(prompts: Sequence[Any], options: Sequence[Sequence[str]], normalize: str) -> None:
    """Check that there is one list of texts per prompt, all of one length."""
    if normalize not in ("sum", "mean"):
        raise ValueError(f"normalize={normalize!r} must be 'sum' or 'mean'.")
    if isinstance(prompts, str) or any(isinstance(row, str) for row in options):
        raise TypeError("prompts must be a list of prompts, and options a list of lists of texts, one list per prompt.")
    if len(options) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts need as many lists of options; got {len(options)}.")
    if len(lengths := {len(row) for row in options}) > 1 or 0 in lengths:
        raise ValueError(f"Every prompt needs the same number of options, at least one; got {sorted(lengths)}.")
    if any(not isinstance(option, str) or not option for row in options for option in row):
        raise ValueError("Every option must be a text that is not empty.")


def score_options(
    model: CausalModel,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    special: bool,
    window: int | None,
    batch_size: int,
    reuse: bool = True,
) -> ScoredOptions:
    """Score options as continuations of their prompts.

    Parameters
    ----------
    model : CausalModel
    prompts : list of n str
    options : list of n lists of m str
    special : bool
        Whether the tokenizer's own beginning goes before a prompt.
    window : int or None
        Most tokens of a prompt with an option.
    batch_size : int
        Most sequences per pass.
    reuse : bool, default=True
        Compute the keys and values of a prefix once for all its options, where the model's cache allows it.
    """
    import torch

    n_options = len(options[0]) if options else 0
    shape = len(prompts), n_options
    found = ScoredOptions(np.full(shape, np.nan), np.zeros(shape, np.int64), np.zeros(len(prompts), np.int64))
    questions = [_question(model, *pair, special) for pair in zip(prompts, options, strict=True)]
    if not questions:
        return found
    found.n_tokens[:] = [[len(suffix) for suffix in question.suffixes] for question in questions]
    fits = [
        i for i, question in enumerate(questions) if window is None or len(question.prefix) + question.longest <= window
    ]
    step = max(1, batch_size // max(1, n_options))
    found.reused = reuse and model.can_reuse_cache
    work = _with_reuse if found.reused else _without_reuse

    def score(some: list[int]) -> list[Any]:
        return list(work(model, [questions[i] for i in some], batch_size))

    with torch.inference_mode():
        for batch in model.batches([(len(questions[i].prefix),) for i in fits], step):
            rows = [fits[i] for i in batch]
            for i, sums in zip(rows, halving(score, rows), strict=True):
                found.sums[i] = np.nan if isinstance(sums, RuntimeError) else sums
            times = 1 if found.reused else n_options
            found.n_read[rows] = [len(questions[i].prefix) * times + found.n_tokens[i].sum() for i in rows]
    found.sums[found.n_tokens == 0] = np.nan
    return found


def _question(model: CausalModel, prompt: str, options: Sequence[str], special: bool) -> _Question:
    alone, *joint = model.tokenize([prompt, *(prompt + option for option in options)], special=special)
    n_shared = min((_n_common(alone, ids) for ids in joint), default=len(alone))
    suffixes = [ids[n_shared:] if ids != alone else [] for ids in joint]
    return _Question(alone[:n_shared] or model.start_ids, suffixes)


def _n_common(left: list[int], right: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _with_reuse(model: CausalModel, questions: list[_Question], batch_size: int) -> NDArray[np.float64]:
    """The prefixes once, then the options from their keys and values."""
    logits, cache = model.forward([question.prefix for question in questions], keep=1, use_cache=True)
    _, prefix_mask = model.pad([question.prefix for question in questions])
    n_options = len(questions[0].suffixes)
    step = max(1, batch_size // len(questions))
    sums = np.empty((len(questions), n_options))
    for start in range(0, n_options, step):
        chunk = [question.suffixes[start : start + step] for question in questions]
        # A pass writes into the cache it is given; the last one may have the original.
        own = cache if start + step >= n_options else copy.deepcopy(cache)
        sums[:, start : start + step] = _continue(model, logits, own, prefix_mask, chunk)
    return sums


def _continue(model: CausalModel, first: Any, cache: Any, prefix_mask: Any, chunk: list[list[list[int]]]) -> NDArray:
    """Log-probabilities of suffixes, (n_prompts, n_options), where ``first`` are the logits after each prefix."""
    import torch

    n_options = len(chunk[0])
    suffixes = [suffix for row in chunk for suffix in row]
    logits = first.repeat_interleave(n_options, dim=0)
    # The last token of a suffix predicts nothing that is needed.
    if max(map(len, suffixes)) > 1:
        ids, mask = model.pad([suffix[:-1] for suffix in suffixes], left=False)
        before = prefix_mask.repeat_interleave(n_options, dim=0)
        positions = before.sum(1, keepdim=True) + torch.arange(ids.shape[1], device=ids.device)
        _spread(cache, n_options)
        more, _ = model.run(
            ids, torch.cat([before, mask], 1), positions, ids.shape[1], past_key_values=cache, use_cache=True
        )
        logits = torch.cat([logits, more], 1)
    targets, mask = model.pad(suffixes, left=False)
    return _sums(logits, targets, mask).reshape(len(chunk), n_options)


def _spread(cache: Any, n: int) -> None:
    """Every row of a cache ``n`` times; a single row as a view, for the next pass copies it anyway."""
    for layer in cache.layers:
        if layer.keys.shape[0] == 1:
            layer.keys, layer.values = (part.expand(n, -1, -1, -1) for part in (layer.keys, layer.values))
        else:
            layer.batch_repeat_interleave(n)


def _without_reuse(model: CausalModel, questions: list[_Question], batch_size: int) -> NDArray[np.float64]:
    """Every option behind its whole prefix."""
    rows = [(question.prefix, suffix or [model.pad_id]) for question in questions for suffix in question.suffixes]
    sums = np.empty(len(rows))
    for batch in model.batches([(len(prefix) + len(suffix),) for prefix, suffix in rows], batch_size):
        targets, mask = model.pad([rows[i][1] for i in batch])
        logits, _ = model.forward([rows[i][0] + rows[i][1] for i in batch], keep=targets.shape[1] + 1)
        sums[batch] = _sums(logits[:, :-1], targets, mask)
    return sums.reshape(len(questions), -1)


def _sums(logits: Any, targets: Any, mask: Any) -> NDArray[np.float64]:
    logits = logits.float()
    chosen = logits.gather(2, targets[:, :, None])[:, :, 0] - logits.logsumexp(2)
    return (chosen * mask).sum(1).double().cpu().numpy()
