"""Updates that are interrupted or read from other threads: the state before or the state after, and no third one."""

import linecache
import sys
import threading
import time
import warnings
from functools import cache, partial
from pathlib import Path

import numpy as np
from subjects import answers

import skrec
from skrec.utils import detached, snapshot

ROOT = str(Path(skrec.__file__).parent)

# Interrupts ----------------------------------------------------------------------------------------------


def run_traced(call, stop_at=None):
    """Raise KeyboardInterrupt at a line of this library; the number of its lines that the call ran in its thread.

    Not at the end of a ``with``: the trace function is called there before ``__exit__`` is, and no guard is left. A
    signal never arrives there, as tests/attack/test_locks.py shows.
    """
    n = 0

    def trace(frame, event, argument):
        nonlocal n
        if not frame.f_code.co_filename.startswith(ROOT):
            return None
        if event == "line" and not _ends_with(frame):
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


def _ends_with(frame):
    """Whether a frame is back at the line of a ``with``, whose block has ended."""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
    return line.startswith(("with ", "async with ")) and frame.f_lasti != _starts(frame.f_code)[frame.f_lineno]


@cache
def _starts(code):
    """Where the code of each line begins."""
    starts = {}
    for start, _, line in code.co_lines():
        starts.setdefault(line, start)
    return starts


def check_interrupts(fit, write, choose_moments):
    """Interrupt ``write(rec)`` at moments of its run; the number of interrupts.

    Parameters
    ----------
    fit : callable () -> fitted recommender
    write : callable (rec) that updates it
    choose_moments : callable (n_lines) -> array of numbers of lines, from 1
    """
    rec = fit()
    old, done = answers(rec), detached(rec)
    n_lines = run_traced(partial(write, done))
    new = answers(done)
    assert new != old
    moments = choose_moments(n_lines).tolist()
    interrupted = 0
    for moment in moments:
        state = vars(rec)
        try:
            run_traced(partial(write, rec), moment)
        except KeyboardInterrupt:
            interrupted += 1
        if vars(rec) is state:
            assert answers(rec) == old
        elif getattr(rec, "best_iter_", 0) < getattr(done, "best_iter_", 0):
            interrupted += 1  # a training that is interrupted keeps its best epoch so far
            rec = fit()
        else:
            assert answers(rec) == new
            rec = fit()
    assert interrupted >= len(moments) // 2  # a later run may take fewer lines than the one that counted
    write(rec)
    assert answers(rec) == new
    return interrupted


def evenly(n_moments):
    """Moments at equal distances."""
    return lambda n_lines: np.unique(np.linspace(1, n_lines, n_moments).astype(int))


def at_random(n_moments, seed=0):
    """Random moments, each at most once."""
    rng = np.random.default_rng(seed)
    return lambda n_lines: np.sort(1 + rng.choice(n_lines, min(n_moments, n_lines), replace=False))


# Readers beside a writer ---------------------------------------------------------------------------------


def check_readers(fit, update, n_readers, n_updates=None, seconds=None, restart_after=60):
    """Read in threads while ``update(rec, seed)`` runs; the numbers of updates and of reads.

    Either ``n_updates`` or ``seconds`` ends it. Every answer must be that of one published state. The recommender is
    fitted again after ``restart_after`` updates, so that it does not grow without end.
    """
    rec, end = fit(), None if seconds is None else time.monotonic() + seconds
    states, failures, read, done = [snapshot(rec)], [], {}, threading.Event()
    n_read = [0] * n_readers

    def keep_reading(number):
        while not done.is_set() or not n_read[number]:
            try:
                read[repr(_answers_at_once(rec))] = True
                n_read[number] += 1
            except BaseException as error:
                failures.append(error)
                return

    readers = [threading.Thread(target=keep_reading, args=(number,)) for number in range(n_readers)]
    possible, done_updates = set(), 0
    with warnings.catch_warnings(action="ignore"):
        for reader in readers:
            reader.start()
        try:
            while not failures and (done_updates < n_updates if end is None else time.monotonic() < end):
                done_updates += 1
                if done_updates % restart_after:
                    update(rec, done_updates % restart_after)
                else:
                    rec.__dict__ = vars(fit())
                states.append(snapshot(rec))
                if len(states) > restart_after:
                    possible |= {repr(_answers_at_once(state)) for state in states}
                    states.clear()
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert not failures, failures
        possible |= {repr(_answers_at_once(state)) for state in states}
    assert read.keys() <= possible
    return done_updates, sum(n_read)


def _answers_at_once(rec):
    """Of one call, which reads one state."""
    found = rec.recommend([0, 3, 101, 103], k=6, exclude_seen=False)
    return found.items.tolist(), found.scores.tolist()
