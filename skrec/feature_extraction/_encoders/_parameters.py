"""The parameters that say which model embeds, and where it runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from skrec.utils import ExternalMixin, Scrubber


class ModelParameters(ExternalMixin):
    """An embedder as what runs its model sees it: its parameters by name; they are set in its ``__init__``."""

    model: Any
    prompt: str | None
    prompt_name: str | None
    query_prompt: str | None
    attn_implementation: str | None
    model_kwargs: dict[str, Any] | None
    device: str | Sequence[str] | None
    max_length: int | None
    truncate_dim: int | None
    normalize: bool
    token_budget: int | None
    batch_size: int
    cache: str | os.PathLike | None
    revision: str | None
    trust_remote_code: bool
    base_url: str | None
    api_key_env: str | None
    allow_http: bool
    scrub: bool | Literal["auto"] | Scrubber
    dimensions: int | None
    timeout: float
    max_retries: int
    on_unreadable: Literal["raise", "warn", "ignore"]
    pickle_weights: bool
    verbose: Any
