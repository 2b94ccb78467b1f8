"""Updates that are interrupted, refused or read from other threads: the old model whole, or the new one."""

import copy
import inspect
import os
import pickle
import subprocess
import sys
import threading
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import skrec
from skrec._chat import in_given_order
from skrec.base import is_recommender
from skrec.dummy import PopularRecommender
from skrec.interactions import FeatureTable
from skrec.llm import LLMReranker
from skrec.neighbors import ItemKNNRecommender
from skrec.testing import all_estimators
from skrec.utils import detached, snapshot

UPDATABLE = [rec for rec in all_estimators() if is_recommender(rec) and hasattr(rec, "partial_fit")]
ROOT = str(Path(skrec.__file__).parent)
RNG = np.random.default_rng(0)
EVENTS = pd.DataFrame(
    {"user": RNG.integers(0, 12, 90), "item": 10 * RNG.integers(0, 15, 90), "timestamp": np.arange(90)}
)
WORDS = ["garden", "sea", "storm", "rose", "whale", "ship", "walled", "deep"]


def _more(seed):
    """Events of known and new users and items."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": [*rng.integers(0, 12, 5), 100 + seed, 100 + seed],
            "item": [*(10 * rng.integers(0, 15, 6)), 1000 + seed],
            "timestamp": 90 + seed * 7 + np.arange(7),
        }
    )


def _table(items):
    text = [" ".join(np.random.default_rng(int(item)).choice(WORDS, 4)) for item in items]
    return FeatureTable(pd.DataFrame({"item": items, "text": text}))


def _vectors(items):
    return FeatureTable((items, np.random.default_rng(7).normal(size=(len(items), 3))))


def _name(rec):
    return type(rec).__name__ + getattr(rec, "solver", "")


@pytest.fixture(params=UPDATABLE, ids=_name)
def make(request):
    """A function that fits a copy, with what partial_fit may get a table of."""

    def fit():
        with warnings.catch_warnings(action="ignore"):
            return clone(request.param).fit(EVENTS, item_features=_table_for(request.param)(np.unique(EVENTS["item"])))

    return fit


def _table_for(rec):
    has_matrix = hasattr(rec, "item_encoder") and "llm" not in type(rec).__module__
    return _vectors if has_matrix else _table


def _update(rec, seed=1):
    with warnings.catch_warnings(action="ignore"):
        rec.partial_fit(_more(seed), item_features=_table_for(rec)([0, 2000 + seed]))


def _refit(rec):
    with warnings.catch_warnings(action="ignore"):
        rec.fit(EVENTS[:50], item_features=_table_for(rec)(np.unique(EVENTS["item"][:50])))


def _answers(rec):
    users = [0, 3, 101, 7777]
    with warnings.catch_warnings(action="ignore"):
        found = rec.recommend(users, k=5, history=pd.DataFrame({"user": [3], "item": [20], "timestamp": [999]}))
        scores = rec.predict(pd.DataFrame({"user": users, "item": [0, 10, 20, 30]}))
    return found.items.tolist(), found.scores.tolist(), scores.tolist(), rec.items_.tolist(), rec.users_.tolist()


# Nothing is written into ---------------------------------------------------------------------------------


def _content(state):
    return {name: pickle.dumps(value) for name, value in state.items()}


@pytest.mark.parametrize("write", [_update, _refit], ids=["partial_fit", "fit"])
def test_what_was_published_is_never_written_into(make, write):
    rec = make()
    _answers(rec)
    reader = snapshot(rec)
    before, answers = _content(vars(reader)), _answers(reader)
    write(rec)
    assert _content(vars(reader)) == before
    assert _answers(reader) == answers
    assert _answers(rec) != answers


# Interrupts ----------------------------------------------------------------------------------------------


def _n_lines(call):
    """Lines of this library that a call runs in its thread."""
    return _run_traced(call, None)


def _run_traced(call, stop_at):
    """Raise KeyboardInterrupt at a line of this library; the number of lines that ran."""
    n = 0

    def trace(frame, event, argument):
        nonlocal n
        if not frame.f_code.co_filename.startswith(ROOT):
            return None
        if event == "line":
            n += 1
            if n == stop_at:
                raise KeyboardInterrupt
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(previous)
    return n


def _check_interrupts(make, write, n_moments):
    rec = make()
    old, done = _answers(rec), detached(rec)
    n_lines = _n_lines(partial(write, done))
    new = _answers(done)
    assert new != old
    moments = np.unique(np.linspace(1, n_lines, n_moments).astype(int))
    interrupted = 0
    for moment in moments.tolist():
        state = vars(rec)
        try:
            _run_traced(partial(write, rec), moment)
        except KeyboardInterrupt:
            interrupted += 1
        if vars(rec) is state:
            assert _answers(rec) == old
        else:
            assert _answers(rec) == new
            rec = make()
    assert interrupted >= len(moments) // 2  # a later run may take fewer lines than the one that counted
    write(rec)
    assert _answers(rec) == new


@pytest.mark.parametrize("write", [_update, _refit], ids=["partial_fit", "fit"])
def test_an_interrupt_leaves_the_old_model_or_the_new_one(make, write):
    _check_interrupts(make, write, 6)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("write", [_update, _refit], ids=["partial_fit", "fit"])
def test_interrupts_at_many_moments(make, write):
    _check_interrupts(make, write, 100)


def test_an_interrupt_of_the_first_fit_leaves_nothing_fitted():
    rec = ItemKNNRecommender()
    with pytest.raises(KeyboardInterrupt):
        _run_traced(partial(rec.fit, EVENTS), 100)
    assert vars(rec) == vars(ItemKNNRecommender())


class Broken(PopularRecommender):
    """Fails at the end of every update."""

    def _partial_fit(self, data, item_matrix, user_matrix):
        super()._partial_fit(data, item_matrix, user_matrix)
        raise KeyboardInterrupt


def test_a_wrapper_and_what_it_wraps_stay_as_they_were():
    rec = LLMReranker(Broken(), in_given_order)
    with warnings.catch_warnings(action="ignore"):
        rec.fit(EVENTS)
    inner, before = rec.recommender_, _answers(rec)
    with pytest.raises(KeyboardInterrupt):
        rec.partial_fit(_more(1))
    assert rec.recommender_ is inner
    assert _answers(rec) == before


# Readers beside a writer ---------------------------------------------------------------------------------


def _check_readers(make, n_updates, n_readers):
    rec = make()
    states, failures, read, done = [snapshot(rec)], [], [], threading.Event()

    def keep_reading():
        while not done.is_set() or not read:
            try:
                read.append(_answers_at_once(rec))
            except BaseException as error:
                failures.append(error)
                return

    readers = [threading.Thread(target=keep_reading) for _ in range(n_readers)]
    for reader in readers:
        reader.start()
    try:
        for seed in range(1, 1 + n_updates):
            _update(rec, seed)
            states.append(snapshot(rec))
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not failures
    possible = [_answers_at_once(state) for state in states]
    assert all(answer in possible for answer in read)


def _answers_at_once(rec):
    """Of one call, which reads one state."""
    found = rec.recommend([0, 3, 101, 103], k=6, exclude_seen=False)
    return found.items.tolist(), found.scores.tolist()


def test_readers_see_one_state_while_a_writer_publishes(make):
    with warnings.catch_warnings(action="ignore"):
        _check_readers(make, n_updates=4, n_readers=2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_readers(make):
    with warnings.catch_warnings(action="ignore"):
        _check_readers(make, n_updates=40, n_readers=8)


# Writers -------------------------------------------------------------------------------------------------


def test_a_second_writer_waits():
    rec = PopularRecommender().fit(EVENTS)
    writers = [threading.Thread(target=_update, args=(rec, seed)) for seed in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(range(100, 108)) <= set(rec.users_.tolist())
    assert len(rec.seen_items([100 + seed for seed in range(8)]).items) == 16


def test_locks_are_no_part_of_an_estimator():
    rec = PopularRecommender()
    assert set(vars(rec)) == set(rec.get_params())
    rec.fit(EVENTS)
    for twin in (pickle.loads(pickle.dumps(rec)), copy.deepcopy(rec), copy.copy(rec)):
        before = rec.users_.tolist()
        _update(twin)
        assert twin.users_.tolist() != before == rec.users_.tolist()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_may_write_while_the_parent_does():
    script = """
import os, threading, time
from skrec.dummy import PopularRecommender
class Slow(PopularRecommender):
    def _partial_fit(self, data, item_matrix, user_matrix):
        super()._partial_fit(data, item_matrix, user_matrix)
        time.sleep(self.pause)
Slow.pause = 3
rec = Slow().fit([[1, 10]])
writer = threading.Thread(target=rec.partial_fit, args=([[2, 10]],))
writer.start()
time.sleep(0.5)
child = os.fork()
if not child:
    Slow.pause = 0
    rec.partial_fit([[3, 10]])
    os._exit(rec.users_.tolist() != [1, 3])
status = os.waitpid(child, 0)[1]
assert writer.is_alive() and status == 0, status
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], timeout=60, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# What the decorators cover -------------------------------------------------------------------------------

READS = ("recommend", "predict", "similar_items", "search", "explain", "seen_items", "score", "reply")


@pytest.mark.parametrize("rec", UPDATABLE, ids=_name)
def test_every_method_of_the_contract_reads_a_snapshot_or_writes_at_once(rec):
    for name in (*READS, "suggest_queries"):
        method = inspect.getattr_static(type(rec), name, None)
        if method is not None and method.__module__.startswith("skrec"):
            assert getattr(type(rec), name)._reads_snapshot, name
    for name in ("fit", "partial_fit"):
        assert inspect.unwrap(getattr(type(rec), name), stop=lambda f: hasattr(f, "_is_atomic"))._is_atomic


def test_a_frozen_recommender_is_not_updated_by_its_wrapper():
    fitted = PopularRecommender().fit(EVENTS)
    with warnings.catch_warnings(action="ignore"):
        rec = LLMReranker(FrozenEstimator(fitted), in_given_order).fit(EVENTS)
    _update(rec)
    assert 101 in rec.users_
    assert 101 not in fitted.users_


class Foreign:
    """Writes into what it holds, as others may."""

    def __init__(self):
        self.seen = []

    def partial_fit(self, X):
        self.seen.extend(X)


def test_what_writes_in_place_is_copied_whole():
    rec = Foreign()
    twin = detached(rec)
    twin.partial_fit([1])
    assert rec.seen == []


def test_a_warning_points_at_the_caller():
    with pytest.warns(UserWarning, match="order of the recommender") as caught:
        LLMReranker(PopularRecommender(), in_given_order).fit(EVENTS)
    assert caught[0].filename == __file__
