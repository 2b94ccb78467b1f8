"""Arguments, exit codes and messages of the command line."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

import skrec
from skrec.cli._errors import CommandError
from skrec.cli._output import say, show_warning

_COMMANDS = ["fit", "evaluate", "recommend", "serve", "demo"]
_EXIT = "exit codes: 0 it worked, 1 it failed, 2 the arguments are wrong"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        None takes those of the process.

    Returns
    -------
    int
        0, or 1 where the command failed. Wrong arguments end the process by 2.
    """
    given = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning  # type: ignore[assignment]
            given.run(given)
    except (CommandError, ValueError, TypeError, OSError, ImportError) as error:
        if isinstance(error, BrokenPipeError):  # of "skrec recommend ... | head"
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        if given.traceback:
            raise
        say(f"skrec {given.command}: {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skrec",
        description="Recommender systems from the command line.",
        epilog=_EXIT,
    )
    parser.add_argument("--version", action="version", version=f"skrec {skrec.__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where in the code a command failed")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in _COMMANDS:
        command = import_module(f"skrec.cli._{name}")
        summary, _, more = (command.__doc__ or "").strip().partition("\n")
        one = commands.add_parser(
            command.NAME,
            help=summary,
            description=summary,
            epilog=f"{more.strip()}\n\n{_EXIT}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    return parser
