"""What the parameters of an embedder may be."""

import os
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.utils import Scrubber

PARAMETER_CONSTRAINTS: dict[str, list[Any]] = {
    "model": [str, os.PathLike, HasMethods("encode")],
    "columns": ["array-like", None],
    "template": [str, None],
    "prompt": [str, None],
    "prompt_name": [str, None],
    "query_prompt": [str, None],
    "backend": [StrOptions({"torch", "onnx", "openvino"})],
    "device": [str, "array-like", None],
    "dtype": [StrOptions({"auto", "float32", "bfloat16", "float16"})],
    "attn_implementation": [str, None],
    "model_kwargs": [dict, None],
    "quantization": [StrOptions({"int8"}), None],
    "pooling": [StrOptions({"mean", "cls", "last", "max"}), None],
    "max_length": [Interval(Integral, 1, None, closed="left"), None],
    "truncate_dim": [Interval(Integral, 1, None, closed="left"), None],
    "normalize": ["boolean"],
    "token_budget": [Interval(Integral, 1, None, closed="left"), None],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "cache": [str, os.PathLike, None],
    "revision": [str, None],
    "trust_remote_code": ["boolean"],
    "base_url": [str, None],
    "api_key_env": [str, None],
    "allow_http": ["boolean"],
    "scrub": [StrOptions({"auto"}), "boolean", Scrubber],
    "dimensions": [Interval(Integral, 1, None, closed="left"), None],
    "timeout": [Interval(Real, 0, None, closed="neither")],
    "max_retries": [Interval(Integral, 0, None, closed="left")],
    "on_unreadable": [StrOptions({"raise", "warn", "ignore"})],
    "pickle_weights": ["boolean"],
    "verbose": [StrOptions({"auto"}), "verbose"],
}
