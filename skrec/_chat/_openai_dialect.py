"""The dialect of a server of OpenAI's protocol: learnt from its refusals, and remembered."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import Any

from skrec._chat._messages import Message, fold_system
from skrec._chat._results import ChatSettings
from skrec._chat._schema_prompt import with_schema

_learning = threading.Lock()  # one for all, so that no pickle contains a lock
_LEVELS = ("json_schema", "json_object", "prompt")
_LENGTHS = ("max_tokens", "max_completion_tokens")
_UNKNOWN = re.compile(r"support|recogni[sz]ed|unknown|extra|permitted|allowed|unexpected|instead|deprecated")

_NO_SYSTEM = re.compile(
    r"system\W+(role|message|prompt|instruction)s?\b[^.]*\b(not|unsupported|only)\b|roles must alternate"
    r"|\b(role|message|prompt|instruction|value)s?\b[^.]*\b(unsupported|invalid|not support\w*)\W+system\b"
    r"|\b(unsupported|invalid|not support\w*)\W+system\W+(role|message|prompt|instruction)"
)
# What OpenAI's strict mode takes in a schema; a length of a text, for one, it refuses.
_STRICT_KEYWORDS = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "pattern",
        "format",
        "title",
        "description",
    }
)


@dataclass(frozen=True)
class Dialect:
    """How to write a request to one server.

    Attributes
    ----------
    length : str
        The field that limits the answer.
    level : int
        How a schema is sent: as a JSON schema, as any JSON object, or in the prompt alone.
    states_schema : bool
        Whether the prompt states the schema although the server accepts it: its answers do not fit it.
    without : frozenset of str
        Fields that the server refuses.
    folds_system : bool
        Whether system messages go into the message of the user: the model takes none.
    """

    length: str = "max_tokens"
    level: int = 0
    states_schema: bool = False
    without: frozenset[str] = frozenset()
    folds_system: bool = False

    def body(self, model: str, messages: list[Message], settings: ChatSettings) -> dict[str, Any]:
        """The request."""
        fields: dict[str, Any] = {"temperature": settings.temperature, "seed": settings.seed}
        fields = {name: value for name, value in fields.items() if value is not None and name not in self.without}
        fields[self.length] = settings.max_tokens
        if settings.schema is not None:
            if self.level > 0 or self.states_schema:
                messages = with_schema(messages, settings.schema)
            if self.level == 0:
                schema = {"name": "answer", "schema": settings.schema, "strict": _is_strict(settings.schema)}
                fields["response_format"] = {"type": "json_schema", "json_schema": schema}
            elif self.level == 1:
                fields["response_format"] = {"type": "json_object"}
        return {"model": model, "messages": fold_system(messages) if self.folds_system else messages, **fields}

    def after(self, said: str, settings: ChatSettings, start: Dialect) -> Dialect | None:
        """What to try next, by the words of a refusal; None if nothing is left.

        Parameters
        ----------
        said : str
        settings : ChatSettings
        start : Dialect
            What this request began with.
        """
        said = said.lower()
        if refuses_system(said) and not self.folds_system:
            return replace(self, folds_system=True)
        for name in ("temperature", "seed"):
            if name in said and name not in self.without and getattr(settings, name) is not None:
                return replace(self, without=self.without | {name})
        if self.length in said and self.length == start.length and _UNKNOWN.search(said):
            return replace(self, length=_LENGTHS[1 - _LENGTHS.index(self.length)])
        if settings.schema is not None and self.level < 2 and "context length" not in said:
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


def _is_strict(schema: dict[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes it: every object closed, with all its properties required."""
    properties = schema.get("properties", {})
    if set(schema) - _STRICT_KEYWORDS:
        return False
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False or set(schema.get("required", [])) != set(properties)
    ):
        return False
    inner = [*properties.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])]
    inner += [schema["items"]] if "items" in schema else []
    return all(isinstance(part, dict) and _is_strict(part) for part in inner)
