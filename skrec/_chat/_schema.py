"""JSON schemas: checked before a request is sent, and answers checked against them. Uses ``jsonschema``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

TOO_LONG = " is too long"
_RANGES = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_NOT_SCHEMAS = frozenset({"enum", "const", "default", "examples"})
_LEAST = frozenset({"minItems", "minLength", "minProperties", "minContains", "contains", "uniqueItems", "pattern"})


def check_schema(schema: dict[str, Any]) -> None:
    """Refuse what is not a JSON schema, or refers to what it does not contain.

    Raises
    ------
    ValueError
        If it is not a valid schema, is not JSON, or has a ``$ref`` out of itself: nothing is fetched.
    """
    try:
        validator = _validator(json.dumps(schema, sort_keys=True))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"schema is not JSON: {error}.") from None
    from jsonschema.exceptions import SchemaError
    from referencing import exceptions

    try:
        type(validator).check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "its top level"
        raise ValueError(f"schema is not a valid JSON schema, at {where}: {error.message}.") from None
    resolver = _resolver(schema)
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except (exceptions.Unresolvable, exceptions.NoSuchResource, ValueError):
            raise ValueError(
                f"schema refers to {reference!r}, which it does not contain; nothing is fetched. Put the definition "
                "into '$defs' and write '#/$defs/NAME'."
            ) from None


def fits(value: Any, schema: dict[str, Any]) -> str | None:
    """Why a value does not fit a JSON schema, in words without any text of the value; None if it fits."""
    try:
        error = next(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value), None)
    except RecursionError:
        return "the value is nested too deeply"
    return None if error is None else _why(error)


def without_minimum(schema: Any) -> Any:
    """The schema as the beginning of a value has to fit it: no list has to be complete."""
    if isinstance(schema, dict):
        return {
            name: part if name in _NOT_SCHEMAS else without_minimum(part)
            for name, part in schema.items()
            if name not in _LEAST
        }
    return [without_minimum(part) for part in schema] if isinstance(schema, list) else schema


@lru_cache(maxsize=128)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing import Registry

    read = json.loads(schema)
    # The default registry fetches what a $ref names; an empty one does not.
    return validator_for(read, default=Draft202012Validator)(read, registry=Registry())


def _resolver(schema: dict[str, Any]) -> Any:
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    return Registry().with_resource("", resource).resolver_with_root(resource)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)
    elif isinstance(schema, dict):
        for name, part in schema.items():
            if name in ("$ref", "$dynamicRef") and isinstance(part, str):
                yield part
            elif name not in _NOT_SCHEMAS:
                yield from _references(part)


def _why(error: Any) -> str:
    """The first misfit. The message of jsonschema repeats the value, which may be the text of a user."""
    where, kind, wanted = _where(error), error.validator, error.validator_value
    if kind == "type":
        return f"{where} is no {' or '.join([wanted] if isinstance(wanted, str) else wanted)}"
    if kind in ("enum", "const"):
        return f"{where} is none of the values allowed"
    if kind == "required":
        return f"{where} lacks {next(name for name in wanted if name not in error.instance)!r}"
    if kind == "additionalProperties":
        return f"{where} has a name that is not in the schema"
    if kind in _RANGES:
        return f"{where} is out of range"
    if kind in ("minItems", "maxItems", "minLength", "maxLength"):
        return f"{where}{' is too short' if kind.startswith('min') else TOO_LONG}"
    return f"{where} does not fit {kind!r}"


def _where(error: Any) -> str:
    """Where a misfit is, in names of the schema alone."""
    where, in_schema = "the value", list(error.absolute_schema_path)
    for part in error.absolute_path:
        name = part if part in in_schema else "a value"
        where = f"an entry of {where}" if isinstance(part, int) else name
    return where
