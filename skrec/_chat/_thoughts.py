"""Take the thoughts of a reasoning model out of its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_NAMES = "think|thinking|thought|thoughts|reasoning|scratchpad"
_OPEN = re.compile(rf"<(?:{_NAMES})>|\[THINK\]|<\|begin_of_thought\|>", re.IGNORECASE)
_CLOSE = re.compile(rf"</(?:{_NAMES})>|\[/THINK\]|<\|end_of_thought\|>", re.IGNORECASE)
_MARK = re.compile(rf"(?P<open>{_OPEN.pattern})|(?P<close>{_CLOSE.pattern})|(?P<json>[{{\[])", re.IGNORECASE)
# The channels of gpt-oss, with their special tokens and with these stripped.
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)", re.DOTALL
)
_BARE_CHANNELS = re.compile(r"\A\s*analysis(?=[A-Z\s]).*?assistantfinal(.*)\Z", re.DOTALL)
_MOST_TRIES = 200  # at what looks like the start of a JSON value and is none; bounds the time

_decoder = json.JSONDecoder()


def without_thoughts(text: str) -> str:
    """The answer without blocks of thought, closed or cut off.

    A mark inside a JSON value is part of that value. A closing mark without an opening one ends a thought that
    began before the answer, since some servers and chat templates drop the first mark.
    """
    if channels := _CHANNEL.findall(text):
        return "".join(said for name, said in channels if name == "final").strip()
    if bare := _BARE_CHANNELS.match(text):
        return bare[1].strip()
    if not (_OPEN.search(text) or _CLOSE.search(text)):
        return text.strip()
    parts: list[str] = []
    for part in _parts(text):
        if part is None:
            parts.clear()
        else:
            parts.append(part)
    return "".join(parts).strip()


def _parts(text: str) -> Iterator[str | None]:
    """What stands outside of thoughts, in pieces; None where a thought ends that had no beginning."""
    at, n_failed = 0, 0
    while (mark := _MARK.search(text, at)) is not None:
        yield text[at : mark.start()]
        if mark["open"]:
            close = _CLOSE.search(text, mark.end())
            at = len(text) if close is None else close.end()
        elif mark["close"]:
            yield None
            at = mark.end()
        else:
            at = mark.end()
            if n_failed < _MOST_TRIES:
                try:
                    _, at = _decoder.raw_decode(text, mark.start())
                except (ValueError, RecursionError):
                    n_failed += 1
            yield text[mark.start() : at]
    yield text[at:]
