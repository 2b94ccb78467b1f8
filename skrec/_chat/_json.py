"""JSON out of what a language model wrote."""

import json
import re
from typing import Any

_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)```", re.DOTALL)
_MOST_TRIES = 200  # at what looks like the start of a value and is none; bounds the time
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def without_thoughts(text: str) -> str:
    """The text without blocks of thought, closed or cut off; some servers leave out the first mark."""
    return _THOUGHT.sub("", text).rpartition("</think>")[2].strip()


def parse_json(answer: Any, schema: dict[str, Any] | None) -> tuple[str, Any, str | None]:
    """Text, value and error of an answer: the first JSON value in it that fits the schema.

    Fences, thoughts and chatter around the value are passed over. Without a schema nothing is parsed.
    """
    text = without_thoughts(answer) if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    if schema is None:
        return text, None, None
    problem = "no JSON value"
    for value in _values(text):
        misfit = fits(value, schema)
        if misfit is None:
            return text, value, None
        problem = misfit
    return text, None, f"the answer does not fit the schema: {problem}"


def _values(text: str) -> Any:
    decoder, n_failed = json.JSONDecoder(), 0
    for part in [*_FENCE.findall(text), text]:
        at = 0
        while n_failed < _MOST_TRIES and (start := _next_start(part, at)) is not None:
            try:
                value, at = decoder.raw_decode(part, start)
                yield value
            except (json.JSONDecodeError, RecursionError):
                at, n_failed = start + 1, n_failed + 1


def _next_start(text: str, at: int) -> int | None:
    found = [position for mark in "{[" if (position := text.find(mark, at)) >= 0]
    return min(found) if found else None


def fits(value: Any, schema: dict[str, Any], where: str = "the value") -> str | None:
    """Why a value does not fit a JSON schema, or None if it does.

    Knows ``type``, ``enum``, ``properties``, ``required``, ``additionalProperties: false``, ``items``,
    ``minimum`` and ``maximum``: what the schemas of this library use.
    """
    kind = schema.get("type")
    if kind is not None:
        is_bool = isinstance(value, bool) and kind in ("integer", "number")
        if not isinstance(value, _TYPES[kind]) or is_bool:
            return f"{where} is no {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of the values allowed"
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{where} is out of range"
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        if missing := [name for name in schema.get("required", []) if name not in value]:
            return f"{where} lacks {missing[0]!r}"
        if schema.get("additionalProperties") is False and set(value) - set(properties):
            return f"{where} has a name that is not in the schema"
        misfits = (fits(value[name], part, name) for name, part in properties.items() if name in value)
        return next((misfit for misfit in misfits if misfit), None)
    if isinstance(value, list) and "items" in schema:
        return next((m for m in (fits(one, schema["items"], f"an entry of {where}") for one in value) if m), None)
    return None
