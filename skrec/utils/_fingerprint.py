"""Fingerprints of models: equal for equal vectors."""

import hashlib
import itertools
import json
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

_lock = threading.Lock()
_tokens: dict[int, tuple[weakref.ref, int]] = {}
_counter = itertools.count()
_hashed: "weakref.WeakKeyDictionary[Any, tuple[Any, str]]" = weakref.WeakKeyDictionary()


def identity_token(thing: Any) -> int | None:
    """A number unique to this object for the life of the process, which ``id`` is not; None without weak references."""
    with _lock:
        reference, token = _tokens.get(id(thing), (None, -1))
        if reference is not None and reference() is thing:
            return token
        try:
            reference = weakref.ref(thing)
        except TypeError:
            return None
        token = next(_counter)
        _tokens[id(thing)] = reference, token
        weakref.finalize(thing, _forget, id(thing), token).atexit = False
        return token


def _forget(key: int, token: int) -> None:
    if _tokens.get(key, (None, None))[1] == token:
        _tokens.pop(key, None)


def folder_state(folder: str | Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of every file of a model folder: cheap, and moves when the folder is written."""
    state = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "checkpoint-"))]
        for name in files:
            path = os.path.join(parent, name)
            stat = os.stat(path)
            state.append((os.path.relpath(path, folder), stat.st_size, stat.st_mtime_ns))
    return tuple(sorted(state))


def folder_fingerprint(folder: str | Path) -> str:
    """Hash of the contents of a model folder, wherever it lies."""
    total = hashlib.sha256()
    for name, _, _ in folder_state(folder):
        with open(os.path.join(folder, name), "rb") as file:
            total.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def weights_state(model: Any) -> tuple[tuple[int, int], ...]:
    """Where each tensor of a torch module lies and how often it was written in place: cheap, moves in training."""
    return tuple(
        (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version)
        for tensor in itertools.chain(model.parameters(), model.buffers())
    )


def weights_fingerprint(model: Any, describe: Callable[[Any], str] | None = None) -> str:
    """Hash of a model's modules, configuration, tokenizer and every weight.

    Hashing what computes, not the file it came from, gives a fine-tuned model in memory a name of its own,
    and one model the same name in every place it is kept. Computed once per model, and again after training.
    ``describe`` writes out what is not a weight; by default that of a SentenceTransformer.
    """
    state = weights_state(model), str(model), getattr(model, "max_seq_length", None)
    known = _hashed.get(model)
    if known is not None and known[0] == state:
        return known[1]
    import torch

    total = hashlib.sha256((describe or _describe)(model).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if not isinstance(tensor, torch.Tensor):
            continue
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        total.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        total.update(data.data)
    _hashed[model] = state, total.hexdigest()
    return total.hexdigest()


def _describe(model: Any) -> str:
    described = [str(model), str(getattr(model, "max_seq_length", None))]
    first = model[0]
    config = getattr(getattr(first, "auto_model", None), "config", None)
    if config is not None:
        described.append(describe_config(config))
    if getattr(getattr(first, "tokenizer", None), "backend_tokenizer", None) is not None:
        described.append(describe_tokenizer(first.tokenizer))
    return "\n".join(described)


def describe_config(config: Any) -> str:
    """A configuration of transformers, without where it was loaded from and by which version."""
    settings = {k: v for k, v in config.to_dict().items() if k not in ("_name_or_path", "transformers_version")}
    return json.dumps(settings, sort_keys=True, default=str)


def describe_tokenizer(tokenizer: Any) -> str:
    """A fast tokenizer. Truncation and padding are set by whoever used it last; they are not part of the model."""
    settings = json.loads(tokenizer.backend_tokenizer.to_str())
    return json.dumps({**settings, "truncation": None, "padding": None}, sort_keys=True)
