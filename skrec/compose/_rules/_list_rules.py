"""Rules about a list as a whole, and what a list of rules may hold."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from numpy.typing import NDArray

from skrec.compose._rules._filter import FilterRule, Missing, check_missing, check_source, source_label


@dataclass(frozen=True)
class CapRule:
    """At most so many items of a list with the same value of a column, such as a category.

    Parameters
    ----------
    column : str
        Column of the items; see :class:`FilterRule`.
    n : int
        Most items of a list with one value.
    missing : {"keep", "drop"}, default="keep"
        Whether an item without a value is kept, and not counted, or dropped.
    name : str, default=None
        What reports call the rule. None writes the rule out.

    Examples
    --------
    >>> from skrec.compose import CapRule
    >>> CapRule("genre", 2).label
    'at most 2 per genre'
    """

    column: str
    n: int
    missing: Missing = "keep"
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.n, Integral) or isinstance(self.n, bool) or self.n < 1:
            raise ValueError(f"n must be a whole number of at least 1; got {self.n!r}.")
        check_missing(self.missing)

    @property
    def label(self) -> str:
        """What reports call the rule."""
        return self.name or f"at most {self.n} per {self.column}"


@dataclass(frozen=True)
class BudgetRule:
    """The sum of a column over a list stays within a limit, such as a budget of prices.

    An item that would exceed what is left is skipped, and the list goes on with the next that does not. For a limit of
    each item, write ``FilterRule("price", "<=", limit)``.

    Parameters
    ----------
    column : str
        Column of the items, with numbers of at least 0; see :class:`FilterRule`.
    limit : float, default=None
        The largest sum.
    user : str, default=None
        In place of ``limit``: a column of ``user_features``. A user without a value has no limit.
    context : str or int, default=None
        In place of ``limit``: a column of the context, by name or position. A missing value is no limit.
    missing : {"drop", "keep"}, default="drop"
        Whether an item without a value is dropped, or kept at no cost.
    name : str, default=None
        What reports call the rule. None writes the rule out.

    Examples
    --------
    >>> from skrec.compose import BudgetRule
    >>> BudgetRule("price", 50).label
    'sum of price <= 50'
    """

    column: str
    limit: float | None = None
    user: str | None = None
    context: str | int | None = None
    missing: Missing = "drop"
    name: str | None = None

    def __post_init__(self) -> None:
        check_source(self.limit, self.user, self.context, "limit")
        if self.limit is not None and (not isinstance(self.limit, Real) or isinstance(self.limit, bool)):
            raise TypeError(f"limit must be a number; got {self.limit!r}.")
        check_missing(self.missing)

    @property
    def label(self) -> str:
        """What reports call the rule."""
        return self.name or f"sum of {self.column} <= {source_label(self.limit, self.user, self.context)}"


RuleFunction = Callable[[NDArray, NDArray], Collection[bool]]
"""Users and items, of one length, to what is kept."""
Rule = FilterRule | CapRule | BudgetRule | RuleFunction


def rule_labels(rules: Collection[Any]) -> list[str]:
    """What reports call the rules, each by a name of its own.

    Raises
    ------
    TypeError
        If something is no rule.
    """
    labels: list[str] = []
    for rule in rules:
        if isinstance(rule, FilterRule | CapRule | BudgetRule):
            label = rule.label
        elif callable(rule) and not isinstance(rule, type):
            label = getattr(rule, "__name__", type(rule).__name__)
        else:
            raise TypeError(
                f"rules must hold FilterRule, CapRule, BudgetRule or functions of (users, items); got {rule!r}."
            )
        n_before = sum(other == label or other.startswith(f"{label} (") for other in labels)
        labels.append(f"{label} ({n_before + 1})" if n_before else label)
    return labels
