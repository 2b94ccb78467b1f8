"""Links between users as codes and as a sparse matrix."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from skrec.interactions._columns import Column, factorize
from skrec.interactions._id_index import IdIndex, check_index
from skrec.interactions._links._link_table import LinkSource, read_columns
from skrec.utils import check_array, check_codes, check_kind


@dataclass(frozen=True)
class UserLinks:
    """Links between users with ids as integer codes: no user linked to oneself, each pair once.

    Attributes
    ----------
    user_index : IdIndex
        The users that the codes are of.
    source, target : int64 arrays of shape (n,)
        A link that is not directed is written in both directions.
    weight : float32 array of shape (n,)
        Above 0.
    timestamp : array of shape (n,) or None
    private : bool array of shape (n,)
        Whether no reason may tell of the link.
    blocked : int64 array of shape (n_blocked, 2)
        Pairs of users that are never shown to each other, in both directions.
    """

    user_index: IdIndex
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.float32]
    timestamp: NDArray | None
    private: NDArray[np.bool_]
    blocked: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)

    def of_users(self, user_index: IdIndex, *, with_unknown: bool = False, what: str = "user_links") -> "UserLinks":
        """The links of the users of another index.

        Parameters
        ----------
        user_index : IdIndex
        with_unknown : bool, default=False
            Whether linked users that it lacks are added behind its own; else their links are dropped.
        what : str
            Name of the argument, for messages.

        Raises
        ------
        TypeError
            If the linked users are text where the index has numbers, or the reverse.
        """
        own = self.user_index.values
        if len(user_index) and len(own):
            user_index.check_kind(own, f"users of {what}")
        if with_unknown:
            user_index = user_index.extended(own)
        codes = user_index.codes(own, what, check_kind=False) if len(own) else np.zeros(0, np.int64)
        source, target, blocked = codes[self.source], codes[self.target], codes[self.blocked]
        kept = (source >= 0) & (target >= 0)
        links = replace(self, user_index=user_index, source=source, target=target, blocked=blocked)
        return replace(links._where(kept), blocked=blocked[(blocked >= 0).all(axis=1)])

    def _where(self, kept: NDArray) -> "UserLinks":
        times = None if self.timestamp is None else self.timestamp[kept]
        return replace(
            self,
            source=self.source[kept],
            target=self.target[kept],
            weight=self.weight[kept],
            timestamp=times,
            private=self.private[kept],
        )

    def with_more(self, more: "UserLinks") -> "UserLinks":
        """These links and others, by the rules for repeats; times are kept where both have them."""
        more = more.of_users(self.user_index, with_unknown=True)
        n_users = max(len(more.user_index), 1)
        times = None
        if self.timestamp is not None and more.timestamp is not None:
            times = np.concatenate([self.timestamp, more.timestamp])
        both = UserLinks(
            more.user_index,
            np.concatenate([self.source, more.source]),
            np.concatenate([self.target, more.target]),
            np.concatenate([self.weight, more.weight]),
            times,
            np.concatenate([self.private, more.private]),
            np.unique(np.concatenate([self.blocked, more.blocked]), axis=0),
        )
        kept = ~np.isin(both.source * n_users + both.target, both.blocked[:, 0] * n_users + both.blocked[:, 1])
        both = both._where(kept)
        return _without_repeats(both, both.source * n_users + both.target)

    def public(self) -> "UserLinks":
        """The links that reasons may tell of."""
        return self._where(~self.private)

    def matrix(self, half_life: float | None = None) -> sp.csr_array:
        """The weights of the links.

        Parameters
        ----------
        half_life : float, default=None
            Time after which a link weighs half, counted back from the latest; None means that age does not matter.

        Returns
        -------
        csr_array of shape (n_users, n_users), float32
            Rows are those who chose the link.
        """
        weight = self.weight
        if half_life is not None and self.timestamp is not None and len(self):
            weight = weight * np.power(0.5, (self.timestamp.max() - self.timestamp) / half_life)
        n_users = len(self.user_index)
        return sp.csr_array((weight.astype(np.float32), (self.source, self.target)), shape=(n_users, n_users))

    def blocked_matrix(self) -> sp.csr_array:
        """1 for each pair of users that are never shown to each other, of shape (n_users, n_users)."""
        n_users = len(self.user_index)
        ones = np.ones(len(self.blocked), np.float32)
        return sp.csr_array((ones, (self.blocked[:, 0], self.blocked[:, 1])), shape=(n_users, n_users))


def read_links(links: LinkSource, what: str = "user_links", *, events: Any = None) -> UserLinks:
    """Read a table of links between users.

    Parameters
    ----------
    links : LinkTable, frame, array or iterable of pairs
        As in :class:`LinkTable`.
    what : str
        Name of the argument, for messages.
    events : table, default=None
        X of the same call. A table of links with as many rows must be a :class:`LinkTable`; None does not check.

    Returns
    -------
    UserLinks
        Of the users of the table, in the order of their ids.

    Raises
    ------
    TypeError, ValueError
        If it is no table of links, or a cell cannot be read.
    """
    n_events = None if events is None else _num_samples(events)
    columns = read_columns(links, what, n_events)
    index, source, target = _codes(columns.sources, columns.targets, f"{what} users")
    source, target, row = _in_both_directions(source, target, columns.directed & ~columns.blocked)
    is_blocked = columns.blocked[row] & (source != target)
    is_link = ~columns.blocked[row] & (source != target) & (columns.weight[row] > 0)
    key = source * max(len(index), 1) + target
    blocked_keys = np.unique(key[is_blocked])
    is_link &= ~np.isin(key, blocked_keys)
    times = None if columns.timestamp is None else columns.timestamp[row[is_link]]
    found = UserLinks(
        index,
        source[is_link],
        target[is_link],
        columns.weight[row[is_link]],
        times,
        columns.private[row[is_link]],
        np.column_stack(np.divmod(blocked_keys, max(len(index), 1))),
    )
    return _without_repeats(found, key[is_link])


def _codes(sources: Column, targets: Column, what: str) -> tuple[IdIndex, NDArray[np.int64], NDArray[np.int64]]:
    """One index of the users of both columns, and their codes."""
    if not len(sources):
        return IdIndex(np.zeros(0, np.int64)), np.zeros(0, np.int64), np.zeros(0, np.int64)
    first, at_first = factorize(sources, what)
    second, at_second = factorize(targets, what)
    index = IdIndex(first)
    index.check_kind(second, what, "in the first column")
    index = IdIndex(factorize(index.extended(second).values, what)[0])
    return index, index.codes(first, what)[at_first], index.codes(second, what)[at_second]


def _in_both_directions(
    source: NDArray[np.int64], target: NDArray[np.int64], directed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Each link as it is written, then the reverse of those that are not directed, and the row of each."""
    back = np.flatnonzero(~directed)
    row = np.concatenate([np.arange(len(source)), back])
    return np.concatenate([source, target[back]]), np.concatenate([target, source[back]]), row


def _without_repeats(links: UserLinks, key: NDArray[np.int64]) -> UserLinks:
    """Each pair once: the largest weight, the latest time, and private if one of its rows is."""
    if not len(key):
        return links
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    kept = links._where(order)
    weight = np.maximum.reduceat(kept.weight, first)
    private = np.logical_or.reduceat(kept.private, first)
    times = None if kept.timestamp is None else np.maximum.reduceat(kept.timestamp, first)
    return replace(kept._where(first), weight=weight, private=private, timestamp=times)


def check_links(value: object, name: str) -> None:
    """Check links that were loaded.

    Raises
    ------
    DamagedStateError
        If they are none that a fit could have left.
    """
    check_kind(value, name, UserLinks)
    assert isinstance(value, UserLinks)
    check_index(value.user_index, f"{name}.user_index")
    n_links, n_users = len(np.atleast_1d(value.source)), len(value.user_index)
    for codes in ("source", "target"):
        check_array(getattr(value, codes), f"{name}.{codes}", (n_links,), kinds="i")
        check_codes(getattr(value, codes), f"{name}.{codes}", n_users)
    check_array(value.weight, f"{name}.weight", (n_links,))
    check_array(value.private, f"{name}.private", (n_links,), kinds="b")
    check_array(value.blocked, f"{name}.blocked", (None, 2), kinds="i")
    check_codes(value.blocked.ravel(), f"{name}.blocked", n_users)
    if value.timestamp is not None:
        check_array(value.timestamp, f"{name}.timestamp", (n_links,), kinds="fiu")
