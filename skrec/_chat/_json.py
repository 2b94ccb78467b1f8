"""JSON out of what a language model wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np

from skrec._chat._schema import fits, without_minimum
from skrec._chat._thoughts import without_thoughts

_FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)```", re.DOTALL)
_MOST_TRIES = 200  # at what looks like the start of a value and is none; bounds the time
_SIGNS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)


def parse_json(answer: Any, schema: dict[str, Any] | None) -> tuple[str, Any, str | None]:
    """Text, value and error of an answer: the first JSON value in it that fits the schema.

    Fences, thoughts and chatter around the value are ignored. Without a schema nothing is parsed.

    Raises
    ------
    TypeError, ValueError, RecursionError
        If the answer is not text, and JSON cannot hold it.
    """
    text = without_thoughts(answer) if isinstance(answer, str) else write_json(answer)
    if schema is None:
        return text, None, None
    problem = "no JSON value"
    for value in _values(text):
        misfit = fits(value, schema)
        if misfit is None:
            return text, value, None
        problem = misfit
    return text, None, f"the answer does not fit the schema: {problem}"


def parse_beginning(text: str, schema: dict[str, Any]) -> Any:
    """The readable beginning of a JSON value that was cut off, if it fits the schema as far as it goes; else None.

    Examples
    --------
    >>> from skrec._chat._json import parse_beginning
    >>> parse_beginning('{"order": ["a", "b", "c', {"type": "object"})
    {'order': ['a', 'b']}
    """
    start = _next_start(text, 0)
    if start is None:
        return None
    least = without_minimum(schema)
    for beginning in _closed(text[start:]):
        try:
            value = _decoder.decode(beginning)
        except (ValueError, RecursionError):
            continue
        if fits(value, least) is None:
            return value
    return None


def write_json(value: Any) -> str:
    """JSON of a value, NumPy's numbers and arrays and sets included.

    Raises
    ------
    TypeError, ValueError, RecursionError
        If the value holds what JSON does not, holds itself, or is nested too deeply.
    """
    return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    raise TypeError(f"JSON has no {type(value).__name__}")


def _values(text: str) -> Iterator[Any]:
    n_failed = 0
    for part in [*_FENCE.findall(text), text]:
        at = 0
        while n_failed < _MOST_TRIES and (start := _next_start(part, at)) is not None:
            try:
                value, at = _decoder.raw_decode(part, start)
                yield value
            except (ValueError, RecursionError):
                at, n_failed = start + 1, n_failed + 1


def _next_start(text: str, at: int) -> int | None:
    found = [position for mark in "{[" if (position := text.find(mark, at)) >= 0]
    return min(found) if found else None


def _closed(text: str) -> Iterator[str]:
    """What remains of a cut-off value up to each of its last commas, with all that is open closed; longest first."""
    stack: list[str] = []
    cuts: list[tuple[int, str]] = []  # where an entry ends, and what closes the value there
    for sign in _SIGNS.finditer(text):
        mark = sign[0]
        if mark in "{[":
            stack.append("}" if mark == "{" else "]")
            cuts.append((sign.end(), "".join(reversed(stack))))
        elif mark == ",":
            cuts.append((sign.start(), "".join(reversed(stack))))
        elif mark in "}]":
            if not stack:
                break
            stack.pop()
            cuts.append((sign.end(), "".join(reversed(stack))))
        if len(stack) > _MOST_TRIES:
            return
    for end, closing in reversed(cuts[-_MOST_TRIES:]):
        yield text[:end] + closing


def _finite(number: str) -> float:
    value = float(number)
    if not isfinite(value):
        raise ValueError("a number beyond the range of floats")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
