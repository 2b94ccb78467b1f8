"""Threads in a forked child: a fork copies a pool without its threads, and the child would wait for them."""

import os
from functools import cache

_pools_are_lost = False


@cache
def use_one_thread_after_fork() -> None:
    """Let torch compute on one thread in processes forked from this one.

    One thread needs no pool. PyTorch does the same in the workers of its DataLoader.
    """
    if not hasattr(os, "register_at_fork"):
        return
    import torch

    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


@cache
def note_pools() -> None:
    """Say that this process has pools of threads or of workers that a forked child cannot use."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_lose_pools)


def pools_are_lost() -> bool:
    """Whether this process was forked from one that had pools, so that one thread has to do."""
    return _pools_are_lost


def _lose_pools() -> None:
    global _pools_are_lost
    _pools_are_lost = True
