"""What one turn of text asks for, however it was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from skrec.llm._conversation._state import Constraint


@dataclass
class Critique:
    """The wishes in one text.

    Attributes
    ----------
    liked, disliked, known : lists of int
        Codes of items that the text names.
    wanted, unwanted : lists of str
        What the request vector moves towards, and away from.
    constraints : list of Constraint
    answer : {"yes", "no", "any", "other"} or None
        To the question asked last.
    reject_shown : bool
        The last list is not wanted.
    restart : bool
        Nothing said before counts.
    meanings : dict of str to list of str
        What to embed in place of some of ``wanted`` and ``unwanted``.
    language : str or None
        None for a language that is not parsed.
    notes : list of (str, dict)
        What could not be done as said: keys of the messages of a language, and their fields.
    """

    liked: list[int] = field(default_factory=list)
    disliked: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    answer: str | None = None
    reject_shown: bool = False
    restart: bool = False
    meanings: dict[str, list[str]] = field(default_factory=dict)
    language: str | None = "en"
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        lists = (self.liked, self.disliked, self.known, self.wanted, self.unwanted, self.constraints)
        return not (any(lists) or self.answer or self.reject_shown or self.restart)
