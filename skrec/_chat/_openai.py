"""A chat model behind a server that speaks OpenAI's protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any

from skrec._chat._base import BaseChat
from skrec._chat._budget import BudgetExhausted
from skrec._chat._messages import Message
from skrec._chat._openai_dialect import Dialect, SharedDialect, refuses_format, refuses_system
from skrec._chat._results import ChatResult, ChatSettings, Usage, result_of, standard_reason
from skrec._chat._schema_prompt import with_repair
from skrec.utils import OPENAI_URL, BadResponse, Connection, Endpoint, EndpointError, RequestRejected

_REFUSED_FIELDS = frozenset({400, 415, 422, 501})
_TEXT_PARTS = ("text", "output_text")  # others hold thoughts, or no text


class OpenAICompatibleChat(BaseChat):
    """A chat model of any server that speaks OpenAI's protocol: OpenAI, vLLM, Ollama, llama.cpp and others.

    Conversations are sent by several threads, from within a running event loop too. A request is sent again
    after a time-out, status 408, 409, 425, 429 or 5xx, or a malformed or empty answer; waits double from half a
    second, with jitter, and follow ``Retry-After`` up to ``timeout`` and a minute. Once the server has left ten
    requests in a row without any answer, conversations fail at once and one goes out every ten seconds, with one try,
    until there is an answer again: a thousand do not wait for a server that is not there. What the server
    refuses is remembered: ``temperature`` and ``seed`` are dropped; ``max_tokens`` becomes
    ``max_completion_tokens`` or back; a schema is sent as a JSON schema, without the keywords that the server names,
    else as that of a JSON object, else a JSON object is requested and the prompt states the schema, else the prompt
    alone. An answer that does not fit the schema is sent back once.
    Thoughts (``<think>``) are cut out.

    No key, address or organisation is taken from the environment unless named, redirects are not followed, and
    the key is read at each call and kept nowhere. There are no log-probabilities (``can_score`` is False): few
    servers of this protocol give those of a text that is not their own. A key that a server repeats in an answer
    is taken out of it. Answers of more than 4 MB, unpacked, are refused.

    Parameters
    ----------
    model : str
        Its name at the server.
    base_url : str, default=None
        Such as ``"http://localhost:8000/v1"``; by default OpenAI's.
    api_key_env : str, default=None
        Name of the environment variable with the key. By default no key is sent, save to OpenAI itself, which
        gets that of ``OPENAI_API_KEY``; ``""`` sends none anywhere.
    allow_http : bool, default=False
        Whether texts, and any key, may go over plain http to another machine than this one.
    timeout : float, default=60.0
        Seconds of each request as a whole, from connecting to the last byte.
    max_retries : int, default=4
    n_jobs : int, default=8
        Most requests at once.
    **options
        ``budget``, ``cache``, ``prices`` and ``scrub`` of :class:`BaseChat`. Every retry and every request sent
        back is a call of the budget. Personal data is scrubbed unless the server runs on this machine.

    Raises
    ------
    ValueError
        If ``base_url`` is not a web address, contains credentials, or is plain http to another machine.

    See Also
    --------
    TransformersChat : A model in this process.
    HeuristicChat : A stand-in for a model, for tests.

    Examples
    --------
    .. code-block:: python

       chat = OpenAICompatibleChat("qwen2.5:7b", base_url="http://localhost:11434/v1")
       chat.complete(["Name a quiet film."])[0].text
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        allow_http: bool = False,
        timeout: float = 60.0,
        max_retries: int = 4,
        n_jobs: int = 8,
        **options: Any,
    ) -> None:
        if "api_key" in options:
            raise TypeError("Keys are not passed: put the key into an environment variable and name it in api_key_env.")
        super().__init__(**options)
        if not isinstance(model, str):
            raise TypeError(f"model must be the name of a model at the server; got {model!r}.")
        if not model.strip():
            raise ValueError(f"model={model!r} names no model; pass its name at the server, such as 'gpt-4.1-mini'.")
        if not timeout > 0:
            raise ValueError(f"timeout={timeout!r} must be a positive number of seconds.")
        for name, value, least in (("max_retries", max_retries, 0), ("n_jobs", n_jobs, 1)):
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name}={value!r} must be a whole number of at least {least}.")
        self._endpoint = Endpoint(model, base_url or OPENAI_URL, api_key_env, allow_http, timeout, max_retries)
        self._dialect = SharedDialect(Dialect.of_openai() if self._endpoint.is_openai else Dialect())
        self.model = model
        self.n_jobs = n_jobs
        self.is_remote = not self._endpoint.is_loopback

    def __repr__(self) -> str:
        return f"OpenAICompatibleChat({self.model!r}, base_url={self._endpoint.base_url!r})"

    def _external(self) -> list[str]:
        endpoint = self._endpoint
        key = f", with the key in the environment variable {endpoint.api_key_env!r}" if endpoint.api_key_env else ""
        return [f"send texts to base_url={endpoint.base_url!r}{key}", *super()._external()]

    @property
    def fingerprint(self) -> str:
        """The server and the model's name there; what the server makes of the name cannot be known."""
        return json.dumps(["openai", self._endpoint.base_url, self.model])

    def _answer(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        results = {i: result for batch in self._answers(conversations, settings) for i, result in batch.items()}
        return [results[i] for i in range(len(conversations))]

    def _answers(self, conversations: list[list[Message]], settings: ChatSettings) -> Iterator[dict[int, ChatResult]]:
        if not conversations:
            return
        with self._endpoint.connect() as connection:
            pool = ThreadPoolExecutor(min(self.n_jobs, len(conversations)))
            try:
                futures = {
                    pool.submit(_Exchange(self, connection, self._dialect, settings).answer, messages): i
                    for i, messages in enumerate(conversations)
                }
                for future in as_completed(futures):
                    yield {futures[future]: future.result()}
            finally:
                pool.shutdown(cancel_futures=True)


class _Exchange:
    """All requests for one conversation, and what they took."""

    def __init__(
        self, chat: OpenAICompatibleChat, connection: Connection, dialect: SharedDialect, settings: ChatSettings
    ) -> None:
        self.chat = chat
        self.connection = connection
        self.dialect = dialect
        self.settings = settings
        self.narrow: dict[str, Any] | None = None
        self.usage = Usage()

    def answer(self, messages: list[Message]) -> ChatResult:
        """The answer, after one repair at most; never raises for what a server does."""
        self.narrow = self.settings.schema_for(messages)
        try:
            result = self._request(messages)
            schema = self.settings.schema
            if schema is not None and result.error and result.finish_reason == "stop":
                repaired = self._request(with_repair(messages, result.text, result.error, schema))
                result = result if repaired.error else repaired
        except BudgetExhausted as error:
            result = ChatResult(error=str(error))
        except EndpointError as error:
            result = ChatResult(error=error.brief)
        except Exception as error:  # of the client library, over an unforeseen answer
            result = ChatResult(error=f"the request failed with {type(error).__name__}")
        return replace(result, usage=self.usage)

    def _request(self, messages: list[Message]) -> ChatResult:
        """One answer, in the dialect that the server takes."""
        start = dialect = self.dialect.current
        while True:
            body = dialect.body(self.chat.model, messages, self.settings, self.narrow)
            try:
                result = self.connection.call(partial(self._send, body))
            except RequestRejected as error:
                said = error.said if error.status in _REFUSED_FIELDS else None
                changed = None if said is None else dialect.after(said, self.settings, start, self.narrow)
                if changed is None:
                    raise
                dialect = changed
                continue
            misses = self.settings.schema is not None and result.error is not None and result.finish_reason == "stop"
            self.dialect.learn(start, replace(dialect, states_schema=True) if misses else dialect)
            return result

    def _send(self, body: dict[str, Any], client: Any) -> ChatResult:
        """One try."""
        import openai

        with self.chat.reservation(body["messages"], self.settings) as reservation:
            self.connection.start_clock()  # the reservation may have waited for others
            self.usage += Usage(n_calls=1)
            try:
                # As plain JSON: the client's own objects of ten thousand choices take seconds.
                response = client.post("/chat/completions", cast_to=object, body=body)
            except openai.APIError as error:
                is_status = isinstance(error, openai.APIStatusError)
                if is_status or type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout"):
                    reservation.settle(0)  # nothing was read or written
                if isinstance(error, openai.APIStatusError):
                    self._raise_refusal(error.status_code, str(error.message))
                raise
            usage = _usage(response)
            self.usage += usage
            reservation.settle(usage.n_tokens or None)
        return _result(response, self.settings, self.connection.redacted)

    def _raise_refusal(self, status: int, said: str) -> None:
        """Some servers answer 500 to what they do not take, and a retry would get the same.

        Of a system message, where the model's chat template raises; of a schema, where llama-cpp-python or a grammar
        does.
        """
        why = None
        if refuses_system(said):
            why = "takes no system message"
        elif status >= 500 and self.settings.schema is not None and refuses_format(said):
            why = "takes no such schema"
        if why is not None:
            raise RequestRejected(f"The model {why}.", f"the model {why}", 400, said) from None


def _result(response: Any, settings: ChatSettings, redacted: Callable[[str], str]) -> ChatResult:
    choices = _part(response, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message, reason = _part(choice, "message"), standard_reason(_part(choice, "finish_reason"))
    if _part(message, "refusal") or reason == "refusal":
        return ChatResult(finish_reason="refusal", error="the model refused to answer")
    text = _text_of(_part(message, "content"))
    if text is None or not (text.strip() or reason == "length"):
        raise BadResponse("an empty answer" if isinstance(message, dict) else "an answer without a choice")
    result = result_of(redacted(text), settings.schema, Usage(), reason)
    if reason == "length" and (result.error or not result.text):
        return replace(result, error=f"the answer was cut off at max_tokens={settings.max_tokens}")
    if not result.text:
        return replace(result, error="the answer contains thoughts alone")
    return result


def _part(value: Any, name: str) -> Any:
    """What a JSON object holds under a name; None if it is no object."""
    return value.get(name) if isinstance(value, dict) else None


def _text_of(content: Any) -> str | None:
    """The text of a message, which some servers give in parts; None if there is none."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else None
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") in _TEXT_PARTS]
    return "".join(text for text in texts if isinstance(text, str)) or None


def _usage(response: Any) -> Usage:
    counts = _part(response, "usage")
    details = _part(counts, "prompt_tokens_details")
    fields = ((counts, "prompt_tokens"), (counts, "completion_tokens"), (details, "cached_tokens"))
    numbers = [_part(part, name) for part, name in fields]
    read, written, cached = (n if isinstance(n, int) and n > 0 else 0 for n in numbers)
    return Usage(0, read, written, min(cached, read))
