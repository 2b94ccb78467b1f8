"""Tables as text and as HTML, everything escaped."""

from html import escape

_LONGEST_CELL = 48


def one_line(value: object, longest: int = _LONGEST_CELL) -> str:
    """A cell of a printed table: one line, without control characters, not too long."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def table_text(columns: dict[str, list[str]], n_hidden: int) -> str:
    """Columns of cells side by side, below their names."""
    widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths.values(), strict=True)).rstrip() for row in rows]
    return "\n".join(lines + ([f"… {n_hidden:,} more rows"] if n_hidden else []))


def table_html(columns: dict[str, list[str]], n_hidden: int) -> str:
    """A table of escaped cells."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in zip(*columns.values(), strict=True)
    )
    more = f"<p>{n_hidden:,} more rows</p>" if n_hidden else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
