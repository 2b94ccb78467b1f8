"""A forked child fits, updates and recommends after its parent did so on several threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys, time, warnings
import numpy as np
from skrec import (BPRRecommender, EASERecommender, HybridMFRecommender, ItemKNNRecommender, LogisticMFRecommender,
                   PopularRecommender, TunedRecommender, UserKNNRecommender)
from sklearn.base import clone
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = np.column_stack([rng.integers(0, 100, 1500), rng.integers(0, 60, 1500)])
few = {"n_factors": 4, "max_iter": 3, "n_jobs": 2}
for rec in (BPRRecommender(**few), LogisticMFRecommender(**few), HybridMFRecommender(**few),
            HybridMFRecommender(solver="softmax", **few),
            ItemKNNRecommender(n_jobs=2), UserKNNRecommender(n_jobs=2), EASERecommender(n_jobs=2),
            TunedRecommender(PopularRecommender(), {"recency_decay": [0.5, 0.9]}, n_iter=3, n_jobs=2)):
    rec.fit(X).recommend([0, 1])
    child = os.fork()
    if not child:
        rec.recommend([0, 1, 2])
        rec.partial_fit(X[:20])
        lists = clone(rec).fit(X).recommend([0]).items
        os._exit(lists.shape != (1, 10))
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(child, 9)
        status = "no end"
    assert status == 0, (rec, status)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_works_after_its_parent_fitted():
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, timeout=250, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
