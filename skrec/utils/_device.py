"""Where torch computes: one rule for every ``device=``."""

from __future__ import annotations

from collections.abc import Sequence


def resolve_device(device: str | None) -> str | None:
    """The device of torch to fit on; None for the CPU, which needs no torch.

    Parameters
    ----------
    device : str or None
        A device of torch, such as "cuda:0"; "auto" for CUDA where there is one; None or "cpu" for the CPU.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine does not have it.
    """
    if device is None or device == "cpu":
        return None
    if device == "auto":
        import torch

        return "cuda" if torch.cuda.is_available() else None
    return check_device(device, default="the CPU")


def model_device(device: str | None) -> str:
    """The device that a language model runs on: the best there is for None and "auto".

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine does not have it.
    """
    if device is not None and device != "auto":
        return check_device(device, default="the best device of this machine")
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def have_bfloat16(devices: Sequence[str]) -> bool:
    """Whether all devices are CUDA devices that compute in bfloat16 themselves (AMD's, NVIDIA's from Ampere on)."""
    if not all(device.startswith("cuda") for device in devices):
        return False
    import torch

    return bool(torch.version.hip) or all(torch.cuda.get_device_capability(device)[0] >= 8 for device in devices)


def check_device(device: str, *, default: str) -> str:
    """The device, after torch has put one number on it; ``default`` says what None means.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine does not have it.
    """
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here ({str(error).splitlines()[0]}); pass None for {default}, or 'auto' "
            "for CUDA where there is one."
        ) from error
    return device
