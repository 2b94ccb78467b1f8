"""Bodies of requests: read with bounds, checked by the schema that documents them."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from skrec.serving._errors import ServiceError

_LONGEST_QUOTE = 200


def read_json(body: bytes, depth: int) -> Any:
    """The value of a JSON text of bounded nesting, with finite numbers and proper characters.

    Raises
    ------
    ServiceError
        400
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if body.count(b"[") + body.count(b"{") > depth:
            _check_depth(value, depth)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair cannot be answered
    except RecursionError:
        raise _too_deep(depth) from None
    except ValueError as error:
        raise ServiceError(400, "malformed", f"The body is not valid JSON in UTF-8: {error!s:.200}.") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _check_depth(value: Any, depth: int) -> None:
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise _too_deep(depth)


def _too_deep(depth: int) -> ServiceError:
    return ServiceError(400, "too_deep", f"The body is nested too deeply; at most {depth} levels are read.")


def check_body(value: Any, validator: Draft202012Validator) -> dict[str, Any]:
    """A body that matches its schema.

    Raises
    ------
    ServiceError
        422: what was passed, where, and what was expected there.
    """
    error = best_match(validator.iter_errors(value))
    if error is None:
        return dict(value)
    path = error.json_path.removeprefix("$").removeprefix(".") or "the body"
    expected = {str(error.validator): error.validator_value}
    got = _quote(error.instance)
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        message = f"{path} has a field that is not known; the fields are {known}. Got {got}."
        expected = {"properties": known}
    elif error.validator == "required":
        message = f"{path} lacks a field: {error.message[:_LONGEST_QUOTE]}. Got {got}."
    else:
        message = f"{path} must be {_phrase(error.validator, error.validator_value, error.schema)}; got {got}."
    if len(str(expected)) > 500:
        expected = {}
    raise ServiceError(422, "invalid", message, path=path, got=got, expected=expected)


def _phrase(keyword: str, value: Any, schema: Any) -> str:
    match keyword:
        case "type":
            return "of type " + (" or ".join(value) if isinstance(value, list) else str(value))
        case "minimum":
            return f"at least {value}"
        case "maximum":
            return f"at most {value}"
        case "minItems" | "minLength" | "minProperties":
            return f"of length {value} or more"
        case "maxItems" | "maxLength" | "maxProperties":
            return f"of length {value} at most"
        case "enum":
            return f"one of {value}"
    options = [str(one.get("type", one.get("description", ""))) for one in schema.get(keyword, []) if one]
    return f"one of: {', '.join(filter(None, options))}" if options else f"what {keyword} {value!r:.100} allows"


def _quote(value: Any) -> str:
    if isinstance(value, list | dict) and len(value) > 20:
        return f"{'a list' if isinstance(value, list) else 'an object'} of length {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def write_json(value: Any) -> bytes:
    """The body of an answer."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
