"""JSON schemas: checked before a request is sent, and answers checked against them. Uses ``jsonschema``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

TOO_LONG = " is too long"
_RANGES = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_NOT_SCHEMAS = frozenset({"enum", "const", "default", "examples"})
# What OpenAI's strict mode takes in a schema.
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
_NAMED_PARTS = frozenset({"properties", "$defs"})
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


def closed_object(**properties: dict[str, Any]) -> dict[str, Any]:
    """Schema of an object with these properties, each of them required, and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def list_of(entry: dict[str, Any], most: int, *, least: int = 0) -> dict[str, Any]:
    """Schema of a list of ``least`` to ``most`` entries.

    There is no ``uniqueItems``: few servers know it, and the readers of lists skip what is repeated.
    """
    return {"type": "array", "items": entry, "minItems": least, "maxItems": most}


def names_of(tokens: Sequence[str], most: int, *, least: int = 0) -> dict[str, Any]:
    """Schema of a list of tokens; an empty one where there are none."""
    if not tokens:
        return list_of({"type": "string", "maxLength": 0}, 0)
    return list_of({"type": "string", "enum": list(tokens)}, most, least=least)


def keywords_in(schema: Any) -> set[str]:
    """All keywords of a schema, and the names of its properties."""
    if isinstance(schema, dict):
        return set(schema).union(*map(keywords_in, schema.values()))
    return set().union(*map(keywords_in, schema)) if isinstance(schema, list) else set()


def without_keywords(schema: Any, keywords: frozenset[str]) -> Any:
    """The schema without some keywords; a property may have the name of one."""
    if isinstance(schema, list):
        return [without_keywords(part, keywords) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for name, part in schema.items():
        if name in _NAMED_PARTS and isinstance(part, dict):
            kept[name] = {key: without_keywords(inner, keywords) for key, inner in part.items()}
        elif name not in keywords:
            kept[name] = part if name in _NOT_SCHEMAS else without_keywords(part, keywords)
    return kept


def shared_form(narrow: Any, schema: Any) -> Any:
    """A narrower schema without the enumerations that ``schema`` lacks, which differ from prompt to prompt."""
    if not isinstance(narrow, dict):
        return narrow
    wide = schema if isinstance(schema, dict) else {}
    return {name: shared_form(part, wide.get(name)) for name, part in narrow.items() if name != "enum" or name in wide}


def is_strict(schema: dict[str, Any]) -> bool:
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
    return all(isinstance(part, dict) and is_strict(part) for part in inner)


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
