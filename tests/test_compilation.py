"""After ``warm_up`` no kernel compiles."""

import subprocess
import sys

import pytest

from skrec import warm_up

SCRIPT = """
import gc, warnings
import numpy as np, pandas as pd
import skrec
from numba.core.dispatcher import Dispatcher
from skrec.base import is_recommender
from skrec.testing import all_estimators

def signatures():
    kernels = [k for k in gc.get_objects() if isinstance(k, Dispatcher) and k.py_func.__module__.startswith("skrec")]
    # There is one kernel of a name for each number of factors.
    return {f"{k.py_func.__qualname__} {id(k)} {signature}" for k in kernels for signature in k.signatures}

warnings.simplefilter("ignore")
skrec.warm_up(n_factors=4)
before = signatures()
rng = np.random.default_rng(3)
ids = np.column_stack([rng.integers(0, 25, 400), rng.integers(0, 90, 400)])
y = rng.integers(1, 6, 400)
frame = pd.DataFrame({"user": [f"u{u}" for u in ids[:, 0]], "item": ids[:, 1], "timestamp": np.arange(400)})
vectors = np.unique(ids[:, 1]), rng.normal(size=(len(np.unique(ids[:, 1])), 7))
used = []
for recommender in all_estimators():
    if not is_recommender(recommender) or not type(recommender).__module__.startswith(
        ("skrec.decomposition", "skrec.dummy", "skrec.linear_model", "skrec.neighbors")
    ):
        continue
    X_in_context = np.column_stack([ids, rng.normal(size=(400, 2))])
    for X, context in ((ids, None), (frame, None), (X_in_context, X_in_context[:1, 2:])):
        if X is X_in_context and not recommender._uses_context:
            continue
        encoder = getattr(recommender, "item_encoder", None)
        tables = {} if encoder is not None else {"item_features": vectors}
        recommender.fit(X, y, **tables)
        users = recommender.users_[:3]
        recommender.recommend(users, context=context)
        recommender.recommend(users[:1], k=3, context=context, candidates=recommender.items_[:40])
        history = [["new" if X is frame else 999, item] for item in recommender.items_[:3]]
        recommender.recommend(history=history, context=context)
        recommender.predict(X[:9])
        if hasattr(recommender, "partial_fit"):
            recommender.partial_fit(X[:1], y[:1])
            recommender.recommend(users[:1], context=context)
        used.append(type(recommender).__name__)
assert len(set(used)) >= 9, set(used)
assert before, "no kernels"
print(*sorted(signatures() - before), sep="\\n")
"""


@pytest.mark.slow
def test_nothing_compiles_after_warm_up():
    """Kernels that are loaded count as well: what the cache happens to hold does not."""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""


@pytest.mark.parametrize("n_factors", [0, [4, 0], 2.5])
def test_numbers_of_factors_are_checked(n_factors):
    with pytest.raises((ValueError, TypeError), match="n_factors must be"):
        warm_up(n_factors=n_factors)
