"""Helpers to load models of transformers by name."""

from typing import Any


def torch_dtype(name: str) -> Any:
    """The data type of torch of this name."""
    import torch

    return getattr(torch, name)


def dtype_argument() -> str:
    """The keyword by which this version of transformers takes a data type."""
    import transformers

    major, minor = (int(part) for part in transformers.__version__.split(".")[:2])
    return "dtype" if (major, minor) >= (4, 56) else "torch_dtype"


def hub_is_out_of_reach(name: str, owner: str = "") -> bool:
    """Ask the hub once: without a network, loading would retry each of its files for minutes.

    ``owner`` is the owner of a name without one.
    """
    if is_path(name):
        return True
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    try:
        huggingface_hub.HfApi().model_info(name if "/" in name else owner + name, timeout=10)
    except HfHubHTTPError:
        return False
    except Exception:  # the errors of whichever HTTP library the hub client uses
        return True
    return False


def is_path(name: str) -> bool:
    """Whether the name of a model can only be a folder, and no name on a hub."""
    return name.count("/") > 1 or name.startswith((".", "~"))


class quiet:
    """Hide the progress bars of loading weights."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._was_on = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()

    def __exit__(self, *error: object) -> None:
        from transformers.utils import logging

        if self._was_on:
            logging.enable_progress_bar()
