"""Solvers hold settings alone, and states are never changed."""

import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skrec.decomposition import HybridMFRecommender
from skrec.decomposition._als import ALSSolver
from skrec.decomposition._context_als import ContextALSSolver
from skrec.decomposition._sgd import SGDSolver

N_USERS, N_ITEMS = 30, 20
KINDS = [
    ("als", "implicit", False),
    ("als", "explicit", False),
    ("als", "implicit", True),
    ("als", "explicit", True),
    ("bpr", "implicit", False),
    ("warp", "implicit", True),
    ("softmax", "implicit", True),
]


def events(seed=0, n=300, *, in_context, users=N_USERS, items=N_ITEMS):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(users, size=n), rng.integers(items, size=n)]).astype(float)
    y = rng.integers(1, 6, n).astype(float)
    return (np.column_stack([X, rng.normal(size=(n, 2))]) if in_context else X), y


def fitted(solver, feedback, in_context, **parameters):
    features = (np.arange(N_ITEMS), np.random.default_rng(1).normal(size=(N_ITEMS, 3)))
    users = (np.arange(N_USERS), np.random.default_rng(2).normal(size=(N_USERS, 2)))
    rec = HybridMFRecommender(4, solver=solver, feedback=feedback, max_iter=3, random_state=0, **parameters)
    return rec.fit(*events(in_context=in_context), item_features=features, user_features=users)


def arrays(part, name="state"):
    """Every array in a state, by where it stands."""
    if isinstance(part, np.ndarray):
        return {name: part}
    if is_dataclass(part):
        inner = {field.name: getattr(part, field.name) for field in fields(part)}
    elif isinstance(part, (list, tuple)):
        inner = dict(enumerate(part))
    else:
        return {}
    return {at: found for key, value in inner.items() for at, found in arrays(value, f"{name}.{key}").items()}


@pytest.mark.parametrize(("solver", "feedback", "in_context"), KINDS)
def test_an_update_writes_into_no_array_of_the_state_before(solver, feedback, in_context):
    rec = fitted(solver, feedback, in_context)
    state = rec._state
    before = {name: (array, array.copy()) for name, array in arrays(state).items()}
    assert {"state.users", "state.items", "state.histories.items"} <= set(before)
    X, y = events(1, 20, in_context=in_context, users=N_USERS + 3, items=N_ITEMS + 2)
    features = (np.arange(N_ITEMS, N_ITEMS + 2), np.ones((2, 3)))
    rec.partial_fit(X, y, item_features=features)
    rec.recommend(k=3)
    for name, (array, copy) in before.items():
        assert_array_equal(array, copy, err_msg=name)
    assert rec._state is not state
    assert len(rec._state.users) == len(rec.users_)
    assert not np.shares_memory(rec._state.items, state.items)


@pytest.mark.parametrize(("solver", "feedback", "in_context"), KINDS)
def test_the_state_before_still_ranks_as_it_did(solver, feedback, in_context):
    """A reader that has taken the state sees one model, whatever is learned meanwhile."""
    rec = fitted(solver, feedback, in_context)
    state, users = rec._state, np.arange(5)
    solve = rec._make_solver(state.settings).fold_in
    histories = rec._histories.take(users[::-1].copy())
    before = solve(state, users, histories)
    rec.partial_fit(*events(1, 20, in_context=in_context))
    assert_array_equal(solve(state, users, histories), before)
    assert not np.array_equal(solve(rec._state, users, histories), before)


@pytest.mark.parametrize(
    ("solver", "in_context", "expected"),
    [
        ("als", False, ALSSolver),
        ("als", True, ContextALSSolver),
        ("bpr", False, SGDSolver),
        ("softmax", True, SGDSolver),
    ],
)
def test_solver_of_the_settings(solver, in_context, expected):
    rec = fitted(solver, "implicit", in_context)
    assert type(rec._make_solver(rec._state.settings)) is expected


def test_a_state_is_frozen():
    state = fitted("als", "implicit", in_context=False)._state
    with pytest.raises(FrozenInstanceError):
        state.users = state.items
    with pytest.raises(FrozenInstanceError):
        state.settings.alpha = 3.0


@pytest.mark.parametrize(("solver", "feedback", "in_context"), KINDS)
def test_a_saved_model_is_updated_as_the_model_itself(solver, feedback, in_context):
    rec = fitted(solver, feedback, in_context)
    again = pickle.loads(pickle.dumps(rec))
    more = events(1, 20, in_context=in_context)
    assert_array_equal(again.partial_fit(*more).recommend(k=4).scores, rec.partial_fit(*more).recommend(k=4).scores)


def test_how_to_learn_may_change_before_an_update_and_what_was_learned_may_not():
    rec = fitted("bpr", "implicit", in_context=False)
    rec.set_params(learning_rate=0.5, n_factors=9, frequency_scaling=0.0, n_jobs=1)
    rec.partial_fit(*events(1, 20, in_context=False))
    settings = rec._state.settings
    assert (settings.n_factors, settings.frequency_scaling) == (4, 0.4)
    assert rec.item_factors_.shape == (N_ITEMS, 4)
    other = fitted("bpr", "implicit", in_context=False).partial_fit(*events(1, 20, in_context=False))
    assert not np.array_equal(rec.item_factors_, other.item_factors_)


def test_a_refused_update_leaves_the_state():
    rec = fitted("bpr", "implicit", in_context=False)
    state = rec._state
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="diverged"):
        rec.set_params(learning_rate=1e30).partial_fit(*events(1, 20, in_context=False))
    assert rec._state is state
