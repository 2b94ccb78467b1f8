"""Two towers in NumPy, for serving."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import Histories
from skrec.neural_network._two_tower._shape import TowerShape
from skrec.neural_network._two_tower._tower import raise_tower
from skrec.utils import check_array, check_choice, check_flag, check_kind, check_number, refuse_state

_AXES = np.eye(2, dtype=np.float32)


@dataclass(frozen=True)
class TowerNetwork:
    """Trained towers; their arrays are never written again.

    Attributes
    ----------
    shape : TowerShape
    arrays : dict of str to float32 array
    """

    shape: TowerShape
    arrays: dict[str, NDArray[np.float32]]

    def item_vectors(self, features: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """(n_items, n_outputs) vectors of the catalogue."""
        return self._raised(self._parts("item_factors", "item_map", features), "item")

    def history_vectors(self, features: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """(n_items, n_factors) what each item adds to the users who chose it; None where that is not read."""
        return self._parts("history_factors", "history_map", features) if self.shape.has_history else None

    def _parts(self, factors: str, feature_map: str, features: NDArray[np.float32] | None) -> NDArray[np.float32]:
        vectors = self.arrays[factors]
        return vectors if features is None else vectors + features @ self.arrays[feature_map]

    def query_vectors(
        self,
        users: NDArray[np.int64],
        histories: Histories,
        history_vectors: NDArray[np.float32] | None,
        features: NDArray[np.float32] | None = None,
        context: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of queries.

        Parameters
        ----------
        users : int64 array of shape (n_queries,)
            Codes; -1 for unknown users.
        histories : Histories of n_queries rows
            What is pooled.
        history_vectors : float32 array of shape (n_items, n_factors), or None
        features : float32 array of shape (n_queries, n_user_features), default=None
        context : float32 array of shape (n_queries, n_context), default=None

        Returns
        -------
        float32 array of shape (n_queries, n_outputs)
            Zero where nothing is known: no factors, no features, no events and no context.
        """
        # In float64, so that a row does not depend on the rows beside it once it is rounded.
        x = np.zeros((len(users), self.shape.n_factors))
        known = users >= 0
        x[known] = self.arrays["user_factors"][users[known]]
        if history_vectors is not None:
            x += pooled(histories, history_vectors)
        if features is not None:
            x += features.astype(np.float64) @ self.arrays["user_map"]
        if context is not None:
            x += context.astype(np.float64) @ self.arrays["context_map"]
        vectors = self._raised(x, "user")
        vectors[~x.any(axis=1)] = 0
        return vectors

    def _raised(self, x: NDArray[np.floating], side: str) -> NDArray[np.float32]:
        raised: NDArray[np.floating] = raise_tower(x, {**self.arrays, "axes": _AXES}, side, self.shape)
        return raised.astype(np.float32, copy=False)

    def published(self, active_users: NDArray[np.bool_], active: NDArray[np.bool_]) -> TowerNetwork:
        """The towers with zero factors for the users and items without a trained event, and biases in the mean."""
        arrays = dict(self.arrays)
        arrays["user_factors"] = arrays["user_factors"] * active_users[:, None]
        for name in ("item_factors", "history_factors"):
            if name in arrays:
                arrays[name] = arrays[name] * active[:, None]
        mean = arrays["item_biases"][active].mean() if active.any() else 0.0
        arrays["item_biases"] = np.where(active, arrays["item_biases"], mean).astype(np.float32)
        return replace(self, arrays=arrays)

    def grown(self, n_users: int, n_items: int) -> TowerNetwork:
        """The towers with rows of zeros for new users and items."""
        arrays = dict(self.arrays)
        for name, shape in self.shape.arrays(n_users, n_items).items():
            n_new = shape[0] - len(arrays[name])
            arrays[name] = np.pad(arrays[name], [(0, n_new)] + [(0, 0)] * (len(shape) - 1)) if n_new else arrays[name]
        return replace(self, arrays=arrays)


def pooled(histories: Histories, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n_rows, d) sum of the vectors of each row's items, over the square root of their number."""
    # Whatever rows stand beside it, a row is summed up in the same order.
    ones = np.ones(len(histories.items), np.float32)
    total = sp.csr_array((ones, histories.items, histories.indptr), (len(histories), len(vectors))) @ vectors
    scaled: NDArray[np.float32] = total / np.sqrt(np.maximum(histories.lengths, 1), dtype=np.float32)[:, None]
    return scaled


def latest(histories: Histories, length: int) -> Histories:
    """At most so many events of each row, the latest ones."""
    if len(histories.items) <= length:
        return histories
    return histories.where(histories.steps_back() < length)


def check_towers(value: object, name: str, n_users: int, n_items: int) -> None:
    """Check loaded towers.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, TowerNetwork)
    assert isinstance(value, TowerNetwork)
    shape = value.shape
    check_kind(shape, f"{name}.shape", TowerShape)
    check_choice(shape.interaction, f"{name}.shape.interaction", ("dot", "cosine", "additive"))
    check_number(shape.n_factors, f"{name}.shape.n_factors", 1, 1 << 20, whole=True)
    check_number(shape.temperature, f"{name}.shape.temperature", float(np.finfo(np.float32).tiny))
    check_flag(shape.has_history, f"{name}.shape.has_history")
    for size in ("n_user_features", "n_item_features", "n_context"):
        check_number(getattr(shape, size), f"{name}.shape.{size}", 0, 1 << 20, whole=True)
    check_kind(shape.hidden_layer_sizes, f"{name}.shape.hidden_layer_sizes", tuple)
    for width in shape.hidden_layer_sizes:
        check_number(width, f"{name}.shape.hidden_layer_sizes", 1, 1 << 20, whole=True)
    check_kind(value.arrays, f"{name}.arrays", dict)
    expected = shape.arrays(n_users, n_items)
    if value.arrays.keys() != expected.keys():
        refuse_state(f"{name}.arrays", f"a dict of {len(value.arrays)} arrays", f"{len(expected)} by name")
    for key, sizes in expected.items():
        check_array(value.arrays[key], f"{name}.arrays[{key!r}]", sizes, dtype=np.float32)
