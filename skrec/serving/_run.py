"""Run an application by uvicorn, until SIGTERM or SIGINT."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from skrec.serving._limits import ServiceLimits

if TYPE_CHECKING:
    from starlette.applications import Starlette

_logger = logging.getLogger("skrec.serving")


def serve(
    app: Starlette,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve an application of :func:`make_app` in this process, until it gets SIGTERM or SIGINT.

    Then it takes no further connections, and ends when what it has accepted is answered. Headers, bodies and
    connections are limited as the limits of the application say.

    Parameters
    ----------
    app : Starlette
        Of :func:`make_app`.
    host : str, default="127.0.0.1"
        The address to listen at; ``"0.0.0.0"`` is every one.
    port : int, default=8000
        0 takes a free one.
    ready : callable, default=None
        Called with the address of the service, once it listens.

    Raises
    ------
    OSError
        If the port is in use, or the address is not of this machine.
    """
    import uvicorn

    from skrec.serving._protocol import Server, protocol

    limits: ServiceLimits = app.state.service.limits
    listener = listen(host, port)
    config = uvicorn.Config(
        app,
        http=protocol(limits.read_timeout),
        ws="none",
        lifespan="on",
        limit_concurrency=limits.connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(limits.timeout) + 5,
        h11_max_incomplete_event_size=16_384,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    server = Server(config)
    app.state.stop = lambda: setattr(server, "should_exit", True)
    address = url_of(listener)
    served = ", ".join(f"{model.name} version {model.version}" for model in app.state.service.models)
    _logger.info("listening at %s, %s", address, served)
    if ready is not None:
        ready(address)
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises
    ------
    OSError
        With what to do.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
    except socket.gaierror as error:
        raise OSError(f"The host {host!r} is not known: {error.strerror}.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"Port {port} of {host} is in use; pass another port, or 0 for any free one.") from None
        raise OSError(f"Cannot listen at {host}, port {port}: {error.strerror}.") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The address of a service."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
