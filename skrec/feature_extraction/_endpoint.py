"""Texts to vectors over HTTP: any endpoint that speaks OpenAI's embeddings protocol."""

import json
import os
import random
import time
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._batching import batched

_FIRST_WAIT = 0.5  # seconds; doubled with each try
_LONGEST_WAIT = 60.0
_RETRIED_STATUS = frozenset({408, 409, 425, 429})
_KEPT_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "authorization", "content-type", "content-length", "user-agent"}
)

_sleep = time.sleep


class _BadResponse(Exception):
    """What came back with status 200 is not what was asked for."""


class EndpointEncoder:
    """An embeddings endpoint, asked through the ``openai`` client.

    The key is read from the environment at each call and kept nowhere.
    """

    prompts: dict[str, str] = {}  # noqa: RUF012
    default_prompt = ""

    def __init__(
        self,
        model: str,
        base_url: str,
        api_key_env: str | None,
        dimensions: int | None,
        batch_size: int,
        timeout: float,
        max_retries: int,
    ):
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"base_url={base_url!r} must be a web address such as 'http://localhost:8000/v1'.")
        if url.username or url.password:
            raise ValueError("base_url must carry no user or password; name the key's variable in api_key_env.")
        self.model = model
        self.base_url = base_url
        self.is_openai = url.scheme == "https" and url.hostname == "api.openai.com"
        self.api_key_env = api_key_env or ("OPENAI_API_KEY" if self.is_openai else None)
        self.dimension = dimensions
        self.batch_size = batch_size
        self.timeout = timeout
        self.max_retries = max_retries

    @property
    def fingerprint(self) -> str:
        return json.dumps(["endpoint", self.base_url.rstrip("/"), self.model, self.dimension])

    def encode(self, texts: Sequence[str], prompt: str) -> tuple[NDArray[np.float32], int]:
        """Embed texts; none is reported as cut, since the endpoint does not say.

        Raises
        ------
        ImportError
            If ``openai`` is not installed.
        ValueError
            If the key's variable is not set, the request is refused, or the answers stay malformed.
        TimeoutError, ConnectionError
            If the endpoint stays silent, out of reach, overloaded or broken.
        """
        key = self._key()
        with self._client(key) as client:
            parts = [
                self._with_retries(partial(self._ask, client, [prompt + text for text in some]), key)
                for some in batched(texts, self.batch_size)
            ]
        if len(widths := {part.shape[1] for part in parts}) > 1:
            raise ValueError(f"The endpoint {self.base_url} gave vectors of different lengths: {sorted(widths)}.")
        return np.concatenate(parts), 0

    def _key(self) -> str | None:
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env)
        if not key:
            raise ValueError(
                f"The environment variable {self.api_key_env!r} is not set; it must hold the key of {self.base_url}."
            )
        return key

    def _client(self, key: str | None) -> Any:
        try:
            import openai
        except ImportError as error:
            raise ImportError("base_url= needs the openai package; run: pip install openai") from error

        def drop_foreign(request: Any) -> None:
            # The client also sends OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS, to anyone.
            for name in list(request.headers):
                if name.lower() not in _KEPT_HEADERS:
                    del request.headers[name]

        hooks = {} if self.is_openai else {"request": [drop_foreign]}
        return openai.OpenAI(
            api_key=key or "no-key",  # the client insists on one
            base_url=self.base_url,
            max_retries=0,
            timeout=self.timeout,
            http_client=openai.DefaultHttpxClient(follow_redirects=False, event_hooks=hooks),
        )

    def _ask(self, client: Any, texts: list[str]) -> NDArray[np.float32]:
        options = {} if self.dimension is None else {"dimensions": self.dimension}
        try:
            response = client.embeddings.create(model=self.model, input=texts, encoding_format="float", **options)
        except json.JSONDecodeError as error:
            raise _BadResponse(f"invalid JSON ({error})") from None
        data = getattr(response, "data", None)
        if not isinstance(data, list):
            raise _BadResponse("an answer without a list of embeddings")
        by_index = {getattr(item, "index", None): getattr(item, "embedding", None) for item in data}
        if len(data) != len(texts) or set(by_index) != set(range(len(texts))):
            raise _BadResponse(f"{len(data)} embeddings for {len(texts)} texts")
        try:
            vectors = np.array([by_index[i] for i in range(len(texts))], dtype=np.float32)
        except (TypeError, ValueError):
            raise _BadResponse("embeddings of different lengths, or not of numbers") from None
        if vectors.ndim != 2 or not vectors.shape[1] or not np.isfinite(vectors).all():
            raise _BadResponse("embeddings that are empty, NaN or infinite")
        if self.dimension is not None and vectors.shape[1] != self.dimension:
            raise _BadResponse(f"embeddings of length {vectors.shape[1]} where dimensions={self.dimension}")
        return vectors

    def _with_retries(self, ask: Callable[[], NDArray[np.float32]], key: str | None) -> NDArray[np.float32]:
        import openai

        for attempt in range(self.max_retries + 1):
            asked = 0.0
            try:
                return ask()
            except openai.APITimeoutError:
                failure: Exception = TimeoutError(f"gave no answer within {self.timeout} seconds")
            except openai.APIConnectionError as error:
                failure = ConnectionError(f"cannot be reached ({error.__cause__ or error})")
            except openai.APIStatusError as error:
                answer = f"answered {error.status_code}: {error.message[:300]}"
                if error.status_code < 500 and error.status_code not in _RETRIED_STATUS:
                    raise ValueError(self._tell(answer, key)) from None
                failure = ConnectionError(answer)
                asked = _retry_after(error.response.headers.get("retry-after"))
            except (openai.APIError, _BadResponse) as error:
                failure = ValueError(f"gave {error}")
            if attempt < self.max_retries:
                # Waits of half to all of the step, so that clients turned away together do not return together.
                wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.5, 1)
                _sleep(max(wait, asked))
        # "from None": the client's error carries the request, and with it the key.
        raise type(failure)(self._tell(f"{failure}, at each of {self.max_retries + 1} tries", key)) from None

    def _tell(self, what: str, key: str | None) -> str:
        message = f"The endpoint {self.base_url} (model {self.model!r}) {what}."
        return message.replace(key, "***") if key else message


def _retry_after(header: str | None) -> float:
    """Seconds that a Retry-After header asks for, at most a minute; 0 if there is none."""
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT) if np.isfinite(seconds) else 0.0
