"""Trees of a loaded ranker: compiled code follows their nodes without looking where they lead."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from skrec.utils import refuse_state

_FIELDS = {"is_leaf", "left", "right", "feature_idx", "is_categorical", "bitset_idx"}


def check_trees(ranker: Any, name: str, n_features: int) -> None:
    """Refuse boosted trees of scikit-learn whose nodes lead out of their arrays, or around in circles.

    Raises
    ------
    DamagedStateError
    """
    if not isinstance(ranker, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        return
    for trees in getattr(ranker, "_predictors", ()):
        for tree in trees:
            _check_nodes(tree, name, n_features)


def _check_nodes(tree: Any, name: str, n_features: int) -> None:
    nodes = getattr(tree, "nodes", None)
    if (
        type(nodes) is not np.ndarray
        or nodes.ndim != 1
        or not len(nodes)
        or not set(nodes.dtype.names or ()) >= _FIELDS
    ):
        refuse_state(name, "a tree without nodes", "the nodes of a fitted tree")
    inner = nodes[nodes["is_leaf"] == 0]
    at = np.flatnonzero(nodes["is_leaf"] == 0)
    for side in ("left", "right"):
        child = inner[side].astype(np.int64)
        if not ((child > at) & (child < len(nodes))).all():
            refuse_state(name, f"a node with a {side} child that does not come after it", "children behind their nodes")
    if not ((inner["feature_idx"] >= 0) & (inner["feature_idx"] < n_features)).all():
        refuse_state(name, "a node that splits an unknown feature", f"one of {n_features} features")
    n_sets = min(len(tree.binned_left_cat_bitsets), len(tree.raw_left_cat_bitsets))
    split = inner[inner["is_categorical"] != 0]
    if not (split["bitset_idx"] < n_sets).all():
        refuse_state(name, "a node that splits by unknown categories", f"one of {n_sets} sets")
