"""Tables of the guide as rows of text, for charts that cannot disagree with them."""

import csv
import re
from pathlib import Path

HERE = Path(__file__).parent
NUMBER = re.compile(r"[-+−]?\d*\.?\d+")


def table(page: str, heading: str, nth: int = 0) -> list[list[str]]:
    """
    The nth table below a heading, header first: a csv-table, a list-table, text in columns or a simple one.

    Cells are without quotes, bold and literals.
    """
    path = HERE / "user_guide" / f"{page}.rst"
    text = path.read_text(encoding="utf-8")
    start = re.search(rf"^{re.escape(heading)}\n([=~^-])\1{{3,}}$", text, re.MULTILINE)
    if start is None:
        raise ValueError(f"{path.name} has no heading {heading!r}")
    kinds = r"^(?P<indent> *)\.\. (?P<kind>csv-table|list-table|code-block)::.*\n(?P<body>(?:(?P=indent) +.*\n|\s*\n)+)"
    simple = r"^(?P<rule>=+(?: +=+)+)\n(?P<head>(?:.+\n)+?)(?P=rule)\n(?P<rows>(?:.+\n)+?)(?P=rule)$"
    found = [
        at for at in re.finditer(f"{kinds}|{simple}", text[start.end() :], re.MULTILINE) if at["kind"] or at["rule"]
    ]
    found = [at for at in found if at["kind"] != "code-block" or "block:: text" in at[0]]
    if len(found) <= nth:
        raise ValueError(f"{path.name} has no table {nth} below {heading!r}")
    return [[cell.replace("**", "").replace("``", "").strip() for cell in row] for row in rows_of(found[nth])]


def rows_of(found: re.Match[str]) -> list[list[str]]:
    """Header and rows of one table."""
    if found["rule"]:
        return [re.split(r"\s{2,}", line.strip()) for line in (found["head"] + found["rows"]).splitlines()]
    options, _, body = found["body"].partition("\n\n")
    lines = [line.strip() for line in body.strip("\n").splitlines() if line.strip()]
    if found["kind"] == "csv-table":
        header = re.search(r":header: (.*)", options)
        if header is None:
            raise ValueError(f"a csv-table has no header: {body[:60]}")
        return list(csv.reader([header[1], *lines], skipinitialspace=True))
    if found["kind"] == "list-table":
        rows = re.split(r"^ *\* - ", body, flags=re.MULTILINE)[1:]
        return [[" ".join(cell.split()) for cell in re.split(r"^ +- ", row, flags=re.MULTILINE)] for row in rows]
    return [re.split(r"\s{2,}", line.strip()) for line in (options + "\n" + body).splitlines() if line.strip()]


def records(page: str, heading: str, nth: int = 0) -> list[dict[str, str]]:
    """The same, one dict for a row."""
    header, *rows = table(page, heading, nth)
    return [dict(zip(header, row, strict=True)) for row in rows]


def numbers(cell: str) -> list[float]:
    """The numbers in a cell: a value, or a value and the ends of its interval."""
    return [float(found.replace("−", "-")) for found in NUMBER.findall(cell.replace(",", ""))]
