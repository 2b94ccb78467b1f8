"""Answer over HTTP for saved recommenders.

examples:
  skrec serve model.skops
  skrec serve model.skops --port 8080 --api-key-env SKREC_KEY --cors-origin https://shop.example
  skrec serve old.skops new.skops        the page shows them side by side; requests name one as "model": "new"
  curl localhost:8000/recommend -H 'Content-Type: application/json' -d '{"users": ["ann"], "k": 5}'

The paths and what they take are at /openapi.json, counters for Prometheus at /metrics.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from skrec.cli._errors import CommandError
from skrec.serving import ModelFileError, ServiceLimits, make_app, serve

NAME = "serve"
_PASSED = ("api_key_env", "static", "feedback_log", "replay", "reload_every", "allow_pickle", "allow_external")
LOCAL = ["localhost", "127.0.0.1", "::1", "[::1]"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``skrec serve``."""
    parser.add_argument("models", metavar="model", nargs="+", help="file of a fitted recommender, by skops.io.dump")
    add_address(parser)
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the API key")
    parser.add_argument("--cors-origin", action="append", default=[], metavar="URL", help="site that may call this one")
    parser.add_argument("--allowed-host", action="append", default=[], metavar="HOST", help="Host header to answer")
    listed = "list the ids of users at /users, to choose from; default: at an address of this machine alone"
    parser.add_argument("--user-list", action=argparse.BooleanOptionalAction, default=None, help=listed)
    parser.add_argument("--static", metavar="FOLDER", help="files to serve under /")
    parser.add_argument("--feedback-log", metavar="FILE", help="SQLite file for /feedback, made where there is none")
    replay = "events of the log that the model learns at the start: newer than its file, all, or none"
    parser.add_argument("--replay", choices=["newer", "all", "none"], default="newer", help=replay)
    every = "seconds between two looks for a new model file, 0 for never; default: %(default)s"
    parser.add_argument("--reload-every", type=_rate, default=2.0, metavar="N", help=every)
    parser.add_argument("--allow-pickle", action="store_true", help="load pickles too: they run code of their writer")
    parser.add_argument("--allow-external", action="store_true", help="let the model contact servers and read files")
    limits = parser.add_argument_group("limits")
    default = ServiceLimits()
    limits.add_argument("--max-k", type=_positive, default=default.k, metavar="N", help="default: %(default)s")
    rate = "requests per second and client address, 0 for no limit; default: %(default)s"
    limits.add_argument("--rate", type=_rate, default=default.rate, metavar="N", help=rate)
    threads = "calls of the model at a time; default: %(default)s"
    limits.add_argument("--threads", type=_positive, default=default.threads, metavar="N", help=threads)


def add_address(parser: argparse.ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: %(default)s, this machine")
    parser.add_argument("--port", type=_port, default=8000, help="0 takes a free one; default: %(default)s")


def run(given: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    start_log()
    limits = replace(ServiceLimits(), k=given.max_k, rate=given.rate, threads=given.threads)
    options: dict[str, Any] = {name: getattr(given, name) for name in _PASSED}
    options["cors_origins"], options["allowed_hosts"] = given.cors_origin, allowed_hosts(given)
    options["user_list"] = given.host in LOCAL if given.user_list is None else given.user_list
    run_app(named(given.models), given.host, given.port, limits=limits, **options)


def named(paths: list[str]) -> dict[str, str]:
    """Files by name: without folder and suffix, where that tells them apart."""
    names = [Path(path).stem[:50] for path in paths]
    if len(set(names)) < len(names):
        names = [path[-50:] for path in paths]
    return dict(zip(names, paths, strict=True))


def run_app(model: Any, host: str, port: int, **options: Any) -> None:
    """Make an application and serve it; what keeps it from that is a message."""
    try:
        app = make_app(model, **options)
        serve(app, host=host, port=port)
    except ImportError as error:
        raise CommandError(f'{error}; install the extra: pip install "skrec-text[serve]".') from error
    except (ModelFileError, OSError, ValueError, RuntimeError) as error:
        raise CommandError(str(error)) from error


def allowed_hosts(given: argparse.Namespace) -> list[str]:
    """At an address of this machine alone, the page of another site must not reach the service by a name of its own."""
    return [*LOCAL, *given.allowed_host] if given.host in LOCAL else list(given.allowed_host)


def start_log() -> None:
    """Log to stderr."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"a port is 0 to 65535, not {text}")
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be at least 0, not {text}")
    return number
