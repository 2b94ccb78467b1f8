"""Arguments, exit codes and messages of the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import skrec
from skrec.cli import _serve
from skrec.cli._errors import CommandError

_COMMANDS = [_serve]
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
        given.run(given)
    except CommandError as error:
        say(f"skrec {given.command}: {error}")
        return 1
    except BrokenPipeError:  # of "skrec recommend ... | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        say("stopped")
        return 1
    return 0


def say(text: str) -> None:
    """A message to people, beside the output."""
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skrec",
        description="Recommender systems from the command line.",
        epilog=_EXIT,
    )
    parser.add_argument("--version", action="version", version=f"skrec {skrec.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for command in _COMMANDS:
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
