"""A rule that compares a column of the items, as a small object that can be saved."""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skrec.compose._rules._cells import Cells
from skrec.utils import list_members

Missing = Literal["drop", "keep"]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": op.eq,
    "!=": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
}
_MEMBERSHIPS: dict[str, Callable[[Any, Any], bool]] = {
    "in": lambda cell, other: cell in _members(other),
    "not in": lambda cell, other: cell not in _members(other),
    "contains": lambda cell, other: other in _members(cell),
    "does not contain": lambda cell, other: other not in _members(cell),
}
OPERATORS = tuple({**_COMPARISONS, **_MEMBERSHIPS})


@dataclass(frozen=True)
class FilterRule:
    """Keep the items whose column compares with a value, or with a column of the user or of the context.

    Parameters
    ----------
    column : str
        Column of the items: of ``item_table`` or ``item_features``. Every model also has ``"n_events"``, the events of
        an item, and, where X has a ``timestamp``, ``"time_since_first_event"``: the time from the first event of the
        item to the last event of all, in the unit of X (seconds for date-times), 0 for an item without events.
    operator : {"==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "does not contain"}
        The column stands on the left. For "in" and "contains" a text is the list of its pieces between commas,
        semicolons, bars or slashes of any script ("小说、讽刺"). Date-times compare as ISO text.
    value : object, default=None
        What the column is compared with.
    user : str, default=None
        In place of ``value``: a column of ``user_features``.
    context : str or int, default=None
        In place of ``value``: a column of the context, by name or position.
    missing : {"drop", "keep"}, default="drop"
        What becomes of an item where a value is missing on either side, as for items without a row.
    name : str, default=None
        What reports call the rule. None writes the rule out.

    Examples
    --------
    >>> from skrec.compose import FilterRule
    >>> FilterRule("stock", ">", 0).label
    'stock > 0'
    >>> FilterRule("min_age", "<=", user="age", missing="keep").label
    'min_age <= age of the user'
    """

    column: str
    operator: str
    value: Any = None
    user: str | None = None
    context: str | int | None = None
    missing: Missing = "drop"
    name: str | None = None

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise ValueError(f"operator={self.operator!r}; expected one of {', '.join(map(repr, OPERATORS))}.")
        check_source(self.value, self.user, self.context, "value")
        check_missing(self.missing)

    @property
    def is_of_items(self) -> bool:
        """Whether the rule says the same for all users."""
        return self.user is None and self.context is None

    @property
    def label(self) -> str:
        """What reports call the rule."""
        return self.name or f"{self.column} {self.operator} {source_label(self.value, self.user, self.context)}"

    def allows(self, cells: Cells, other: Cells | None = None) -> NDArray[np.bool_]:
        """Which cells the rule keeps, compared with its value or with as many cells of users or contexts.

        Raises
        ------
        TypeError
            If numbers are compared with text.
        """
        try:
            if other is None:
                return self._with_value(cells)
            return self._with_cells(cells, other)
        except TypeError as error:
            raise TypeError(f"The rule {self.label!r} compares values of different types: {error}.") from None

    def _with_value(self, cells: Cells) -> NDArray[np.bool_]:
        if self.operator in _COMPARISONS:
            _check_kinds(cells.values[:1].tolist(), [self.value])
        test = _COMPARISONS.get(self.operator) or _MEMBERSHIPS[self.operator]
        of_value = [bool(test(value, self.value)) for value in cells.values.tolist()]
        return np.array([*of_value, self.missing == "keep"])[cells.codes]

    def _with_cells(self, cells: Cells, other: Cells) -> NDArray[np.bool_]:
        kept = np.full(len(cells), self.missing == "keep")
        at = np.flatnonzero(~cells.is_missing & ~other.is_missing)
        if self.operator in _COMPARISONS:
            _check_kinds(cells.values[:1].tolist(), other.values[:1].tolist())
            if cells.is_numeric:
                kept[at] = _COMPARISONS[self.operator](cells.take(at).numbers(), other.take(at).numbers())
                return kept
        test = _COMPARISONS.get(self.operator) or _MEMBERSHIPS[self.operator]
        pairs, inverse = np.unique(cells.codes[at] * max(len(other.values), 1) + other.codes[at], return_inverse=True)
        left, right = cells.values.tolist(), other.values.tolist()
        of_pair = [bool(test(left[pair // len(right)], right[pair % len(right)])) for pair in pairs.tolist()]
        kept[at] = np.array(of_pair, bool)[inverse]
        return kept


def _members(value: Any) -> Collection[Any]:
    """What a list of values holds: a text is that of its pieces."""
    if isinstance(value, str):
        return set(list_members(value))
    return value if isinstance(value, Collection) else (value,)


def _check_kinds(left: list[Any], right: list[Any]) -> None:
    kinds = [isinstance(value, str) for value in left + right]
    if len(set(kinds)) > 1:
        raise TypeError(f"{left[0]!r} and {right[0]!r}")


def check_source(value: Any, user: Any, context: Any, name: str) -> None:
    """Refuse a rule that does not have exactly one source of its values."""
    if sum(source is not None for source in (value, user, context)) != 1:
        raise ValueError(f"Pass exactly one of {name}, user and context; got {value!r}, {user!r} and {context!r}.")


def check_missing(missing: Any) -> None:
    """Refuse a ``missing`` that is none of the two."""
    if missing not in ("drop", "keep"):
        raise ValueError(f"missing must be 'drop' or 'keep'; got {missing!r}.")


def source_label(value: Any, user: str | None, context: str | int | None) -> str:
    """Where the values of a rule come from, in words."""
    if user is not None:
        return f"{user} of the user"
    return repr(value) if context is None else f"{context} of the context"
