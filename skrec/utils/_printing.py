"""Tables as text and as HTML, everything escaped."""

from collections.abc import Sequence
from html import escape
from unicodedata import east_asian_width

_LONGEST_CELL = 48


def one_line(value: object, longest: int = _LONGEST_CELL) -> str:
    """A cell of a printed table: one line, without control characters, not too long."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def terminal_width(text: str) -> int:
    """How many places a text takes on a terminal: two for each Chinese, Japanese or Korean character."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of rows whose cells stand below one another, two spaces apart."""
    widths = [max(map(terminal_width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (w - terminal_width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def table_text(columns: dict[str, list[str]], n_hidden: int) -> str:
    """Columns of cells side by side, below their names."""
    lines = in_columns([list(columns), *zip(*columns.values(), strict=True)])
    return "\n".join(lines + ([f"… {n_hidden:,} more rows"] if n_hidden else []))


def table_html(columns: dict[str, list[str]], n_hidden: int) -> str:
    """A table of escaped cells."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in zip(*columns.values(), strict=True)
    )
    more = f"<p>{n_hidden:,} more rows</p>" if n_hidden else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
