"""JSON schemas of what is asked and answered: they check requests and document them, so that neither drifts."""

from __future__ import annotations

from typing import Any

from skrec._explain import LANGUAGES
from skrec.serving._limits import ServiceLimits

Schema = dict[str, Any]

ID: Schema = {
    "description": "An id: text or a number, as in fit.",
    "type": ["string", "number"],
    "minLength": 1,
    "maxLength": 512,
    "minimum": -(2**63),
    "maximum": 2**63 - 1,
}
LANGUAGE: Schema = {"enum": list(LANGUAGES), "description": "Of reasons that no language model wrote; default: en."}
TITLE: Schema = {"type": ["string", "null"]}
CELL: Schema = {"type": ["string", "number", "boolean"], "maxLength": 512, "minimum": -1e300, "maximum": 1e300}


def array_of(items: Schema, most: int, least: int = 0, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most, **more}


def closed(properties: dict[str, Schema], required: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object with no other fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def answer(properties: dict[str, Schema]) -> Schema:
    """An answer: what it says, and the model and version that says so."""
    named = {"model": {"type": "string"}, "version": {"type": "string", "description": "Of the model."}, **properties}
    return {"type": "object", "properties": named, "required": list(named)}


def one_or_more(one: Schema, most: int, what: str) -> Schema:
    """One value for all, or a list."""
    return {"description": what, "anyOf": [one, array_of(one, most, 1)]}


def k(limits: ServiceLimits) -> Schema:
    """Length of a list."""
    return {"type": "integer", "minimum": 1, "maximum": limits.k, "default": min(10, limits.k)}


def text(limits: ServiceLimits) -> Schema:
    """Free text of a user."""
    return {"type": "string", "minLength": 1, "maxLength": limits.text_length}


def context(limits: ServiceLimits) -> Schema:
    """One row for all, or one per query; by name, or in the order of fit."""
    named = {"type": "object", "additionalProperties": CELL, "maxProperties": 100}
    row = array_of(CELL, 100, 1)
    rows = {"anyOf": [named, row]}
    return {
        "description": "Context columns, by name or in the order of fit: one row for all, or a list of one per user.",
        "anyOf": [named, row, array_of(rows, limits.queries, 1)],
    }


def candidates(limits: ServiceLimits) -> Schema:
    """Eligible items."""
    return array_of(ID, limits.candidates, 1, description="The eligible items; unknown ids are skipped.")


EVENT: Schema = closed(
    {"user": ID, "item": ID, "value": {"type": "number", "minimum": -1e6, "maximum": 1e6}}, ("user", "item")
)


def events(limits: ServiceLimits, what: str) -> Schema:
    """Events in the order of time."""
    return array_of(EVENT, limits.history, 0, description=what)


LISTED: Schema = {
    "type": "object",
    "properties": {
        "item": ID,
        "title": TITLE,
        "score": {"type": ["number", "null"]},
        "reason": {"type": "string", "description": "Where reasons were asked for."},
    },
    "required": ["item", "title", "score"],
}


def lists_of(query: str, more: dict[str, Schema] | None = None) -> Schema:
    """One list per query."""
    properties = {query: ID, "items": {"type": "array", "items": LISTED}, **(more or {})}
    note = {"type": "string", "description": "Why a list is shorter than k."}
    one = {"type": "object", "properties": {**properties, "note": note}, "required": list(properties)}
    return answer({"lists": {"type": "array", "items": one}})


ERROR: Schema = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "version": {"type": "string"},
        "error": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        },
    },
    "required": ["model", "version", "error"],
}
