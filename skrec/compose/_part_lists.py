"""The lists of the parts of a composite, for the same queries and in the codes of one catalogue."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.exceptions import PartFailureWarning, UnsupportedArgumentError
from skrec.interactions import IdIndex, Recommendations, given_options
from skrec.utils import caller_level


@dataclass
class PartLists:
    """Lists of several recommenders for the same queries.

    Attributes
    ----------
    names : list of n_lists str
        The parts that answered.
    lists : list of n_lists Recommendations
        Codes are those of ``item_index``; rows are padded to one width.
    failures : dict
        Message of each part that failed, by name.
    not_used : dict
        Names of the arguments that a part could not use, by name of the part.
    errors : list of Exception
        What the parts raised that failed.
    refused : dict
        The first refusal of each argument that a part could not use.
    """

    names: list[str] = field(default_factory=list)
    lists: list[Recommendations] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    not_used: dict[str, list[str]] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    refused: dict[str, UnsupportedArgumentError] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, Recommendations]]:
        return iter(zip(self.names, self.lists, strict=True))

    @property
    def report(self) -> dict[str, Any]:
        """What became of the parts, for ``Recommendations.report``."""
        return {"parts": list(self.names), "failures": dict(self.failures), "not_used": dict(self.not_used)}

    @classmethod
    def of(
        cls,
        parts: Sequence[tuple[str, Any]],
        users: NDArray,
        k: int,
        item_index: IdIndex,
        *,
        check_request: Callable[[], None] | None = None,
        **options: Any,
    ) -> PartLists:
        """Lists of fitted recommenders.

        A part that raises is left out, with a warning, as long as another answers.

        Parameters
        ----------
        parts : sequence of (name, fitted recommender)
        users : ndarray of shape (n_queries,)
            Or what else the method takes first: items, or texts.
        k : int
            Length of the lists; a part with a smaller catalogue is padded to it.
        item_index : IdIndex
            The catalogue of all parts.
        check_request : callable, default=None
            As in :meth:`check`.
        **options
            Of the method, which ``method`` names (default "recommend"). A part that cannot use ``request`` or
            ``user_features`` is asked without it.

        Raises
        ------
        Exception
            Of the first part, if all of them raise; or if none can use an argument.
        """
        found = cls()
        for name, part in parts:
            lists = found.ask(name, part, users, k, item_index, **options)
            if lists is not None:
                found.names.append(name)
                found.lists.append(lists)
        found.check(check_request)
        return found

    def ask(
        self,
        name: str,
        part: Any,
        users: NDArray,
        k: int,
        item_index: IdIndex,
        *,
        method: str = "recommend",
        **options: Any,
    ) -> Recommendations | None:
        """Lists of one part; None where it raises, which :meth:`check` tells when all have been asked."""
        n = min(k, len(part.items_))
        try:
            return _read(
                self._ask(name, getattr(part, method), users, n, given_options(**options)), users, k, item_index
            )
        except UnsupportedArgumentError as error:  # of the queries themselves: this part is not for them
            self.errors.append(error)
            self.not_used.setdefault(name, []).append(error.argument)
            return None
        except Exception as error:  # whatever a part raises, the others still answer
            self.errors.append(error)
            self.failures[name] = f"{type(error).__name__}: {error}"
            return None

    def check(self, check_request: Callable[[], None] | None = None) -> None:
        """Warn of the parts that failed.

        Parameters
        ----------
        check_request : callable, default=None
            Raises if the request is wrong by what the composite itself knows. It is called where a part refused its
            arguments: then the fault is the caller's, and no failure of the part.

        Raises
        ------
        Exception
            Of the first part, if all of them raised; if none of those that answered can use an argument; or of
            ``check_request``.
        """
        if not self.lists:
            raise self.errors[0]
        for argument in self.unused():
            raise self.refused[argument]
        if self.failures:
            if check_request is not None and any(isinstance(error, ValueError | TypeError) for error in self.errors):
                check_request()
            self._warn()

    def unused(self) -> list[str]:
        """The arguments that no part could use of those that answered."""
        return [
            argument for argument in self.refused if all(argument in self.not_used.get(name, ()) for name in self.names)
        ]

    def _ask(self, name: str, method: Callable[..., Any], users: NDArray, k: int, given: dict[str, Any]) -> Any:
        """Lists of a part, without the arguments that it cannot use."""
        while True:
            try:
                return method(users, k, **given)
            except UnsupportedArgumentError as error:
                if error.argument not in given:
                    raise
                self.refused.setdefault(error.argument, error)
                if error.argument not in self.not_used.setdefault(name, []):
                    self.not_used[name].append(error.argument)
                given = {key: value for key, value in given.items() if key != error.argument}

    def _warn(self) -> None:
        said = "; ".join(f"{name} ({message})" for name, message in self.failures.items())
        warnings.warn(
            f"{len(self.failures)} of {len(self.failures) + len(self.names)} parts failed, and the lists are those of "
            f"the others: {said}. The report of the result says so too. Call the part alone to see its error.",
            PartFailureWarning,
            stacklevel=caller_level(),
        )


def _read(found: Any, users: NDArray, k: int, item_index: IdIndex) -> Recommendations:
    """Lists in the codes of a catalogue, padded to a width of k."""
    lists = Recommendations.read(found, users, item_index)
    missing = k - lists.codes.shape[1]
    if missing <= 0:
        return lists
    padding = ((0, 0), (0, missing))
    codes = np.pad(lists.codes, padding, constant_values=-1)
    return lists.with_lists(codes, np.pad(lists.scores, padding, constant_values=-np.inf))
