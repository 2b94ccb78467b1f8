"""Where torch computes."""

from __future__ import annotations


def resolve_device(device: str | None) -> str | None:
    """The device of torch to fit on; None for the CPU, which needs no torch.

    Raises
    ------
    ValueError
        If torch does not know the device, or has none of that kind.
    """
    if device is None or device == "cpu":
        return None
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else None
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here ({str(error).splitlines()[0]}); pass None for the CPU, or "
            "'auto' for CUDA where there is one."
        ) from error
    return device
