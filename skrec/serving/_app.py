"""The ASGI application: routes, and answers with the version of the model."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from os import PathLike
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from skrec.serving._endpoints import Endpoint
from skrec.serving._errors import ServiceError
from skrec.serving._guard import SecureHeaders, check_key, read_body
from skrec.serving._json import check_body, read_json, write_json
from skrec.serving._model import ServedModel
from skrec.serving._openapi import openapi
from skrec.serving._service import Service

_logger = logging.getLogger("skrec.serving")
_VERSION_HEADER = "X-Model-Version"
_STATUS_TEXTS = {
    404: ("not_found", "There is no such path; /openapi.json lists them."),
    405: ("method", "The path has other methods."),
}

Handler = Callable[[Request], Awaitable[Response]]


def build_app(
    service: Service,
    *,
    cors_origins: Sequence[str] = (),
    allowed_hosts: Sequence[str] = (),
    static: str | PathLike[str] | None = None,
) -> Starlette:
    """Routes over a service; ``static`` is a folder of files under ``/``."""
    routes: list[Any] = [Route(one.path, _posted(service, one), methods=["POST"]) for one in service.endpoints]
    for path, run in ({**_GETS, "/users": _users} if service.user_list else _GETS).items():
        routes.append(Route(path, _guarded(service, path, run), methods=["GET"]))
    paths = {route.path for route in routes}
    if static is not None:
        routes.append(Mount("/", StaticFiles(directory=static, html=True)))
    middleware = [Middleware(SecureHeaders)]
    if allowed_hosts:
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts), www_redirect=False))
    if cors_origins:
        headers = ["Authorization", "Content-Type", "X-API-Key"]
        options: dict[str, Any] = {"allow_origins": list(cors_origins), "allow_methods": ["GET", "POST"]}
        exposed = [_VERSION_HEADER, "Retry-After"]
        middleware.append(Middleware(CORSMiddleware, **options, allow_headers=headers, expose_headers=exposed))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        try:
            yield
        finally:
            await service.stop()

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status, code, text = error.status_code, "http", error.detail
        if status == 405 and request.url.path not in paths:  # said by the files under /, which answer for every path
            status = 404
        if status in _STATUS_TEXTS:
            code, text = _STATUS_TEXTS[status]
        return _error(service, ServiceError(status, code, text, headers=error.headers))

    app = Starlette(
        routes=routes, middleware=middleware, lifespan=lifespan, exception_handlers={HTTPException: refused}
    )
    app.state.service = service
    return app


def _posted(service: Service, endpoint: Endpoint) -> Handler:
    async def run(service: Service, request: Request) -> Response:
        body = check_body(read_json(await read_body(request, service.limits), service.limits.depth), endpoint.validator)
        return _json(await service.answer(endpoint, body))

    return _guarded(service, endpoint.path, run)


def _guarded(service: Service, path: str, run: Callable[[Service, Request], Awaitable[Response]]) -> Handler:
    """A handler that counts, that checks client and key, and whose every error is JSON."""

    async def handle(request: Request) -> Response:
        started = time.perf_counter()
        try:
            if path != "/health":
                service.rate.check(request.client.host if request.client else "")
                check_key(request, service.key)
            response = await run(service, request)
        except ServiceError as error:
            response = _error(service, error)
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception:
            _logger.exception("a fault in %s", path)
            message = "A fault of the service; the operator's log has the details."
            response = _error(service, ServiceError(500, "fault", message))
        service.metrics.requests.labels(path, str(response.status_code)).inc()
        service.metrics.seconds.labels(path).observe(time.perf_counter() - started)
        return response

    return handle


def _json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    named = {_VERSION_HEADER: value["version"], **(headers or {})}
    return Response(write_json(value), status, named, media_type="application/json")


def _error(service: Service, error: ServiceError) -> Response:
    named = service.model().named if error.answered_by is None else error.answered_by
    return _json({**named, **error.to_dict()}, error.status, error.headers)


async def _health(service: Service, request: Request) -> Response:
    states = [_state(service, model) for model in service.models]
    return _json({**states[0], "status": "ok", "models": states, "user_list": service.user_list})


def _state(service: Service, model: ServedModel) -> dict[str, Any]:
    can = [one.path.strip("/") for one in service.endpoints if model.can(one.method)]
    state: dict[str, Any] = {**model.named, "recommender": model.kind, "can": can, "items": len(model.catalogue)}
    return state | {"context_columns": model.context_columns, "numeric_users": model.numeric_users}


async def _metrics(service: Service, request: Request) -> Response:
    service.metrics.pending.set(service.pool.n_pending)
    for model in service.models:
        service.metrics.model.labels(model.name).info({"recommender": model.kind, "version": model.version})
    named = {_VERSION_HEADER: service.model().version}
    return Response(service.metrics.text(), 200, named, media_type="text/plain; version=0.0.4")


async def _openapi(service: Service, request: Request) -> Response:
    document = openapi(service.endpoints, service.models, with_key=service.key is not None, users=service.user_list)
    named = {_VERSION_HEADER: service.model().version}
    return Response(write_json(document), 200, named, media_type="application/json")


async def _catalogue(service: Service, request: Request) -> Response:
    model = service.model(request.query_params.get("model"))
    total, items = await service.pool.run(model.catalogue.find, *_page_of(request))
    return _json({**model.named, "total": total, "items": items})


async def _users(service: Service, request: Request) -> Response:
    model = service.model(request.query_params.get("model"))
    total, users = await service.pool.run(model.find_users, *_page_of(request))
    return _json({**model.named, "total": total, "users": users})


def _page_of(request: Request) -> tuple[str, int, int]:
    """Text, offset and limit of a list that is given in pages."""
    query = request.query_params
    offset = _whole(query.get("offset", "0"), "offset", 0, 10**9)
    limit = _whole(query.get("limit", "20"), "limit", 1, 100)
    text = query.get("q", "")
    if len(text) > 200:
        raise ServiceError(422, "invalid", f"q must be of length 200 at most; got {len(text)}.", path="q")
    return text, offset, limit


def _whole(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        message = f"{name} must be an integer from {least} to {most}; got {text[:50]!r}."
        raise ServiceError(422, "invalid", message, path=name)
    return int(text)


_GETS = {"/health": _health, "/metrics": _metrics, "/openapi.json": _openapi, "/catalogue": _catalogue}
