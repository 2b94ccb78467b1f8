"""What was taken for what in a log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from skrec.utils import in_columns


@dataclass(frozen=True)
class ColumnReport:
    """How one column of a log was read.

    Attributes
    ----------
    role : {"user", "item", "timestamp", "rating", "context"}
    name : str
        Its name in the source.
    read_as : str
        Type, format and unit.
    n_missing : int
        Missing cells.
    """

    role: str
    name: str
    read_as: str
    n_missing: int = 0


@dataclass(frozen=True)
class LogReport:
    """What :func:`~skrec.interactions.read_log` took for what; prints as text, and as HTML in notebooks.

    Attributes
    ----------
    source : str
        Kind or name of the source, with encoding and delimiter of a file.
    columns : list of ColumnReport
    unused : list of str
        Columns that are in the source and not in the log.
    n_events, n_users, n_items : int
    n_dropped : int
        Events without a user, an item or a time, which ``drop_missing=True`` dropped.
    n_repeats : int
        Events whose pair of user and item was there before.
    first, last : str or None
        Span of the times; None where there are none.
    notes : list of str
        What to know besides.
    """

    source: str
    columns: Sequence[ColumnReport]
    unused: Sequence[str]
    n_events: int
    n_users: int
    n_items: int
    n_dropped: int = 0
    n_repeats: int = 0
    first: str | None = None
    last: str | None = None
    notes: Sequence[str] = field(default_factory=list)

    def _facts(self) -> list[tuple[str, str]]:
        facts = [
            ("source", self.source),
            ("size", f"{self.n_events:,} events, {self.n_users:,} users, {self.n_items:,} items"),
            ("repeats", f"{self.n_repeats:,} events repeat a pair of user and item"),
        ]
        if self.first is not None:
            facts.append(("span", f"{self.first} to {self.last}"))
        if self.n_dropped:
            facts.append(("dropped", f"{self.n_dropped:,} events without a user, an item or a time"))
        if self.unused:
            facts.append(("not used", ", ".join(map(str, self.unused))))
        return facts + [("note", note) for note in self.notes]

    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            (
                column.role,
                column.name,
                column.read_as + (f"; {column.n_missing:,} missing" if column.n_missing else ""),
            )
            for column in self.columns
        ]

    def __str__(self) -> str:
        rows = self._rows()
        lines = [f"  {line}" for line in in_columns(rows)]
        facts = [f"{name}: {value}" for name, value in self._facts()]
        return "\n".join(["Event log", *facts, "columns:", *lines])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("role", "column", "read as"))
        cells = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in (role, name, read_as))}</tr>"
            for role, name, read_as in self._rows()
        )
        facts = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in self._facts())
        return f"<ul>{facts}</ul><table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"
