"""Torch in a forked child."""

import os
from functools import cache


@cache
def use_one_thread_after_fork() -> None:
    """Let torch compute on one thread in processes forked from this one.

    A fork copies the pool of OpenMP without its threads, for which a parallel loop in the child would wait forever.
    One thread needs no pool. PyTorch does the same in the workers of its DataLoader.
    """
    if not hasattr(os, "register_at_fork"):
        return
    import torch

    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
