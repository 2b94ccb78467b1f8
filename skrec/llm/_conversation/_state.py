"""The state of a conversation between turns, as versioned JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, field, fields
from html import escape
from typing import Any

import numpy as np

from skrec.exceptions import FormatVersionError
from skrec.interactions import Recommendations

STATE_VERSION = 1
"""Increased whenever an older skrec cannot read what a newer one writes."""

RELATIONS = ("is", "about", "<=", ">=")


@dataclass(frozen=True)
class Constraint:
    """A constraint on an attribute or a theme.

    Attributes
    ----------
    attribute : str
        Column of ``item_features``; empty for ``relation="about"``.
    relation : {"is", "about", "<=", ">="}
        "is" compares a label, "about" compares words and text vectors, the others compare numbers.
    value : str or float
    weight : float
        Negative where items must not, or should preferably not, match.
    strict : bool
        Whether items that violate it are excluded, not only ranked lower.
    """

    attribute: str
    relation: str
    value: str | float
    weight: float = 1.0
    strict: bool = False


@dataclass(frozen=True)
class Question:
    """A question: which of several labels (``values``), or whether one constraint applies."""

    attribute: str
    relation: str
    values: tuple[str | float, ...]


@dataclass(frozen=True)
class ConversationState:
    """The state of a conversation; each turn creates a new one.

    Attributes
    ----------
    user : id or None
    liked, disliked, known : tuples of item ids
        Items that the user likes, dislikes, or already knows. They are not recommended.
    shown : tuple of item ids
        The last list, to which "the second one" refers.
    rejected : tuple of item ids
        Items of rejected lists.
    constraints : tuple of Constraint
    request_vector : tuple of float
        Mean vector of the texts that the user asked for; empty without any.
    asked : tuple of Question
    pending : Question or None
        The last question, if it has no answer yet.
    language : str
        Language of the last text whose language was detected: "en", "de", "fr", "es" or "zh".
    n_turns : int
    version : int

    Examples
    --------
    >>> from skrec.llm import ConversationState
    >>> state = ConversationState(liked=("bk-0001",))
    >>> ConversationState.from_json(state.to_json()) == state
    True
    """

    user: Hashable = None
    liked: tuple[Any, ...] = ()
    disliked: tuple[Any, ...] = ()
    known: tuple[Any, ...] = ()
    shown: tuple[Any, ...] = ()
    rejected: tuple[Any, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    request_vector: tuple[float, ...] = ()
    asked: tuple[Question, ...] = ()
    pending: Question | None = None
    language: str = "en"
    n_turns: int = 0
    version: int = STATE_VERSION

    def to_json(self) -> str:
        """The state as a JSON text.

        Raises
        ------
        TypeError
            If an id is neither a string nor a number.
        """
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, state: str | Mapping[str, Any]) -> ConversationState:
        """Read a state from its JSON text, or from the parsed dict.

        Raises
        ------
        FormatVersionError
            If a newer version of skrec wrote it.
        ValueError
            If it is not a state, or a field is of the wrong kind.
        """
        return _read(state)


@dataclass(frozen=True, repr=False)
class Turn:
    """The result of ``reply``.

    Attributes
    ----------
    message : str
        A summary of the parsed text, conflicts, the list by title, and a question.
    recommendations : Recommendations
        One row.
    state : ConversationState
        For the next reply.
    question : str or None
        The question in ``message``.
    report : dict
        How the text was parsed: "language", "read_by" ("parser" or "llm"), "truncated", "other_language". With a
        language model also "prompt", "usage", "error" and "n_unknown", the entries of its answer with an unknown
        name. Also "n_matching", the items that satisfy every strict constraint, "n_relaxed", the strict
        constraints that the list violates, and "n_unknown_ids" of the state. It contains no text of a user or an
        item.
    """

    message: str
    recommendations: Recommendations
    state: ConversationState
    question: str | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{self.message}\n\n{self.recommendations!r}"

    def _repr_html_(self) -> str:
        message = "<br>".join(escape(line) for line in self.message.splitlines())
        return f"<p>{message}</p>{self.recommendations._repr_html_()}"


def as_state(state: Any) -> ConversationState:
    """Read the parameter ``state``: a state, its JSON, or None for a new conversation."""
    if state is None:
        return ConversationState()
    # A state may be built by hand, so it is validated like JSON.
    return _read(asdict(state) if isinstance(state, ConversationState) else state)


def plain_id(value: Any) -> Any:
    """An id as a JSON value.

    Raises
    ------
    TypeError
        If it is neither a string nor a number.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError(
        f"The id {value!r} is of type {type(value).__name__}, but the state of a conversation holds only strings and "
        "numbers; fit with ids of these kinds."
    )


def _read(state: Any) -> ConversationState:
    if isinstance(state, str):
        try:
            state = json.loads(state)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"The state is not valid JSON ({error}); pass the result of state.to_json().") from None
    if not isinstance(state, Mapping):
        raise ValueError(
            "The state must be a ConversationState, its JSON, or None for a new conversation; got "
            f"{type(state).__name__}."
        )
    version = state.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _malformed("version", "a version number", version)
    if version > STATE_VERSION:
        raise FormatVersionError(
            f"The state of the conversation is of version {version}, and this skrec reads versions up to "
            f"{STATE_VERSION}. Use the skrec version that wrote it or a newer one, or begin a new conversation with "
            "state=None."
        )
    names = {one.name for one in fields(ConversationState)}
    if unknown := sorted(set(map(str, state)) - names):
        raise ValueError(f"The state has unknown fields {unknown[:3]}; the fields are {sorted(names)}.")
    return ConversationState(**{name: _FIELDS[name](name, state[name]) for name in names & set(state)})


def _malformed(name: str, expected: str, got: Any) -> ValueError:
    return ValueError(
        f"The state is malformed: {name!r} must be {expected}; got {got!r:.80}. Pass the state of the last Turn."
    )


def _ids(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _malformed(name, "a list of item ids", value)
    try:
        return tuple(plain_id(one) for one in value)
    except TypeError:
        raise _malformed(name, "a list of item ids, text or numbers", value) from None


def _user(name: str, value: Any) -> Any:
    try:
        return None if value is None else plain_id(value)
    except TypeError:
        raise _malformed(name, "an id, text or a number", value) from None


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or not all(_is_number(one) for one in value):
        raise _malformed(name, "a list of finite numbers", value)
    return tuple(float(one) for one in value)


def _constraints(name: str, value: Any) -> tuple[Constraint, ...]:
    if not isinstance(value, list | tuple):
        raise _malformed(name, "a list of constraints", value)
    return tuple(_constraint(one) for one in value)


def _constraint(value: Any) -> Constraint:
    expected = "objects with attribute, relation, value, weight and strict"
    if not isinstance(value, Mapping) or set(value) != {one.name for one in fields(Constraint)}:
        raise _malformed("constraints", expected, value)
    made = Constraint(**value)
    if not (isinstance(made.attribute, str) and isinstance(made.strict, bool) and _is_number(made.weight)):
        raise _malformed("constraints", expected, value)
    _check_relation("constraints", made.relation, (made.value,))
    return made


def _question(name: str, value: Any) -> Question | None:
    if value is None and name == "pending":
        return None
    expected = "an object with attribute, relation and a list of values"
    if not isinstance(value, Mapping) or set(value) != {one.name for one in fields(Question)}:
        raise _malformed(name, expected, value)
    values = value["values"]
    if not isinstance(values, list | tuple) or not values or not isinstance(value["attribute"], str):
        raise _malformed(name, expected, value)
    _check_relation(name, value["relation"], tuple(values))
    return Question(value["attribute"], value["relation"], tuple(values))


def _questions(name: str, value: Any) -> tuple[Question, ...]:
    if not isinstance(value, list | tuple):
        raise _malformed(name, "a list of questions", value)
    read = [_question(name, one) for one in value]
    return tuple(one for one in read if one is not None)


def _check_relation(name: str, relation: Any, values: tuple[Any, ...]) -> None:
    if relation not in RELATIONS:
        raise _malformed(name, f"of a relation among {RELATIONS}", relation)
    numeric = relation in ("<=", ">=")
    if not all(_is_number(one) if numeric else isinstance(one, str) for one in values):
        raise _malformed(name, f"of {'numbers' if numeric else 'texts'} for {relation!r}", values)


def _language(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _malformed(name, "a language code", value)
    return value


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _malformed(name, "a whole number, at least 0", value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_FIELDS: dict[str, Any] = {
    **dict.fromkeys(("liked", "disliked", "known", "shown", "rejected"), _ids),
    "user": _user,
    "constraints": _constraints,
    "request_vector": _numbers,
    "asked": _questions,
    "pending": _question,
    "language": _language,
    "n_turns": _count,
    "version": lambda name, value: value,
}
