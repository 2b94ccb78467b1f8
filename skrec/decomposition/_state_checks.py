"""What a loaded factor model checks of its state, before a kernel reads it."""

from __future__ import annotations

from types import NoneType
from typing import Any

import numpy as np

from skrec.decomposition._factor_state import FactorState, Scales, SolverSettings
from skrec.decomposition._hyperparameters import MOST_NEGATIVES
from skrec.decomposition._sgd_state import SGDState
from skrec.interactions import check_histories
from skrec.utils import check_array, check_choice, check_flag, check_kind, check_number, refuse_state

_LANES = 16  # as in the kernels: rows are padded to the widest vector register
_POSITIVE = float(np.finfo(np.float32).tiny)


def check_factors(state: Any, name: str, n_users: int, n_items: int, n_context: int) -> None:
    """Check a loaded state of any solver.

    Raises
    ------
    DamagedStateError
    """
    check_kind(state, name, FactorState)
    settings = state.settings
    check_settings(settings, f"{name}.settings", n_context)
    _check_scales(state.scales, f"{name}.scales", explicit=settings.explicit, is_als=settings.solver == "als")
    width = -(-settings.n_columns // _LANES) * _LANES
    sides = (("user", state.users, n_users, state.user_coef), ("item", state.items, n_items, state.item_coef))
    for side, factors, n, coef in sides:
        check_array(factors, f"{name}.{side}s", (n, width), dtype=np.float32)
        if not factors.flags.c_contiguous:
            refuse_state(f"{name}.{side}s", "an array in the order of Fortran", "the order of C")
        prior = getattr(state, f"{side}_prior")
        check_array(prior, f"{name}.{side}_prior", (None, width), dtype=np.float32)
        if len(prior) not in (1, n) or (coef is not None and len(prior) != n):
            refuse_state(f"{name}.{side}_prior", f"an array of {len(prior)} rows", f"{n} rows")
        check_array(getattr(state, f"active_{side}s"), f"{name}.active_{side}s", (n,), kinds="b")
        if coef is not None:
            check_array(coef, f"{name}.{side}_coef", (None, None), dtype=np.float32)
            if coef.shape[1] not in (settings.n_columns, settings.n_factors):
                refuse_state(f"{name}.{side}_coef", f"of {coef.shape[1]} columns", f"{settings.n_columns}")
    if state.user_intercept is not None:
        check_array(state.user_intercept, f"{name}.user_intercept", (width,), dtype=np.float32)
    check_histories(state.histories, f"{name}.histories", n_users, n_items)
    for part, shape in (("mean_context", (n_context,)), ("context_map", (n_context, width))):
        if n_context or getattr(state, part) is not None:
            check_array(getattr(state, part), f"{name}.{part}", shape, dtype=np.float32)
    for part in ("query_gram", "context_covariance"):
        if getattr(state, part) is not None or (n_context and settings.solver == "als"):
            check_array(getattr(state, part), f"{name}.{part}", (width, width), dtype=np.float32)
    check_kind(state.loss_curve, f"{name}.loss_curve", list)
    check_kind(state.validation_scores, f"{name}.validation_scores", (list, NoneType))
    check_kind(state.user_grams, f"{name}.user_grams", NoneType)


def check_settings(settings: Any, name: str, n_context: int) -> None:
    """Check the settings of a loaded state.

    Raises
    ------
    DamagedStateError
    """
    check_kind(settings, name, SolverSettings)
    check_choice(settings.solver, f"{name}.solver", ("als", "bpr", "warp", "softmax"))
    check_flag(settings.explicit, f"{name}.explicit")
    check_choice(settings.in_context, f"{name}.in_context", (n_context > 0,))
    if settings.explicit and settings.solver != "als":
        refuse_state(f"{name}.explicit", f"True for {settings.solver!r}", "False")
    for field in ("n_factors", "max_iter", "batch_size", "n_iter_no_change"):
        check_number(getattr(settings, field), f"{name}.{field}", 1, whole=True)
    for field in ("frequency_scaling", "validation_fraction", "tol", "learning_rate", "feature_regularization"):
        check_number(getattr(settings, field), f"{name}.{field}", 0)
    for field in ("regularization", "alpha"):
        if getattr(settings, field) != "auto":
            check_number(getattr(settings, field), f"{name}.{field}", 0)
    if settings.n_negatives != "auto":
        check_number(settings.n_negatives, f"{name}.n_negatives", 1, MOST_NEGATIVES, whole=True)
    if settings.n_jobs is not None:
        check_number(settings.n_jobs, f"{name}.n_jobs", whole=True)
    check_kind(settings.device, f"{name}.device", (str, NoneType))


def _check_scales(scales: Any, name: str, *, explicit: bool, is_als: bool) -> None:
    check_kind(scales, name, Scales)
    check_number(scales.mean, f"{name}.mean")
    if explicit or not is_als:
        check_kind(scales.alpha, f"{name}.alpha", NoneType)
    else:
        check_number(scales.alpha, f"{name}.alpha", 0)
    check_number(scales.regularization, f"{name}.regularization", 0)
    check_kind(scales.mean_events, f"{name}.mean_events", tuple)
    for mean in scales.mean_events:
        check_number(mean, f"{name}.mean_events", 0)
    if len(scales.mean_events) != 2:
        refuse_state(f"{name}.mean_events", f"{len(scales.mean_events)} numbers", "a pair")


def check_sgd(state: SGDState, name: str, n_context: int) -> None:
    """Check what a stochastic solver has learned beside the factors.

    Raises
    ------
    DamagedStateError
    """
    scales = state.event_scales
    check_number(scales.regularization, f"{name}.event_scales.regularization", 0)
    check_number(scales.n_negatives, f"{name}.event_scales.n_negatives", 1, MOST_NEGATIVES, whole=True)
    check_number(scales.mean_strength, f"{name}.event_scales.mean_strength", _POSITIVE)
    if n_context or scales.context is not None:
        check_array(scales.context, f"{name}.event_scales.context", (n_context,))
    check_kind(state.accumulated, f"{name}.accumulated", tuple)
    for sums, n in zip(state.accumulated, (len(state.users), len(state.items), n_context), strict=True):
        check_array(sums, f"{name}.accumulated", (n, 2), dtype=np.float32)
    check_array(state.context_totals, f"{name}.context_totals", (n_context,))


def check_ridge(value: Any, name: str, n_targets: int) -> None:
    """Check a loaded map from features to vectors.

    Raises
    ------
    DamagedStateError
    """
    if value is None:
        return
    from sklearn.linear_model import Ridge

    check_kind(value, name, Ridge)
    check_array(np.atleast_2d(value.coef_), f"{name}.coef_", (n_targets, None))
    check_array(np.atleast_1d(value.intercept_), f"{name}.intercept_", (n_targets,))
