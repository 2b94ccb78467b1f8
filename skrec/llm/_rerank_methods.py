"""Three ways to order candidates: by lists, by pairs, or one at a time.

Each takes all prompt contexts at once, so that the calls of a round form one batch. Each returns one order per
context, a list of candidates; None where no answer was usable.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeAlias

import numpy as np

from skrec._chat import content_rng
from skrec.llm._orders import comparators, mean_order, order_by_grade, rotations, windows
from skrec.llm._prompt_context import PromptContext
from skrec.llm._rerank_calls import Calls

Orders: TypeAlias = list[list[int] | None]


def listwise(prompt_contexts: Sequence[PromptContext], calls: Calls, *, window_size: int, n_shuffles: int) -> Orders:
    """Order windows from the end of the list to its start, each by the mean over shuffles.

    A window without a usable answer keeps the base order.

    References
    ----------
    Sun et al. 2023, Is ChatGPT good at search? Investigating large language models as re-ranking agents.
    Tang et al. 2024, Found in the middle: permutation self-consistency improves listwise ranking.
    """
    orders = [list(range(len(prompt_context.candidates))) for prompt_context in prompt_contexts]
    answered = [False] * len(prompt_contexts)
    for turn in zip_longest(*(windows(len(order), window_size) for order in orders)):
        at = [row for row, window in enumerate(turn) if window is not None and len(orders[row][window]) > 1]
        shown = {row: _presentations(prompt_contexts[row], orders[row][turn[row]], calls, n_shuffles) for row in at}
        answers = iter(calls.orders([(prompt_contexts[row], order) for row in at for order in shown[row]]))
        for row in at:
            usable = [order for _ in shown[row] if (order := next(answers)) is not None]
            if usable:
                orders[row][turn[row]], variance = mean_order(usable)
                answered[row] = True
            else:
                orders[row][turn[row]] = sorted(orders[row][turn[row]])
            if len(usable) > 1:
                calls.counts.variances.append(variance)
    return [order if done else None for order, done in zip(orders, answered, strict=True)]


def _presentations(prompt_context: PromptContext, window: list[int], calls: Calls, n_shuffles: int) -> list[list[int]]:
    """The orders in which a window is shown: as it is, or shuffled."""
    if n_shuffles == 1:
        return [window]
    texts = [prompt_context.candidates[candidate] for candidate in window]
    rng = content_rng(calls.writer.seed, "shuffle", *prompt_context.about, *texts)
    return [[window[place] for place in order] for order in rotations(len(window), n_shuffles, rng)]


def pairwise(prompt_contexts: Sequence[PromptContext], calls: Calls, *, n_shuffles: int) -> Orders:
    """Sort by about n (log2 n)^2 / 4 comparisons, whatever their results are.

    Each pair is shown ``n_shuffles`` times, alternately in both orders. A draw, and a pair without a usable
    answer, is decided by the base order.

    References
    ----------
    Qin et al. 2024, Large language models are effective text rankers with pairwise ranking prompting.
    """
    orders = [list(range(len(prompt_context.candidates))) for prompt_context in prompt_contexts]
    answered = [False] * len(prompt_contexts)
    for turn in zip_longest(*(comparators(len(order)) for order in orders), fillvalue=[]):
        at = [(row, i, j) for row, places in enumerate(turn) for i, j in places]
        pairs = [sorted([orders[row][i], orders[row][j]]) for row, i, j in at]
        shown = [
            (prompt_contexts[row], order)
            for (row, _, _), pair in zip(at, pairs, strict=True)
            for order in _both_orders(prompt_contexts[row], pair, calls, n_shuffles)
        ]
        answers = iter(calls.better(shown))
        for (row, i, j), (ahead, behind) in zip(at, pairs, strict=True):
            votes = [better for _ in range(n_shuffles) if (better := next(answers)) is not None]
            answered[row] |= bool(votes)
            if len(votes) > 1:
                calls.counts.variances.append(float(np.var([better == behind for better in votes])))
            if 2 * votes.count(behind) > len(votes):
                ahead, behind = behind, ahead
            orders[row][i], orders[row][j] = ahead, behind
    return [order if done else None for order, done in zip(orders, answered, strict=True)]


def _both_orders(prompt_context: PromptContext, pair: list[int], calls: Calls, n_shuffles: int) -> list[list[int]]:
    """A pair alternately in both orders; which order comes first is random."""
    texts = [prompt_context.candidates[candidate] for candidate in pair]
    first = content_rng(calls.writer.seed, "first", *prompt_context.about, *texts).integers(2)
    return [pair if (turn + first) % 2 else pair[::-1] for turn in range(n_shuffles)]


def pointwise(prompt_contexts: Sequence[PromptContext], calls: Calls) -> Orders:
    """Order by the likelihood of a yes where the model gives likelihoods, else by grades from 0 to 10.

    A candidate without a usable answer keeps its place.
    """
    judge = calls.likelihoods if calls.chat.can_score else calls.grades
    shown = [
        (prompt_context, [at]) for prompt_context in prompt_contexts for at in range(len(prompt_context.candidates))
    ]
    answers = iter(judge(shown))
    orders: Orders = []
    for prompt_context in prompt_contexts:
        grades = [np.nan if (grade := next(answers)) is None else grade for _ in prompt_context.candidates]
        orders.append(None if np.isnan(grades).all() else order_by_grade(grades))
    return orders
