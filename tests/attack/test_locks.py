"""Interrupts by real signals, thousands a second: none leaves a lock held, or a call that waits for ever."""

import re
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from concurrent_updates import run_traced

import skrec
from skrec.feature_extraction._encoders._vector_cache import MemoryCache
from skrec.llm import Budget

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that send signals")
N_INTERRUPTS = 300
_KEYS, _VECTORS = [b"a", b"b"], np.ones((2, 3), np.float32)


class _Interrupt(BaseException):
    pass


def _interrupted(call, n_interrupts):
    """Call something again and again, interrupted at random moments; ``free()`` is to return after each of them."""

    def interrupt(*_):
        raise _Interrupt

    rng, n = np.random.default_rng(0), 0
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        while n < n_interrupts:
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(5e-6, 100e-6))
                while True:
                    call()
            except _Interrupt:
                n += 1
                yield n
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _returns_in_time(call):
    """Whether another thread can do the same: it would wait for ever for a lock that is still held."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def _use_memory_cache():
    cache = MemoryCache(max_bytes=10_000)

    def use():
        cache.put(_KEYS, _VECTORS)
        cache.get(_KEYS)

    return use


def _use_budget():
    budget = Budget(max_tokens=10**9)

    def use():
        budget.reserve(3)
        budget.settle(3, 0)

    return use


@pytest.mark.parametrize("make", [_use_memory_cache, _use_budget, threading.Lock])
def test_no_lock_stays_held_after_an_interrupt(make):
    use = made = make()
    if make is threading.Lock:

        def use():
            with made:
                time.monotonic()

    for _ in _interrupted(use, N_INTERRUPTS):
        assert _returns_in_time(use)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="known of 3.11 and 3.12")
def test_a_condition_would_stay_held():
    """Why the library has none, and that this attack finds it."""
    condition, held = threading.Condition(threading.Lock()), 0

    def use():
        with condition:
            time.monotonic()

    for _ in _interrupted(use, N_INTERRUPTS):
        held += condition._lock.locked()
        condition = threading.Condition(threading.Lock())
    assert held


def test_locks_are_taken_by_with_alone():
    """Between ``lock.acquire()`` and ``try``, an interrupt may arrive; at ``with`` of a plain lock, none does."""
    unsafe = re.compile(r"\.acquire\(|\b(Condition|Semaphore|BoundedSemaphore|Barrier)\(")
    paths = sorted(Path(skrec.__file__).parent.rglob("*.py"))
    assert len(paths) > 100
    assert not [path.name for path in paths if unsafe.search(path.read_text(encoding="utf-8"))]


def test_a_trace_function_leaves_no_lock_held():
    """It is called at the end of ``with`` while the lock is held, as no signal is: such moments are left."""
    use = _use_memory_cache()
    n_lines = run_traced(use)
    assert n_lines > 10
    for moment in range(1, n_lines + 1):
        with pytest.raises(KeyboardInterrupt):
            run_traced(use, moment)
        assert _returns_in_time(use)
