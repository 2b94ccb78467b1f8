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

import pytest
from concurrent_updates import check_interrupts, check_readers, evenly, run_traced
from sklearn.frozen import FrozenEstimator
from subjects import EVENTS, UPDATABLE, answers, more_events

from skrec._chat import in_given_order
from skrec.dummy import PopularRecommender
from skrec.llm import LLMReranker
from skrec.neighbors import ItemKNNRecommender
from skrec.utils import detached, snapshot


def update(rec, seed=1):
    rec.partial_fit(more_events(seed))


@pytest.fixture(params=UPDATABLE, ids=str)
def subject(request):
    return request.param


# Nothing is written into ---------------------------------------------------------------------------------


def _content(state):
    return {name: pickle.dumps(value) for name, value in state.items()}


WRITES = pytest.mark.parametrize("write", ["update", "refit"])


@WRITES
def test_what_was_published_is_never_written_into(subject, write):
    rec = subject.fit()
    answers(rec)
    reader = snapshot(rec)
    before, said = _content(vars(reader)), answers(reader)
    getattr(subject, write)(rec)
    assert _content(vars(reader)) == before
    assert answers(reader) == said
    assert answers(rec) != said


# Interrupts ----------------------------------------------------------------------------------------------


@WRITES
def test_an_interrupt_leaves_the_old_model_or_the_new_one(subject, write):
    assert check_interrupts(subject.fit, getattr(subject, write), evenly(6)) >= 3


def test_an_interrupt_of_the_first_fit_leaves_nothing_fitted():
    rec = ItemKNNRecommender()
    with pytest.raises(KeyboardInterrupt):
        run_traced(partial(rec.fit, EVENTS), 100)
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
    inner, before = rec.recommender_, answers(rec)
    with pytest.raises(KeyboardInterrupt):
        rec.partial_fit(more_events(1))
    assert rec.recommender_ is inner
    assert answers(rec) == before


# Readers beside a writer ---------------------------------------------------------------------------------


def test_readers_see_one_state_while_a_writer_publishes(subject):
    n_updates, n_read = check_readers(subject.fit, subject.update, n_readers=2, n_updates=4)
    assert n_updates == 4
    assert n_read >= 2


# Writers -------------------------------------------------------------------------------------------------


def test_a_second_writer_waits():
    rec = PopularRecommender().fit(EVENTS)
    writers = [threading.Thread(target=update, args=(rec, seed)) for seed in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(range(100, 108)) <= set(rec.users_.tolist())
    assert len(rec.seen_items([100 + seed for seed in range(8)]).items) == 16


class Waiting(PopularRecommender):
    """Signals that its fit has begun, and waits."""

    begun, may_end = threading.Event(), threading.Event()

    def _fit(self, data, item_matrix, user_matrix):
        super()._fit(data, item_matrix, user_matrix)
        self.begun.set()
        assert self.may_end.wait(30)


def test_parameters_that_another_thread_sets_during_fit_are_kept():
    rec = Waiting()
    rec.left_over = 1
    writer = threading.Thread(target=rec.fit, args=(EVENTS,))
    writer.start()
    assert rec.begun.wait(30)
    rec.set_params(recency_decay=0.5)
    del rec.left_over
    rec.may_end.set()
    writer.join()
    assert rec.recency_decay == 0.5
    assert not hasattr(rec, "left_over")
    assert rec.recommend([0], k=1).items.shape == (1, 1)


def test_locks_are_no_part_of_an_estimator():
    rec = PopularRecommender()
    assert set(vars(rec)) == set(rec.get_params())
    rec.fit(EVENTS)
    for twin in (pickle.loads(pickle.dumps(rec)), copy.deepcopy(rec), copy.copy(rec)):
        before = rec.users_.tolist()
        update(twin)
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


def test_every_method_of_the_contract_reads_a_snapshot_or_writes_at_once(subject):
    rec = subject.rec
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
    update(rec)
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
