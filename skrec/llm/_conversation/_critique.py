"""The contents of one text of the user, whether parsed by phrases or by a language model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from skrec.llm._conversation._state import Constraint


@dataclass
class Critique:
    """The constraints, items and texts in one turn.

    Attributes
    ----------
    liked, disliked, known : lists of int
        Codes of items that the text names.
    wanted, unwanted : lists of str
        Texts that the request vector moves towards, and away from.
    constraints : list of Constraint
    answer : {"yes", "no", "any", "other"} or None
        Answer to the last question.
    reject_shown : bool
        Whether the last list is rejected.
    restart : bool
        Whether the conversation starts over.
    meanings : dict of str to list of str
        Texts to embed instead of some of ``wanted`` and ``unwanted``.
    language : str or None
        None where the language is not parsed.
    notes : list of (str, dict)
        Requests that could not be met: keys of the messages of a language, and their fields.
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
        """Whether the text has no effect on the state."""
        lists = (self.liked, self.disliked, self.known, self.wanted, self.unwanted, self.constraints)
        return not (any(lists) or self.answer or self.reject_shown or self.restart)
