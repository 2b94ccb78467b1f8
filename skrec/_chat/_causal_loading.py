"""Names, folders and live pairs to causal models: each loaded once per process, and excluded from pickles."""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Any

from skrec._chat._causal_model import CausalModel
from skrec.utils import (
    describe_config,
    describe_tokenizer,
    dtype_argument,
    folder_fingerprint,
    folder_state,
    hub_is_out_of_reach,
    is_path,
    model_device,
    quiet,
    torch_dtype,
    use_one_thread_after_fork,
    weights_fingerprint,
)

_MAX_MODELS = 2  # loaded by name and kept; the least recently used goes first

_lock = threading.RLock()
_loaded: "OrderedDict[Any, CausalModel]" = OrderedDict()
_hashed_folders: dict[Any, str] = {}


@dataclass(frozen=True)
class CausalSettings:
    """What determines the weights in memory."""

    device: str | None = None
    dtype: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False


def causal_model(model: Any, settings: CausalSettings) -> CausalModel:
    """Load a model by name or folder, or wrap a live pair.

    Raises
    ------
    OSError
        If there is no such model.
    ValueError
        If a setting does not fit a live model.
    """
    if not isinstance(model, str):
        live, tokenizer = model
        return _adapt(live, tokenizer, settings)
    with _lock:
        state = folder_state(model) if os.path.isdir(model) else None
        key = (model, state, settings)
        if key not in _loaded:
            _loaded[key] = _load(model, settings)
            while len(_loaded) > _MAX_MODELS:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def is_live_pair(model: Any) -> bool:
    """Whether this is a model of transformers with its tokenizer."""
    return (
        isinstance(model, tuple)
        and len(model) == 2
        and callable(getattr(model[0], "generate", None))
        and callable(getattr(model[1], "apply_chat_template", None))
    )


def causal_fingerprint(causal: CausalModel, settings: CausalSettings) -> str:
    """Identifies a model by its files, its commit on the hub, or its weights."""
    # The device is not part of it: it moves answers by rounding only.
    options = {**asdict(settings), "device": None}
    commit = getattr(causal.model.config, "_commit_hash", None)
    if os.path.isdir(causal.name):
        key = (causal.name, folder_state(causal.name))
        if key not in _hashed_folders:
            _hashed_folders[key] = folder_fingerprint(causal.name)
        content = _hashed_folders[key]
    elif causal.name and commit:
        content = f"{causal.name}@{commit}"
    else:
        content = f"{weights_fingerprint(causal.model, _describe)} {_tokenizer_fingerprint(causal.tokenizer)}"
    return json.dumps([content, options], sort_keys=True)


def source_of(model: Any, tokenizer: Any) -> str | None:
    """The folder or hub name that gives this live pair back, weight for weight."""
    name = getattr(model.config, "_name_or_path", None)
    if not name:
        return None
    dtype = str(model.dtype).removeprefix("torch.")
    try:
        # A model trained in memory still says where it once came from: compare, or the training is lost.
        there = _load(name, CausalSettings(device="cpu", dtype=dtype))
    except OSError:
        return None
    same_weights = weights_fingerprint(there.model, _describe) == weights_fingerprint(model, _describe)
    return (
        name if same_weights and _tokenizer_fingerprint(there.tokenizer) == _tokenizer_fingerprint(tokenizer) else None
    )


def _load(name: str, settings: CausalSettings) -> CausalModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = model_device(settings.device)
    use_one_thread_after_fork()
    offline = os.path.isdir(name) or hub_is_out_of_reach(name)
    options: dict[str, Any] = {
        "revision": settings.revision,
        "trust_remote_code": settings.trust_remote_code,
        "local_files_only": offline,
    }
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(name, **options)
            model: Any = AutoModelForCausalLM.from_pretrained(
                name, **options, **{dtype_argument(): torch_dtype(settings.dtype) if settings.dtype else "auto"}
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise OSError(_why_not_loaded(name, offline, error)) from error
    return CausalModel(model.to(device), tokenizer, name)


def _adapt(model: Any, tokenizer: Any, settings: CausalSettings) -> CausalModel:
    if changed := [name for name, value in asdict(settings).items() if value]:
        raise ValueError(
            f"{', '.join(changed)} cannot be set for a live model, which is used as it is; leave the default, or "
            "move the model itself, as in model.to('cuda')."
        )
    return CausalModel(model, tokenizer)


def _describe(model: Any) -> str:
    return f"{model}\n{describe_config(model.config)}"


def _tokenizer_fingerprint(tokenizer: Any) -> str:
    is_fast = getattr(tokenizer, "is_fast", False)
    own = describe_tokenizer(tokenizer) if is_fast else repr(sorted(tokenizer.get_vocab().items()))
    text = f"{own} {tokenizer.chat_template} {tokenizer.special_tokens_map}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _why_not_loaded(name: str, offline: bool, error: Exception) -> str:
    if os.path.isdir(name):
        return f"The folder {name!r} contains no causal language model that could be loaded: {error}"
    where = "there is no such folder"
    if not is_path(name):
        where += ", and the hub cannot be reached to look for that name" if offline else f": {error}"
    return (
        f"model={name!r} could not be loaded; {where}. Pass the path of a model folder, the name of a model on the "
        "hub, or a pair (model, tokenizer)."
    )
