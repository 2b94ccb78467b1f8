"""Memory and precision of the device that computes vectors: how much fits, and what to do where it does not."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CPU_BUDGET = 2_000  # tokens per batch; 1,000 to 4,000 measured the same
_LEAST_BUDGET, _MOST_BUDGET = 2_048, 131_072  # on a GPU; beyond the latter even small models gain nothing
_FREE_SHARE = 0.5  # of the free memory, for the tensors of one batch
_MEMORY_SECONDS = 60.0  # for which a size that did not fit is not tried again

_lock = threading.Lock()
_n_users = 0
_precision_before: Any = None


def token_budget_of(model: Any) -> int:
    """Most tokens of a batch: on a GPU as many as fit into half of its free memory."""
    if model.device.type != "cuda":
        return CPU_BUDGET if model.device.type == "cpu" else 16_384
    return budget_for(free_memory(model.device), bytes_per_token(model))


def budget_for(free: int, per_token: int) -> int:
    """Tokens that fit into the share of the free bytes, within bounds."""
    return max(_LEAST_BUDGET, min(_MOST_BUDGET, int(_FREE_SHARE * free) // per_token))


def bytes_per_token(model: Any) -> int:
    """Bytes that the tensors of one token take at most at one time, in a transformer without gradients.

    The widest moment is the feed-forward layer (two tensors of its inner width beside the residuals), or attention
    (queries, keys, values, their copies by head, and the result); pooling works in float32.
    """
    transformer = model[0].auto_model
    config = transformer.config
    width = next((n for name in ("hidden_size", "n_embd", "d_model") if (n := getattr(config, name, None))), 1024)
    inner = next((n for name in ("intermediate_size", "n_inner", "d_ff") if (n := getattr(config, name, None))), None)
    item_size = next((p.element_size() for p in transformer.parameters() if p.is_floating_point()), 4)
    return item_size * (10 * width + 3 * (inner or 4 * width)) + 16 * width


def free_memory(device: Any) -> int:
    """Bytes free on a CUDA device, with what PyTorch holds and does not use."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


class MemoryLimit:
    """Runs batches in halves where memory runs out, and remembers for a while what did not fit.

    Parameters
    ----------
    device : torch.device
        For the message, and to free what its allocator holds.
    """

    def __init__(self, device: Any):
        self.device = device
        self._most_tokens: int | None = None
        self._until = 0.0

    def in_parts(self, run: Callable[[slice], Any], n_rows: int, width: int) -> Iterator[Any]:
        """Run the rows of a batch, all at once where they fit.

        Parameters
        ----------
        run : callable
            Takes the slice of the rows to compute.
        n_rows, width : int
            Shape of the batch.

        Yields
        ------
        What ``run`` returns, part by part.

        Raises
        ------
        MemoryError
            If a single row does not fit.
        """
        start = 0
        while start < n_rows:
            part = slice(start, min(n_rows, start + self._most_rows(n_rows, width)))
            result, error = _attempt(run, part)
            if error is None:
                yield result
                start = part.stop
                continue
            n_failed = part.stop - part.start
            if n_failed == 1:
                raise MemoryError(
                    f"One text of {width} tokens does not fit into the memory of {self.device}: pass a smaller "
                    "max_length, dtype='bfloat16', a smaller model, or another device."
                ) from error
            del error  # its traceback holds the tensors that are in the way
            free_cached_memory(self.device)
            self._most_tokens = n_failed // 2 * width
            self._until = time.monotonic() + _MEMORY_SECONDS

    def _most_rows(self, n_rows: int, width: int) -> int:
        if self._most_tokens is None or time.monotonic() > self._until:
            return n_rows
        return max(1, self._most_tokens // width)


def _attempt(run: Callable[[slice], Any], part: slice) -> tuple[Any, Exception | None]:
    try:
        return run(part), None
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None, error.with_traceback(None)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that a device, or the CPU, has no memory left."""
    import torch

    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return "out of memory" in text or "can't allocate memory" in text or "CUBLAS_STATUS_ALLOC_FAILED" in text


def free_cached_memory(device: Any) -> None:
    """Give back what PyTorch's allocator holds and does not use."""
    import torch

    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()


@contextmanager
def use_tf32(device: Any) -> Iterator[None]:
    """Within this context, float32 products on CUDA run on TensorFloat-32 units; then the setting is as it was.

    The setting is one per process: the first of several threads sets it, the last one sets it back.
    """
    if device.type != "cuda":
        yield
        return
    import torch

    global _n_users, _precision_before
    matmul = torch.backends.cuda.matmul
    with _lock:
        if _n_users == 0:
            _precision_before = _precision(matmul)
            if _precision_before not in ("tf32", True):
                matmul.allow_tf32 = True  # this setter moves both interfaces; the newer one breaks reads by the older
        _n_users += 1
    try:
        yield
    finally:
        with _lock:
            _n_users -= 1
            if _n_users == 0 and _precision_before not in ("tf32", True):
                matmul.allow_tf32 = False
                if hasattr(matmul, "fp32_precision"):
                    matmul.fp32_precision = _precision_before  # "none" and "ieee" are both False to the older one


def _precision(matmul: Any) -> str | bool:
    return matmul.fp32_precision if hasattr(matmul, "fp32_precision") else matmul.allow_tf32
