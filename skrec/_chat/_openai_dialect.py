"""The dialect of a server of OpenAI's protocol: learnt from its refusals, and remembered."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import Any

from skrec._chat._messages import Message, fold_system
from skrec._chat._results import ChatSettings
from skrec._chat._schema import is_strict, keywords_in, shared_form, without_keywords
from skrec._chat._schema_prompt import with_schema

_learning = threading.Lock()  # one for all, so that no pickle contains a lock
_LEVELS = ("json_schema", "json_object with a schema", "json_object", "prompt")
_LENGTHS = ("max_tokens", "max_completion_tokens")
_UNKNOWN = re.compile(r"support|recogni[sz]ed|unknown|extra|permitted|allowed|unexpected|instead|deprecated")

_NO_SYSTEM = re.compile(
    r"system\W+(role|message|prompt|instruction)s?\b[^.]*\b(not|unsupported|only)\b|roles must alternate"
    r"|\b(role|message|prompt|instruction|value)s?\b[^.]*\b(unsupported|invalid|not support\w*)\W+system\b"
    r"|\b(unsupported|invalid|not support\w*)\W+system\W+(role|message|prompt|instruction)"
)
_NO_FORMAT = re.compile(r"response_format|json_?schema|\bgrammar\b")
CHECKED_HERE = frozenset({"minLength", "maxLength", "uniqueItems"})
"""Keywords of a schema that OpenAI's strict mode does not take. Answers are checked against them here."""
_DROPPED = CHECKED_HERE | {"minItems", "maxItems", "minimum", "maximum", "pattern", "enum"}  # where a server says so


@dataclass(frozen=True)
class Dialect:
    """How to write a request to one server.

    Attributes
    ----------
    length : str
        The field that limits the answer.
    level : int
        How a schema is sent: as a JSON schema, as the schema of a JSON object (llama-cpp-python and others), as any
        JSON object, or in the prompt alone.
    states_schema : bool
        Whether the prompt states the schema although the server accepts it: its answers do not fit it.
    without : frozenset of str
        Fields that the server refuses.
    folds_system : bool
        Whether system messages go into the message of the user: the model takes none.
    unsent : frozenset of str
        Keywords of schemas that are not sent: the server refuses them.
    compiles_schemas : bool
        Whether the server takes seconds for each new schema, as OpenAI's does. What differs from prompt to prompt
        alone, the names of candidates, is then not sent.
    """

    length: str = "max_tokens"
    level: int = 0
    states_schema: bool = False
    without: frozenset[str] = frozenset()
    folds_system: bool = False
    unsent: frozenset[str] = frozenset()
    compiles_schemas: bool = False

    @classmethod
    def of_openai(cls) -> Dialect:
        """That of OpenAI's own server."""
        return cls("max_completion_tokens", unsent=CHECKED_HERE, compiles_schemas=True)

    def body(
        self, model: str, messages: list[Message], settings: ChatSettings, narrow: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The request; ``narrow`` is the schema that constrains this answer, by default that of ``settings``."""
        fields: dict[str, Any] = {"temperature": settings.temperature, "seed": settings.seed}
        fields = {name: value for name, value in fields.items() if value is not None and name not in self.without}
        fields[self.length] = settings.max_tokens
        if settings.schema is not None:
            if self.level > 0 or self.states_schema:
                messages = with_schema(messages, settings.schema)
            if self.level < 3:
                fields["response_format"] = self._format(narrow or settings.schema, settings.schema)
        return {"model": model, "messages": fold_system(messages) if self.folds_system else messages, **fields}

    def _format(self, narrow: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        if self.level == 2:
            return {"type": "json_object"}
        sent = shared_form(narrow, schema) if self.compiles_schemas else narrow
        sent = without_keywords(sent, self.unsent)
        if self.level == 1:
            return {"type": "json_object", "schema": sent}
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": sent, "strict": is_strict(sent)}}

    def after(
        self, said: str, settings: ChatSettings, start: Dialect, narrow: dict[str, Any] | None = None
    ) -> Dialect | None:
        """What to try next, by the words of a refusal; None if nothing is left.

        Parameters
        ----------
        said : str
        settings : ChatSettings
        start : Dialect
            What this request began with.
        narrow : dict or None
            The schema that constrained the answer, where it is not that of ``settings``.
        """
        said = said.lower()
        if refuses_system(said) and not self.folds_system:
            return replace(self, folds_system=True)
        for name in ("temperature", "seed"):
            if name in said and name not in self.without and getattr(settings, name) is not None:
                return replace(self, without=self.without | {name})
        if self.length in said and self.length == start.length and _UNKNOWN.search(said):
            return replace(self, length=_LENGTHS[1 - _LENGTHS.index(self.length)])
        if settings.schema is None:
            return None
        words = {word for word in _DROPPED - self.unsent if re.search(rf"\b{word.lower()}\b", said)}
        if self.level < 2 and (named := words & keywords_in(narrow or settings.schema)):
            return replace(self, unsent=self.unsent | named)
        if self.level < 3 and "context length" not in said:
            return replace(self, level=self.level + 1)
        return None

    def learnt(self, start: Dialect, found: Dialect) -> Dialect:
        """This, with what a request found out that began with ``start``."""
        return Dialect(
            length=found.length if found.length != start.length else self.length,
            level=max(self.level, found.level),
            states_schema=self.states_schema or found.states_schema,
            without=self.without | found.without,
            folds_system=self.folds_system or found.folds_system,
            unsent=self.unsent | found.unsent,
            compiles_schemas=self.compiles_schemas,
        )


class SharedDialect:
    """The dialect of a server, which all threads of a client learn together."""

    def __init__(self, current: Dialect) -> None:
        self.current = current

    def learn(self, start: Dialect, found: Dialect) -> None:
        """Take over what a request found out that began with ``start``."""
        if found != start:
            with _learning:
                self.current = self.current.learnt(start, found)


def refuses_system(said: str) -> bool:
    """Whether the words of a refusal say that the model takes no system message."""
    return _NO_SYSTEM.search(said.lower()) is not None


def refuses_format(said: str) -> bool:
    """Whether the words of a refusal say that the server cannot constrain an answer in this way."""
    return _NO_FORMAT.search(said.lower()) is not None
