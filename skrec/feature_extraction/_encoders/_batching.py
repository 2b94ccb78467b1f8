"""Texts packed into batches by the number of their tokens."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def pack_by_tokens(lengths: NDArray[np.int64], token_budget: int, *, mix: bool) -> Iterator[NDArray[np.intp]]:
    """Partition texts into batches of about equal cost, longest first.

    A batch of texts of one length needs no padding and no attention mask, and then what a text gives does
    not depend on its batch. Texts of a rare length would run nearly alone, which is slow.

    Parameters
    ----------
    lengths : ndarray of shape (n_texts,)
        Number of tokens of each text.
    token_budget : int
        Most tokens of a batch, padding included; a longer text is a batch of its own.
    mix : bool
        Whether a batch less than half full may be filled with shorter texts, to be padded. Padding moves a
        float32 result by rounding alone (1e-7); in 16 or 8 bits it would be felt (1e-3 and more).

    Yields
    ------
    ndarray of int
        Positions of the texts of one batch, by falling length.
    """
    order = np.argsort(-lengths, kind="stable")
    falling = lengths[order]
    start = 0
    while start < len(order):
        length = max(int(falling[start]), 1)
        room = start + max(1, token_budget // length)
        same = int(np.searchsorted(-falling, -falling[start], side="right"))
        stop = min(room, same)
        if mix and 2 * (stop - start) * length < token_budget:
            stop = min(room, len(order))
        yield order[start:stop]
        start = stop


def batched(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Cut a sequence into pieces of at most ``size``."""
    for start in range(0, len(texts), size):
        yield texts[start : start + size]
