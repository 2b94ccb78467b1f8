"""Text files become columns: encoding, delimiter and header of delimited text, objects of JSON."""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DELIMITERS = (",", ";", "\t", "|", "::")
_SAMPLED_LINES = 50
_UNIT_SEPARATOR = "\x1f"  # stands for a delimiter of two characters, which the csv module does not read
_LEAST_SHARE_OF_COMMON_CHARACTERS = 0.9


def read_text_table(
    path: Path, encoding: str | None, delimiter: str | None, columns: Sequence[str] | None
) -> tuple[dict[str, list[str | None]], dict[str, str]]:
    """Columns of text of a delimited file; an empty cell is None.

    Parameters
    ----------
    path : Path
        Ends in .gz where the file is compressed.
    encoding, delimiter : str or None
        None finds them out.
    columns : sequence of str or None
        Names of the columns of a file without a header line.

    Returns
    -------
    columns : dict from name to list
    found : dict
        Encoding and delimiter.

    Raises
    ------
    ValueError
        If the encoding or the delimiter cannot be determined, if there is no header, or if lines have different widths.
    """
    text, encoding = _decode(_unpacked(path), encoding, path)
    if not text.strip():
        raise ValueError(f"{path.name} is empty; expected a header line and one line per event.")
    delimiter = delimiter or _find_delimiter(text, path)
    cells = _cells(text, delimiter, path)
    header = list(columns) if columns is not None else [name.strip() for name in cells.pop(0)]
    found = {"encoding": encoding, "delimiter": delimiter}
    if columns is None:
        twice = _drop_identical_columns(header, cells)
        found |= {"identical columns read once": ", ".join(twice)} if twice else {}
        _check_header(header, path)
    for number, row in enumerate(cells):
        if len(row) != len(header):
            raise ValueError(
                f"{path.name}: record {number + 1 + (columns is None)} has {len(row)} cells and the header has "
                f"{len(header)} ({header}). Check the delimiter (read as {delimiter!r}) and the quotes."
            )
    by_column = zip(*cells, strict=True) if cells else [()] * len(header)
    table = {name: [cell.strip() or None for cell in column] for name, column in zip(header, by_column, strict=True)}
    return table, found


def read_json_table(path: Path, encoding: str | None) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Columns of a file of JSON objects, one a line or all in one list.

    An object inside an object becomes columns with a dot, as ``product.id``; what an object lacks is None.

    Parameters
    ----------
    path : Path
        Ends in .gz where the file is compressed.
    encoding : str or None
        None finds it out.

    Returns
    -------
    columns : dict from name to list
    found : dict
        Encoding.

    Raises
    ------
    ValueError
        If the file is empty or holds something else; the message names the line.
    """
    text, encoding = _decode(_unpacked(path), encoding, path)
    rows = [dict(_flat(row)) for row in _json_objects(text, path)]
    if not rows:
        raise ValueError(f"{path.name} is empty; expected one JSON object per event.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}, {"encoding": encoding}


def _json_objects(text: str, path: Path) -> Iterator[dict[str, Any]]:
    is_list = text.lstrip().startswith("[")
    lines = [(1, text)] if is_list else [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for number, line in lines:
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}, is not JSON: {error}.") from None
        for row in value if is_list else [value]:
            if not isinstance(row, dict):
                raise ValueError(
                    f"{path.name}, line {number}, holds {json.dumps(row)[:60]}; expected one object per event, as in "
                    '{"user": "u1", "item": "i7"}.'
                )
            yield row


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _decode(raw: bytes, encoding: str | None, path: Path) -> tuple[str, str]:
    if encoding is not None:
        return raw.decode(encoding).removeprefix("\ufeff"), encoding
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16"), "utf-16"
    try:
        return raw.decode("utf-8-sig"), "utf-8 with BOM" if raw.startswith(b"\xef\xbb\xbf") else "utf-8"
    except UnicodeDecodeError as error:
        text = _decode_chinese(raw)
        if text is not None:
            return text, "gbk"
        raise ValueError(
            f"{path.name} is not UTF-8 (byte {error.start} is 0x{raw[error.start]:02x}). Pass its encoding, as in "
            "encoding='cp1252' for Western European files or encoding='gb18030' for Chinese ones."
        ) from None


def _decode_chinese(raw: bytes) -> str | None:
    """The text where it is clearly GBK.

    Many a Latin-1 text can be decoded as GBK too, into rare characters: the common ones of GB2312 decide.
    """
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        return None
    foreign = [character for character in text if ord(character) > 127]
    common = sum(len(character.encode("gb2312", "ignore")) == 2 for character in foreign)
    return text if common >= _LEAST_SHARE_OF_COMMON_CHARACTERS * len(foreign) else None


def _cells(text: str, delimiter: str, path: Path) -> list[list[str]]:
    if len(delimiter) > 1:
        text, delimiter = text.replace(delimiter, _UNIT_SEPARATOR), _UNIT_SEPARATOR
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise ValueError(f"{path.name} cannot be read as delimited text: {error}.") from None


def _find_delimiter(text: str, path: Path) -> str:
    """The delimiter that cuts the first lines into the most columns, the same number in each."""
    lines = text.splitlines()
    sample, is_cut = "\n".join(lines[:_SAMPLED_LINES]), len(lines) > _SAMPLED_LINES
    widths = {}
    for delimiter in DELIMITERS:
        records = _cells(sample, delimiter, path)
        # The last record may go on behind the sample, where a line break lies in quotes.
        found = {len(row) for row in (records[:-1] if is_cut and len(records) > 1 else records)}
        if len(found) == 1 and (width := found.pop()) > 1:
            widths[delimiter] = width
    if not widths:
        raise ValueError(
            f"The delimiter of {path.name} cannot be determined: none of {list(DELIMITERS)} cuts its first lines into "
            "equal numbers of cells. Pass delimiter='...'."
        )
    most = max(widths.values())
    best = [delimiter for delimiter, width in widths.items() if width == most]
    if len(best) > 1:
        raise ValueError(f"The delimiter of {path.name} may be any of {best}; pass delimiter='...'.")
    return best[0]


def _drop_identical_columns(header: list[str], cells: list[list[str]]) -> list[str]:
    """Columns of one name and the same cells become one, in place; their names."""
    doubled = []
    for at in reversed(range(len(header))):
        first = header.index(header[at])
        if first < at and all(len(row) == len(header) and row[first] == row[at] for row in cells):
            doubled.append(header.pop(at))
            for row in cells:
                del row[at]
    return sorted(set(doubled))


def _check_header(header: list[str], path: Path) -> None:
    if all(_is_number(name) for name in header if name) or not any(header):
        raise ValueError(
            f"{path.name} has no header line: it starts with {header}. Pass the names of its columns, as in "
            "columns=['user', 'item', 'rating', 'timestamp']."
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path.name} has several columns named {twice[0]!r} that differ; rename all but one.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
