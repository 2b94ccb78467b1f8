"""Answers of a causal language model: batched, greedy or sampled, each as if it were alone."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skrec._chat._causal_model import CausalModel, halving
from skrec.utils import advance


@dataclass(frozen=True)
class Generated:
    """What a model wrote: the text, its number of tokens, whether it came to its own end; or why it failed."""

    text: str = ""
    n_tokens: int = 0
    ended: bool = False
    error: str | None = None


def generate(
    model: CausalModel,
    rows: Sequence[list[int]],
    max_tokens: Sequence[int],
    *,
    temperature: float,
    seed: int | None,
    batch_size: int,
) -> list[Generated]:
    """Continue rows of tokens.

    Parameters
    ----------
    model : CausalModel
    rows : list of n lists of int
        None is empty.
    max_tokens : list of n int
        Most tokens of each answer.
    temperature : float
        0 takes the likeliest token; above, tokens are drawn from the whole distribution.
    seed : int or None
        Of draws, which depend on it and on the row alone, not on its batch; a row that comes twice is drawn twice.
    batch_size : int
    """
    found: list[Any] = [None] * len(rows)
    sources = _sources(rows, seed) if temperature > 0 else [None] * len(rows)
    for batch in model.batches([(max_tokens[i], len(row)) for i, row in enumerate(rows)], batch_size):

        def answer(some: Sequence[int]) -> list[Generated]:
            return _generate(
                model, [rows[i] for i in some], max_tokens[some[0]], temperature, [sources[i] for i in some]
            )

        for i, answered in zip(batch, halving(answer, batch), strict=True):
            advance()
            failed = isinstance(answered, RuntimeError)
            found[i] = Generated(error=f"the model raised {type(answered).__name__}") if failed else answered
    return found


def _generate(
    model: CausalModel, rows: list[list[int]], room: int, temperature: float, sources: list
) -> list[Generated]:
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    ids, mask = model.pad(rows)
    # All of it explicit: a missing setting would come from the model's own configuration.
    config = GenerationConfig(
        max_new_tokens=room,
        do_sample=False,
        num_beams=1,
        temperature=1.0,
        top_k=50,
        top_p=1.0,
        repetition_penalty=1.0,
        eos_token_id=model.stop_ids or None,
        pad_token_id=model.pad_id,
    )
    draw = LogitsProcessorList([_Draw(temperature, sources)] if temperature > 0 else [])
    with torch.inference_mode():
        output = model.model.generate(
            input_ids=ids, attention_mask=mask, generation_config=config, logits_processor=draw
        )
    return [_read(model, row) for row in output[:, ids.shape[1] :].tolist()]


def _read(model: CausalModel, ids: list[int]) -> Generated:
    end = next((i for i, token in enumerate(ids) if token in model.stop_ids), None)
    text = model.tokenizer.decode(ids[:end], skip_special_tokens=True)
    return Generated(text, len(ids) if end is None else end + 1, end is not None)


def _sources(rows: Sequence[list[int]], seed: int | None) -> list[np.random.Generator]:
    entropy = np.random.SeedSequence().entropy if seed is None else seed
    times: Counter[tuple[int, ...]] = Counter()
    sources = []
    for row in rows:
        key = tuple(row)
        digest = hashlib.blake2b(f"{entropy}:{times[key]}:{key}".encode(), digest_size=16).digest()
        sources.append(np.random.default_rng(int.from_bytes(digest, "little")))
        times[key] += 1
    return sources


class _Draw:
    """Turns the likeliest token into a drawn one, by Gumbel noise of each row's own.

    The largest of ``logits / temperature + noise`` is a draw from the softmax (the Gumbel-max trick), and no
    global generator is touched.
    """

    def __init__(self, temperature: float, sources: list[np.random.Generator]) -> None:
        self.temperature = temperature
        self.sources = sources

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        noise = np.stack([source.gumbel(size=scores.shape[1]) for source in self.sources])
        return scores.float() / self.temperature + torch.from_numpy(noise).to(scores.device, torch.float32)
