"""Histories of users as texts of items, and profiles by a template."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import EventTable, Histories, IdIndex, as_unique_ids, factorize, read_features
from skrec.utils import Text, as_text, table_cells, template_fields, write_rows

_LISTS = (list, tuple, set, frozenset, np.ndarray)


@dataclass
class ItemWordings:
    """The texts of items.

    Attributes
    ----------
    index : IdIndex or None
        None without a table; items are then written as their ids.
    texts : list of str or None
        One per item.
    values : dict from column to list of lists of str
        Of the columns that a template names.
    """

    index: IdIndex | None = None
    texts: list[Text] = field(default_factory=list)
    values: dict[str, list[list[str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, item_features: Any, template: str, item_template: str | None) -> ItemWordings:
        """One text an item, and the values of the columns that the template names.

        Raises
        ------
        ValueError
            If a template names an unknown field.
        """
        named = {name for _, name in template_fields(template) if name is not None}
        columns: dict[str, list[Any]] = {}
        found = cls()
        if item_features is not None:
            features = read_features(item_features, "item_features")
            columns = table_cells(features.values)
            written = {name: [as_text(cell) for cell in cells] for name, cells in columns.items()}
            found = cls(IdIndex(as_unique_ids(features)), write_rows(written, item_template))
        unknown = named - {"items", "n_events", "user"} - set(columns)
        if unknown:
            raise ValueError(
                f"template={template!r} names {sorted(unknown)}; the fields are items, n_events, user, and the "
                f"columns of item_features: {list(columns)}."
            )
        found.values = {name: [_members(cell) for cell in columns[name]] for name in named & set(columns)}
        return found


@dataclass
class UserHistories:
    """What users chose.

    Attributes
    ----------
    users : list of n ids
        In order of first appearance.
    first : ndarray of shape (n,)
        The row in which each appears.
    lengths : list of n int
        Events of each.
    latest : list of n lists of int
        Codes of the items that have a wording, the latest first.
    texts : list of str or None
        By code.
    """

    users: list[Any]
    first: NDArray[np.int64]
    lengths: list[int]
    latest: list[list[int]]
    texts: list[Text]

    @classmethod
    def read(cls, events: EventTable, items: ItemWordings) -> UserHistories:
        """Take events apart by user."""
        uniques, codes = factorize(events.users, "user ids")
        first = np.full(len(uniques), len(codes))
        np.minimum.at(first, codes, np.arange(len(codes)))
        order = np.argsort(first)
        row_of_user = np.empty(len(order), np.int64)
        row_of_user[order] = np.arange(len(order))
        if items.index is None:
            ids, chosen = factorize(events.items, "item ids")
            texts = [as_text(item) for item in ids.tolist()]
        else:
            chosen, texts = items.index.codes(events.items, "item ids"), items.texts
        at = np.arange(len(codes)) if events.timestamp is None else np.argsort(events.timestamp, kind="stable")
        at = at[chosen[at] >= 0]
        grouped = Histories.group(row_of_user[codes[at]], chosen[at], np.ones(len(at)), None, len(uniques))
        latest = [
            grouped.items[a:b][::-1].tolist() for a, b in zip(grouped.indptr[:-1], grouped.indptr[1:], strict=True)
        ]
        lengths = np.bincount(row_of_user[codes], minlength=len(uniques))
        return cls(uniques[order].tolist(), first[order], lengths.tolist(), latest, texts)

    def listed(self, max_items: int) -> list[list[str]]:
        """Texts of the latest items of each user, an item once."""
        distinct = (list(dict.fromkeys(latest))[:max_items] for latest in self.latest)
        return [[text for item in items if (text := self.texts[item])] for items in distinct]

    def by_template(
        self, template: str, max_items: int, values: dict[str, list[list[str]]], max_values: int
    ) -> list[Text]:
        """Profiles; None for a user without an item that has a text."""
        fields: dict[str, list[Text]] = {
            "items": [", ".join(texts) or None for texts in self.listed(max_items)],
            "n_events": [str(length) for length in self.lengths],
            "user": [as_text(user) for user in self.users],
        }
        for name, members in values.items():
            fields[name] = [_most_frequent(latest, members, max_values) for latest in self.latest]
        written = write_rows(fields, template)
        return [text if latest else None for text, latest in zip(written, self.latest, strict=True)]


def _most_frequent(latest: list[int], members: list[list[str]], n: int) -> Text:
    counts = Counter(value for item in latest for value in members[item])
    return ", ".join(value for value, _ in counts.most_common(n)) or None


def _members(cell: Any) -> list[str]:
    cells = list(cell) if isinstance(cell, _LISTS) else [cell]
    return [text for member in cells if (text := as_text(member)) is not None]
