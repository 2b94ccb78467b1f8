"""Three ways to an order of candidates: of lists, of pairs, of one at a time.

Each takes all situations at once, so that the calls of a round go out as one batch, and gives the order of each
as a list of candidates; None where no answer could be used.
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


def listwise(situations: Sequence[PromptContext], calls: Calls, *, window_size: int, n_shuffles: int) -> Orders:
    """Windows from the end to the start; in each, the mean over shuffles.

    A window without an answer goes back to base order.

    References
    ----------
    Sun et al. 2023, Is ChatGPT good at search? Investigating large language models as re-ranking agents.
    Tang et al. 2024, Found in the middle: permutation self-consistency improves listwise ranking.
    """
    orders = [list(range(len(situation.candidates))) for situation in situations]
    answered = [False] * len(situations)
    for turn in zip_longest(*(windows(len(order), window_size) for order in orders)):
        at = [row for row, window in enumerate(turn) if window is not None and len(orders[row][window]) > 1]
        shown = {row: _presentations(situations[row], orders[row][turn[row]], calls, n_shuffles) for row in at}
        answers = iter(calls.orders([(situations[row], order) for row in at for order in shown[row]]))
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


def _presentations(situation: PromptContext, window: list[int], calls: Calls, n_shuffles: int) -> list[list[int]]:
    """The orders in which a window is shown: as it stands, or shuffled."""
    if n_shuffles == 1:
        return [window]
    texts = [situation.candidates[candidate] for candidate in window]
    rng = content_rng(calls.writer.seed, "shuffle", *situation.about, *texts)
    return [[window[place] for place in order] for order in rotations(len(window), n_shuffles, rng)]


def pairwise(situations: Sequence[PromptContext], calls: Calls, *, n_shuffles: int) -> Orders:
    """Sorting by comparisons that are the same in number whatever their results, about n (log2 n)^2 / 4.

    Each pair is shown ``n_shuffles`` times, in both orders by turns; a draw, and a pair without an answer, is
    decided by base order.

    References
    ----------
    Qin et al. 2024, Large language models are effective text rankers with pairwise ranking prompting.
    """
    orders = [list(range(len(situation.candidates))) for situation in situations]
    answered = [False] * len(situations)
    for turn in zip_longest(*(comparators(len(order)) for order in orders), fillvalue=[]):
        at = [(row, i, j) for row, places in enumerate(turn) for i, j in places]
        pairs = [sorted([orders[row][i], orders[row][j]]) for row, i, j in at]
        shown = [
            (situations[row], order)
            for (row, _, _), pair in zip(at, pairs, strict=True)
            for order in _both_ways(situations[row], pair, calls, n_shuffles)
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


def _both_ways(situation: PromptContext, pair: list[int], calls: Calls, n_shuffles: int) -> list[list[int]]:
    """A pair in both orders by turns; which comes first is left to chance."""
    texts = [situation.candidates[candidate] for candidate in pair]
    first = content_rng(calls.writer.seed, "first", *situation.about, *texts).integers(2)
    return [pair if (turn + first) % 2 else pair[::-1] for turn in range(n_shuffles)]


def pointwise(situations: Sequence[PromptContext], calls: Calls) -> Orders:
    """By the likelihood of a yes where the model tells it, else by grades from 0 to 10.

    A candidate without an answer keeps its place.
    """
    ask = calls.likelihoods if calls.chat.can_score else calls.grades
    shown = [(situation, [at]) for situation in situations for at in range(len(situation.candidates))]
    answers = iter(ask(shown))
    orders: Orders = []
    for situation in situations:
        grades = [np.nan if (grade := next(answers)) is None else grade for _ in situation.candidates]
        orders.append(None if np.isnan(grades).all() else order_by_grade(grades))
    return orders
