"""The OpenAPI document: written from the table of endpoints and the schemas that check requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import skrec
from skrec.serving._endpoints import Endpoint
from skrec.serving._model import ServedModel
from skrec.serving._schemas import ERROR, ID, TITLE, Schema, answer

_ERRORS = {
    "400": "The body is malformed.",
    "401": "The API key is missing or wrong.",
    "404": "An item is unknown; the error lists near ones.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "A field is not what was expected; the error says what was passed and expected.",
    "429": "The client asks too often.",
    "503": "Too many calls wait, or the time is over; ask again after Retry-After seconds.",
}


def openapi(endpoints: Sequence[Endpoint], model: ServedModel, *, with_key: bool) -> dict[str, Any]:
    """The document for what this model can do.

    Parameters
    ----------
    endpoints : sequence of Endpoint
    model : ServedModel
    with_key : bool
        Whether requests need an API key.
    """
    paths: dict[str, Any] = {
        one.path: {"post": _operation(one, with_key)} for one in endpoints if model.can(one.method)
    }
    paths |= _plain_paths(with_key)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"skrec: {model.name}", "version": skrec.__version__},
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}},
    }
    if with_key:
        schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["components"]["securitySchemes"] = schemes
    return document


def _operation(endpoint: Endpoint, with_key: bool) -> dict[str, Any]:
    content = {"application/json": {"schema": endpoint.request, "example": endpoint.example}}
    return {
        "summary": endpoint.summary,
        "operationId": endpoint.path.strip("/"),
        "requestBody": {"required": True, "content": content},
        "responses": _responses(endpoint.response, _ERRORS),
        **_security(with_key),
    }


def _plain_paths(with_key: bool) -> dict[str, Any]:
    health = answer({"status": {"type": "string"}, "model": {"type": "string"}, "can": {"type": "array"}})
    entry = {"type": "object", "properties": {"item": ID, "title": TITLE}, "required": ["item", "title"]}
    found = answer({"total": {"type": "integer"}, "items": {"type": "array", "items": entry}})
    queries = [
        ("q", {"type": "string", "maxLength": 200}),
        ("offset", {"type": "integer", "minimum": 0, "maximum": 10**9}),
        ("limit", {"type": "integer", "minimum": 1, "maximum": 100}),
    ]
    parameters = [{"name": name, "in": "query", "schema": schema} for name, schema in queries]
    few = {status: _ERRORS[status] for status in ("401", "422", "429", "503")}
    return {
        "/health": {"get": {"summary": "Whether it runs, and what", "responses": _responses(health, {})}},
        "/catalogue": {
            "get": {
                "summary": "Items by a part of their title or id",
                "parameters": parameters,
                "responses": _responses(found, few),
                **_security(with_key),
            }
        },
    }


def _responses(response: Schema, errors: dict[str, str]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    found: dict[str, Any] = {"200": {"description": "OK", "content": {"application/json": {"schema": response}}}}
    return found | {status: {"description": text, "content": error} for status, text in errors.items()}


def _security(with_key: bool) -> dict[str, Any]:
    return {"security": [{"bearer": []}]} if with_key else {}
