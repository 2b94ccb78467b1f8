"""What a loaded model of two towers checks of what it has learned."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np

from skrec.exceptions import AdditiveInteractionWarning
from skrec.interactions import check_histories
from skrec.neural_network._components import check_components
from skrec.neural_network._preparation import check_context_scale
from skrec.neural_network._two_tower._calibration import check_calibrator
from skrec.neural_network._two_tower._network import check_towers
from skrec.utils import MOST_FACTORS, caller_level, check_array, check_matrix, refuse_state


def check_tower_parameters(model: Any) -> None:
    """Refuse parameters that do not fit together, and warn of lists that are the same for everyone.

    Raises
    ------
    ValueError
    """
    for size in model.hidden_layer_sizes:
        if not isinstance(size, Integral) or isinstance(size, bool) or not 0 < int(size) <= MOST_FACTORS:
            raise ValueError(
                f"hidden_layer_sizes must be whole numbers from 1 to {MOST_FACTORS}; got "
                f"{model.hidden_layer_sizes!r}. Pass a tuple such as (128,), or () for linear towers."
            )
    if not model.n_negatives and model.loss != "bce":
        raise ValueError(
            f"n_negatives=0 needs loss='bce', which can learn from the negative events of y; got loss={model.loss!r}"
            ". Pass loss='bce', or a positive n_negatives."
        )
    if model.loss == "multinomial" and not (model.use_history and model.dropout):
        raise ValueError(
            "loss='multinomial' tells what dropout leaves out of a history from the rest of it; got "
            f"use_history={model.use_history!r}, dropout={model.dropout!r}. Pass use_history=True and a dropout such "
            "as 0.5, or loss='softmax'."
        )
    if model.interaction == "additive":
        if model.loss not in ("bce", "auto"):
            raise ValueError(
                f"interaction='additive' adds the same number to all scores of a user, and loss={model.loss!r} does "
                "not see it: pass loss='bce' or 'auto'."
            )
        warnings.warn(
            "interaction='additive' adds a score of the user to a score of the item: it orders the items alike for "
            "every user. Use it for predict_proba; pass interaction='dot' or 'cosine' for personal lists.",
            AdditiveInteractionWarning,
            stacklevel=caller_level(),
        )


def check_tower_state(model: Any) -> None:
    """Check a loaded model.

    Raises
    ------
    DamagedStateError
    """
    state = vars(model)
    n_users, n_items = len(state["_user_index"]), len(state["_item_index"])
    check_towers(state["_network"], "_network", n_users, n_items)
    shape = state["_network"].shape
    check_matrix(state["_item_vectors"], "_item_vectors", (n_items, shape.n_outputs))
    for name, sizes, is_kept in (
        ("_history_vectors", (n_items, shape.n_factors), shape.has_history),
        ("_user_components", (n_users, shape.n_user_features), shape.n_user_features > 0),
    ):
        if is_kept:
            check_array(state[name], name, sizes, dtype=np.float32)
        elif state[name] is not None:
            refuse_state(name, "an array", "None, as the towers do not read it")
    check_array(state["_item_bias"], "_item_bias", (n_items,), dtype=np.float32)
    for name, n in (("_active", n_items), ("_usable", n_items), ("_active_users", n_users)):
        check_array(state[name], name, (n,), dtype=np.bool_)
    check_histories(state["_trained"], "_trained", n_users, n_items)
    n_trained, n_events = len(state["_trained"].items), len(state["_histories"].items)
    if n_trained != n_events:
        refuse_state("_trained", f"{n_trained} events", f"the {n_events} of fit")
    for side, n, n_columns in (("item", n_items, shape.n_item_features), ("user", n_users, shape.n_user_features)):
        parts, matrix = state[f"_{side}_parts"], state[f"_{side}_matrix"]
        if (parts is None) != (n_columns == 0) or (matrix is None) != (parts is None):
            refuse_state(f"_{side}_parts", "not what the towers read", f"a map to {n_columns} components")
        if parts is not None:
            check_matrix(matrix, f"_{side}_matrix", (n, None))
            check_components(parts, f"_{side}_parts", matrix.shape[1], n_columns)
    if (state["_scale"] is None) != (shape.n_context == 0):
        refuse_state("_scale", "not what the towers read", f"a scale of {shape.n_context} columns")
    if state["_scale"] is not None:
        check_context_scale(state["_scale"], "_scale", shape.n_context)
    check_calibrator(state["_calibrator"], "_calibrator")
