"""From the parameters of an embedder to what runs its model, and to the prompt before each text."""

import os
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from skrec.feature_extraction._encoders._encoder import Encoder, LocalEncoder, ObjectEncoder, is_sentence_transformer
from skrec.feature_extraction._encoders._endpoint_encoder import EndpointEncoder
from skrec.feature_extraction._encoders._live_models import stored_model
from skrec.feature_extraction._encoders._loading import LoadSettings, load_tokenizer
from skrec.feature_extraction._encoders._model_options import plain_options
from skrec.feature_extraction._encoders._parameters import ModelParameters
from skrec.feature_extraction._encoders._tokens import Spans, reads_tokens, token_spans
from skrec.utils import Endpoint

_LONGEST = 1 << 20  # tokens of a text: no limit, the caller cuts
_LOCAL = [field.name for field in fields(LoadSettings)]


def select_encoder(embedder: ModelParameters) -> Encoder:
    """What runs the model, by the parameters as they are set now.

    Raises
    ------
    ValueError
        If a parameter does not apply to this kind of model.
    OSError
        If the model cannot be found or loaded.
    ExternalAccessError
        If skops has loaded the embedder, and :func:`skrec.persistence.allow_external` was not called.
    """
    embedder._check_active()
    model = os.fspath(embedder.model) if isinstance(embedder.model, os.PathLike) else embedder.model
    if isinstance(model, str) and not model.strip():
        raise ValueError(
            f"model={model!r} names no model; pass the path of a model folder, a name on the Hugging Face hub, or "
            "leave the default 'all-MiniLM-L6-v2'."
        )
    if isinstance(embedder.cache, str) and not embedder.cache.strip():
        raise ValueError(
            f"cache={embedder.cache!r} names no folder; pass 'memory', the path of a folder, or None for no cache."
        )
    if isinstance(model, str) and embedder.base_url is not None:
        _refuse_local_settings(embedder, "an endpoint")
        endpoint = Endpoint(
            model, embedder.base_url, embedder.api_key_env, embedder.allow_http, embedder.timeout, embedder.max_retries
        )
        return EndpointEncoder(endpoint, embedder.dimensions, embedder.batch_size)
    remote = (embedder.base_url, embedder.api_key_env, embedder.dimensions)
    if embedder.allow_http or any(value is not None for value in remote):
        raise ValueError(
            "base_url, api_key_env, allow_http and dimensions belong to an endpoint: pass base_url and the model's "
            "name there (for OpenAI base_url='https://api.openai.com/v1'). For a local model, truncate_dim "
            "shortens vectors."
        )
    model = stored_model(embedder, model)
    if isinstance(model, str) or is_sentence_transformer(model):
        return LocalEncoder(model, _load_settings(embedder), embedder.max_length, embedder.token_budget)
    _refuse_local_settings(embedder, f"a {type(model).__name__}, which encodes by itself")
    return ObjectEncoder(model, embedder.batch_size)


class TokenizerAlone:
    """The tokenizer of a model, without its weights: what the model can read."""

    has_spans = True

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def spans_of(self, texts: Sequence[str]) -> list[Spans]:
        """As :meth:`LocalEncoder.spans_of`."""
        return token_spans(self.tokenizer, texts, _LONGEST)


def select_tokenizer(embedder: ModelParameters) -> TokenizerAlone | None:
    """The tokenizer of a model in this process; None for what has none here, such as an endpoint.

    Raises
    ------
    OSError
        If the model cannot be found.
    ExternalAccessError
        As for :func:`select_encoder`.
    """
    embedder._check_active()
    model = os.fspath(embedder.model) if isinstance(embedder.model, os.PathLike) else embedder.model
    if isinstance(model, str):
        if embedder.base_url is not None:
            return None
        tokenizer = load_tokenizer(model, embedder.revision, embedder.trust_remote_code)
    elif is_sentence_transformer(model) and reads_tokens(model):
        tokenizer = model[0].tokenizer
    else:
        return None
    return TokenizerAlone(tokenizer) if tokenizer.is_fast else None


def _load_settings(embedder: ModelParameters) -> LoadSettings:
    given = {name: getattr(embedder, name) for name in _LOCAL}
    given["model_kwargs"] = plain_options(embedder.model_kwargs)
    if not isinstance(embedder.device, str | None):
        given["device"] = tuple(embedder.device)
    return LoadSettings(**given)


def _refuse_local_settings(embedder: ModelParameters, what: str) -> None:
    defaults = type(embedder)().get_params(deep=False)
    given = {name: getattr(embedder, name) for name in [*_LOCAL, "max_length"]}
    # An array, which no default is, has no truth value when it is compared.
    if changed := [name for name, value in given.items() if hasattr(value, "__array__") or value != defaults[name]]:
        raise ValueError(f"{', '.join(changed)} cannot be set for {what}; leave the default.")


def select_prompt(
    embedder: ModelParameters,
    encoder: Encoder,
    *,
    query: bool = False,
    prompt: str | None = None,
    prompt_name: str | None = None,
) -> str:
    """The prompt of one call: what was passed, else what the embedder has, else what the model has.

    Raises
    ------
    ValueError
        If the model has no prompt of that name.
    """
    if prompt is None and prompt_name is None:
        if query and embedder.query_prompt is not None:
            return embedder.query_prompt
        if query and "query" in encoder.prompts:
            return encoder.prompts["query"]
        prompt, prompt_name = embedder.prompt, embedder.prompt_name
    if prompt is not None:
        return prompt
    if prompt_name is None:
        return encoder.default_prompt
    if prompt_name not in encoder.prompts:
        raise ValueError(
            f"prompt_name={prompt_name!r}: the model's prompts are {sorted(encoder.prompts)}; "
            "pass the wording itself as prompt."
        )
    return encoder.prompts[prompt_name]
