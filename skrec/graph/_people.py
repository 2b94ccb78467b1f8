"""Which people a user may know: by links, by taste and by texts, with reasons that tell of no hidden link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.graph._friends import by_rarity, scaled_rows, selection, unit_sparse_rows
from skrec.interactions import IdIndex
from skrec.utils import one_line

SIGNALS = ("walks", "common_friends", "taste", "texts")
DEFAULT_WEIGHTS = {"walks": 1.0, "common_friends": 0.0, "taste": 0.75, "texts": 0.75}
_BLOCK = 64
_STEPS, _DAMPING = 6, 0.85
_TIE_BREAK = 1e-3
_MOST_NAMED = 3


def read_signal_weights(given: Mapping[str, float] | None) -> dict[str, float]:
    """Weights of the signals; one that is not named has none.

    Raises
    ------
    ValueError
        If a name is unknown, a weight negative, or all are 0.
    """
    if given is None:
        return DEFAULT_WEIGHTS
    for name, weight in given.items():
        if name not in SIGNALS:
            raise ValueError(f"people_weights has {name!r}; expected one of {', '.join(SIGNALS)}.")
        if isinstance(weight, bool) or not isinstance(weight, int | float | np.number) or not 0 <= weight < np.inf:
            raise ValueError(f"people_weights[{name!r}] must be a finite number of at least 0; got {weight!r}.")
    if not any(given.values()):
        raise ValueError("people_weights are all 0; give one of them a weight above 0.")
    return dict.fromkeys(SIGNALS, 0.0) | {name: float(weight) for name, weight in given.items()}


@dataclass(frozen=True)
class People:
    """All users and what ties them.

    Attributes
    ----------
    links, public : csr_array of shape (n_users, n_users)
        All links, and those that reasons may name, in both directions.
    walks_back : csr_array of shape (n_users, n_users)
        Where a random walk over the links came from: each column sums to 1.
    chose_link : csr_array of shape (n_users, n_users)
        Rows are those who chose the link: the other is not listed for them again.
    blocked : csr_array of shape (n_users, n_users)
    taste : csr_array of shape (n_users, n_items)
        What users chose, weighted by rarity, in rows of length 1.
    texts : float32 array of shape (n_users, d), or None
        Vectors of the texts about users, centred and of length 1.
    """

    links: sp.csr_array
    public: sp.csr_array
    walks_back: sp.csr_array
    chose_link: sp.csr_array
    blocked: sp.csr_array
    taste: sp.csr_array
    texts: NDArray[np.float32] | None

    @classmethod
    def of(
        cls,
        chose_link: sp.csr_array,
        public: sp.csr_array,
        blocked: sp.csr_array,
        chosen: sp.csr_array,
        texts: NDArray[np.float32] | None,
    ) -> People:
        """What ties users, from their links and choices."""
        n_users = chosen.shape[0]
        n_choosers = np.bincount(chosen.indices, minlength=chosen.shape[1])
        rarity = np.log(max(n_users, 1) / np.maximum(n_choosers, 1)).astype(np.float32)
        taste = unit_sparse_rows(sp.csr_array(chosen.multiply(rarity[None, :])))
        links = _symmetric(chose_link)
        walks_back = sp.csr_array(scaled_rows(links, np.asarray(links.sum(axis=1)).ravel()).T)
        return cls(links, _symmetric(public), walks_back, chose_link, blocked, taste, texts)

    def top(
        self, rows: NDArray[np.int64], k: int, weights: dict[str, float], blocked: sp.csr_array
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The best k for each user, -1 for an unknown one; codes and scores."""
        codes = np.full((len(rows), k), -1, np.int32)
        scores = np.full((len(rows), k), -np.inf, np.float32)
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            values = self._scores(part, weights, blocked)
            for row, row_values in enumerate(values, start):
                best = _largest(row_values, k)
                codes[row, : len(best)] = np.where(np.isfinite(row_values[best]), best, -1)
                scores[row, : len(best)] = row_values[best]
        return codes, scores

    def _scores(self, rows: NDArray[np.int64], weights: dict[str, float], blocked: sp.csr_array) -> NDArray[np.float32]:
        own = selection(rows, self.links.shape[0])
        hidden = (own + own @ self.chose_link + own @ blocked).toarray() > 0
        # Everybody has a list: who has nothing in common with anybody gets those with most public links.
        degree = np.log1p(np.diff(self.public.indptr)).astype(np.float32)
        total = np.tile(_TIE_BREAK * degree / max(float(degree.max(initial=0)), 1.0), (len(rows), 1))
        for name, weight in weights.items():
            if not weight or (name == "texts" and self.texts is None):
                continue
            values = np.where(hidden, 0, getattr(self, f"_{name}")(own, rows))
            largest = values.max(axis=1, keepdims=True, initial=0)
            # The square root keeps the many who are a little near apart from those who are not near at all.
            total += weight * np.sqrt(np.maximum(values, 0) / np.where(largest > 0, largest, 1))
        return np.where(hidden, -np.inf, total).astype(np.float32)

    def _walks(self, own: sp.csr_array, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """How often random walks from the user pass a person: personalised PageRank of a few steps."""
        at = own.toarray().T
        total = np.zeros_like(at)
        for _ in range(_STEPS):
            at = _DAMPING * (self.walks_back @ at)
            total += at
        return total.T

    def _common_friends(self, own: sp.csr_array, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        rare = sp.csr_array((own @ self.links).multiply(by_rarity(self.links)[None, :]))
        return (rare @ self.links).toarray()

    def _taste(self, own: sp.csr_array, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return ((own @ self.taste) @ self.taste.T).toarray()

    def _texts(self, own: sp.csr_array, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self.texts is not None
        return (own @ self.texts) @ self.texts.T

    def reason(self, user: int, other: int, blocked: sp.csr_array, names: IdIndex, items: NDArray) -> str:
        """Why two may know each other, by public links, by what both chose, and by texts."""
        if user >= 0:
            shared = [
                _said("friend", "in common", self._public_friends(user, other, blocked), names.values),
                _said("choice", "in common", self._shared_items(user, other), items),
            ]
            if self.texts is not None and float(self.texts[user] @ self.texts[other]) > 0:
                shared.append("similar profiles")
            found = "; ".join(text for text in shared if text)
            if found:
                return found[0].upper() + found[1:] + "."
        return "Someone you may know."

    def _public_friends(self, user: int, other: int, blocked: sp.csr_array) -> NDArray[np.int64]:
        """Friends of both by links that are both public, the rarest first."""
        common = np.intersect1d(_row(self.public, user), _row(self.public, other))
        common = common[~np.isin(common, np.concatenate([_row(blocked, user), _row(blocked, other)]))]
        return common[np.argsort(np.diff(self.public.indptr)[common], kind="stable")]

    def _shared_items(self, user: int, other: int) -> NDArray[np.int64]:
        own, others = (slice(self.taste.indptr[row], self.taste.indptr[row + 1]) for row in (user, other))
        items, at, at_other = np.intersect1d(
            self.taste.indices[own], self.taste.indices[others], assume_unique=True, return_indices=True
        )
        weight = self.taste.data[own][at] * self.taste.data[others][at_other]
        kept = weight > 0
        return items[kept][np.argsort(-weight[kept], kind="stable")].astype(np.int64)


def _symmetric(links: sp.csr_array) -> sp.csr_array:
    return sp.csr_array(links.maximum(links.T))


def _largest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the k largest, the first of equal ones first."""
    if k >= len(values):
        return np.argsort(-values, kind="stable")
    least = np.partition(values, -k)[-k]
    found = np.flatnonzero(values >= least)
    return found[np.argsort(-values[found], kind="stable")[:k]]


def _row(matrix: sp.csr_array, row: int) -> NDArray[Any]:
    return matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]


def _said(noun: str, rest: str, codes: NDArray[np.int64], ids: NDArray) -> str:
    """Such as "2 friends in common: bob, eve"; empty where there is none."""
    if not len(codes):
        return ""
    named = ", ".join(one_line(name) for name in ids[codes[:_MOST_NAMED]].tolist())
    more = f" and {len(codes) - _MOST_NAMED} more" if len(codes) > _MOST_NAMED else ""
    return f"{len(codes)} {noun}{'s' if len(codes) > 1 else ''} {rest}: {named}{more}"
