"""What may be passed to the loader of transformers, and what of it may bring code along."""

import importlib.util
import json
import re
from collections.abc import Mapping
from typing import Any

# Each has a parameter of the embedder, or would be a way around one.
_INSTEAD = {
    "attn_implementation": "attn_implementation=",
    "dtype": "dtype=",
    "torch_dtype": "dtype=",
    "device_map": "device=",
    "revision": "revision=",
    "code_revision": "revision=",
    "trust_remote_code": "trust_remote_code=",
    "token": "the environment variable HF_TOKEN",
    "use_auth_token": "the environment variable HF_TOKEN",
}
# What only reads weights, or says how to run them. Anything else may load code or pickles of the model's author, now
# or in a later transformers, and new names are added there with every release: hence a list of what may pass.
_HARMLESS = frozenset(
    {
        "add_pooling_layer",
        "export",
        "file_name",
        "low_cpu_mem_usage",
        "provider",
        "quantization_config",
        "reference_compile",
        "rope_scaling",
        "rope_theta",
        "subfolder",
        "use_cache",
        "variant",
    }
)
_PLAIN_ATTENTION = ("eager", "sdpa", "flex_attention")


def plain_options(options: Mapping[str, Any] | None) -> str:
    """The options as JSON, which can be compared, hashed and stored; "" for none.

    Raises
    ------
    ValueError
        If an option has a parameter of its own, or is no plain value.
    """
    if not options:
        return ""
    for name in options:
        if name in _INSTEAD:
            raise ValueError(f"model_kwargs must not hold {name!r}; use {_INSTEAD[name]} instead.")
    try:
        return json.dumps(dict(options), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"model_kwargs must hold plain values (text, numbers, True, False, None, lists and dicts of these) by "
            f"name; got {dict(options)!r} ({error}). A quantisation is written as its dict: "
            '{"quantization_config": {"load_in_8bit": True}}.'
        ) from None


def code_that_options_bring(options: str, attn_implementation: str | None) -> list[str]:
    """The options, each as ``name=value``, with which transformers may fetch and run code."""
    given = json.loads(options) if options else {}
    found = [f"model_kwargs[{name!r}]={value!r}" for name, value in given.items() if _may_bring_code(name, value)]
    if attn_implementation is not None and not _is_plain_attention(attn_implementation):
        found.append(f"attn_implementation={attn_implementation!r}")
    return found


def check_options(options: str, attn_implementation: str | None, trust_remote_code: bool) -> None:
    """Refuse options that bring code along, unless code is trusted.

    Raises
    ------
    ValueError
    """
    found = code_that_options_bring(options, attn_implementation)
    if found and not trust_remote_code:
        raise ValueError(
            f"{', '.join(found)} may fetch and run code: pass trust_remote_code=True if you have read that code, or "
            f"leave it out. Without it model_kwargs may hold {', '.join(sorted(_HARMLESS))}, and attn_implementation "
            f"may be {', '.join(_PLAIN_ATTENTION)} or, where the package 'kernels' is not installed, flash_attention_2."
        )


def _may_bring_code(name: str, value: Any) -> bool:
    if name == "quantization_config":
        # Other methods take their kernels from the hub.
        is_by_bits = isinstance(value, dict) and bool({"load_in_8bit", "load_in_4bit"} & set(value))
        return not is_by_bits or value.get("quant_method", "bitsandbytes") != "bitsandbytes"
    return name not in _HARMLESS


def _is_plain_attention(name: str) -> bool:
    if name in _PLAIN_ATTENTION:
        return True
    # Where its own package is missing, transformers takes flash attention from the hub, by the package "kernels".
    return bool(re.fullmatch(r"flash_attention_\d", name)) and importlib.util.find_spec("kernels") is None
