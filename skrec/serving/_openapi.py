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
    "404": "An item is unknown, and the error lists near ones; or the model cannot do this.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "A field is not what was expected; the error says what was passed and expected.",
    "429": "The client asks too often.",
    "503": "Too many calls wait, or the time is over; ask again after Retry-After seconds.",
}


def openapi(
    endpoints: Sequence[Endpoint], models: Sequence[ServedModel], *, with_key: bool, users: bool
) -> dict[str, Any]:
    """The document for what these models can do.

    Parameters
    ----------
    endpoints : sequence of Endpoint
    models : sequence of ServedModel
    with_key : bool
        Whether requests need an API key.
    users : bool
        Whether users are listed.
    """
    able = [one for one in endpoints if any(model.can(one.method) for model in models)]
    paths: dict[str, Any] = {one.path: {"post": _operation(one, with_key)} for one in able}
    paths |= _plain_paths([model.name for model in models], with_key, users)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"skrec: {', '.join(model.name for model in models)}", "version": skrec.__version__},
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


def _plain_paths(names: list[str], with_key: bool, users: bool) -> dict[str, Any]:
    health = answer({"status": {"type": "string"}, "can": {"type": "array"}, "models": {"type": "array"}})
    entry = {"type": "object", "properties": {"item": ID, "title": TITLE}, "required": ["item", "title"]}
    paths = {
        "/health": {"get": {"summary": "Whether it runs, and what", "responses": _responses(health, {})}},
        "/catalogue": _listing("Items by a part of their title or id", "items", entry, names, with_key),
    }
    if users:
        paths["/users"] = _listing("Users by the beginning of their id", "users", ID, names, with_key)
    return paths


def _listing(summary: str, field: str, entry: Schema, names: list[str], with_key: bool) -> dict[str, Any]:
    """A path that gives a list in pages."""
    found = answer({"total": {"type": "integer"}, field: {"type": "array", "items": entry}})
    queries = [
        ("model", {"enum": names}),
        ("q", {"type": "string", "maxLength": 200}),
        ("offset", {"type": "integer", "minimum": 0, "maximum": 10**9}),
        ("limit", {"type": "integer", "minimum": 1, "maximum": 100}),
    ]
    parameters = [{"name": name, "in": "query", "schema": schema} for name, schema in queries]
    few = {status: _ERRORS[status] for status in ("401", "422", "429", "503")}
    responses = _responses(found, few)
    return {"get": {"summary": summary, "parameters": parameters, "responses": responses, **_security(with_key)}}


def _responses(response: Schema, errors: dict[str, str]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    found: dict[str, Any] = {"200": {"description": "OK", "content": {"application/json": {"schema": response}}}}
    return found | {status: {"description": text, "content": error} for status, text in errors.items()}


def _security(with_key: bool) -> dict[str, Any]:
    return {"security": [{"bearer": []}]} if with_key else {}
