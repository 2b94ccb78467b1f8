"""Live models and pickles: weights that have a path stay out of them."""

import copy
import os
import sys
from typing import Any, Self

from sklearn.base import clone

from skrec.feature_extraction._encoders._encoder import is_sentence_transformer
from skrec.feature_extraction._encoders._loading import LoadSettings, local_model, packaged_folder
from skrec.feature_extraction._encoders._parameters import ModelParameters
from skrec.utils import OPENAI_URL, weights_fingerprint

_same_as_source: dict[tuple[str, str], bool] = {}


class SharedModelMixin(ModelParameters):
    """An estimator whose clones and copies share a live ``model``, and whose pickles leave weights out.

    Placed before :class:`~skrec.utils.PersistenceMixin` in the bases.
    """

    def __sklearn_clone__(self) -> Self:
        """A clone that shares a live model, which would otherwise be copied with all its weights."""
        own: Any = self.get_params(deep=False)  # type: ignore[attr-defined]
        twin = type(self)(**{name: v if name == "model" else clone(v, safe=False) for name, v in own.items()})
        twin._set_active(not self._is_inactive)
        for name in ("_metadata_request", "_sklearn_output_config"):
            if hasattr(self, name):
                setattr(twin, name, copy.deepcopy(getattr(self, name)))
        return twin

    def __deepcopy__(self, memo: dict) -> Self:
        twin = type(self).__new__(type(self))
        shared = ("model", "_stored")
        twin.__dict__.update({k: v if k in shared else copy.deepcopy(v, memo) for k, v in self.__dict__.items()})
        return twin

    def _external(self) -> list[str]:
        return external_access(self)

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return state_to_pickle(self, state)


def external_access(embedder: ModelParameters) -> list[str]:
    """What an embedder would contact, load or write."""
    found, model = [], embedder.model
    if embedder.base_url is not None:
        key = embedder.api_key_env
        if key is None and embedder.base_url.startswith(OPENAI_URL):
            key = "OPENAI_API_KEY"
        with_key = f", with the key in the environment variable {key!r}" if key else ""
        found.append(f"send texts to base_url={embedder.base_url!r}{with_key}")
    elif isinstance(model, str | os.PathLike):
        is_packaged = embedder.revision is None and not os.path.isdir(model) and packaged_folder(os.fspath(model))
        if embedder.trust_remote_code:
            found.append(f"run the code that comes with model={model!r} (trust_remote_code)")
        elif not is_packaged:
            found.append(f"load model={model!r} from a folder or from the Hugging Face hub")
        if embedder.model_kwargs:
            found.append(f"load model={model!r} with model_kwargs={embedder.model_kwargs!r}")
        if embedder.attn_implementation is not None:
            found.append(f"load model={model!r} with attn_implementation={embedder.attn_implementation!r}")
    if embedder.cache not in (None, "memory"):
        found.append(f"write vectors to cache={embedder.cache!r}")
    return found


def state_to_pickle(embedder: ModelParameters, state: dict[str, Any]) -> dict[str, Any]:
    """The state to pickle.

    Raises
    ------
    ValueError
        If the model has weights that no path gives back, and ``pickle_weights`` is False.
    """
    model = embedder.model
    if embedder.pickle_weights:
        if embedder.base_url is None and isinstance(model, str | os.PathLike) and state.get("_stored") is None:
            embedder._check_active()
            loaded, _ = local_model(os.fspath(model), LoadSettings(device="cpu"))
            state["_stored"] = (os.fspath(model), loaded.model)
        if is_sentence_transformer(model) and model.device.type != "cpu":
            state["model"] = copy.deepcopy(model).cpu()  # so that a machine without that device can load it
        return state
    state.pop("_stored", None)
    if not _is_torch_module(model):
        return state
    source = _source(model) if is_sentence_transformer(model) else None
    if source is None:
        raise ValueError(
            f"The model is a live {type(model).__name__} whose weights lie at no path, or differ from those there; "
            "pickles leave weights out. Save it (model.save(folder)) and pass the folder as model, or set "
            "pickle_weights=True."
        )
    return {**state, "model": source}


def stored_model(embedder: ModelParameters, model: Any) -> Any:
    """The weights that came with a pickle of this very model name, else the model itself."""
    name, stored = getattr(embedder, "_stored", None) or (None, None)
    return stored if isinstance(model, str) and name == model else model


def _is_torch_module(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _source(model: Any) -> str | None:
    """Folder or hub name that gives this model back, weight for weight."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    name = getattr(config, "_name_or_path", None)
    if not name:
        return None
    own = weights_fingerprint(model)
    if (name, own) not in _same_as_source:
        # A model trained in memory still says where it once came from: compare, or the training is lost.
        try:
            loaded, _ = local_model(name, LoadSettings(device="cpu"))
        except (OSError, ValueError):
            return None
        _same_as_source[name, own] = weights_fingerprint(loaded.model) == own
    return name if _same_as_source[name, own] else None
