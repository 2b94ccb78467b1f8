"""A look at the texts of a table before they are embedded."""

import unicodedata
from collections import Counter
from html import escape
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from skrec.feature_extraction._cleaning._html import is_html
from skrec.feature_extraction._encoders import TokenizerAlone, packaged_folder, readability, select_tokenizer
from skrec.feature_extraction._text_embedder import LLMTextEmbedder
from skrec.interactions import Table
from skrec.utils import as_object_array, column_texts, in_columns, main_script, table_cells

_LANGUAGES = {"zh": "Chinese", "ja": "Japanese", "ko": "Korean"}
_EAST_ASIAN = ("Cjk", "Hiragana", "Katakana", "Hangul")
_COLUMNS = ("column", "texts", "missing", "duplicates", "characters", "longest", "HTML", "unreadable", "scripts")


class ColumnDescription(NamedTuple):
    """What is in the texts of one column.

    Attributes
    ----------
    column : str
    n_texts : int
        Rows with a text.
    n_missing : int
        Rows without one.
    n_duplicates : int
        Texts that stand in an earlier row too.
    median_length, max_length : int
        In characters.
    n_html : int
        Texts with tags or character references of HTML.
    unreadable_share : float or None
        Share of the words, and in scripts without spaces of the characters, that a text model cannot read, in a sample
        of the texts; None where the model has no tokenizer here.
    scripts : dict of str to float
        Share of the texts by what they are written in, the most frequent first: "Chinese", "Japanese" and "Korean" by
        their signs, else the script ("Latin", "Cyrillic", ...); "none" for texts without a letter.
    """

    column: str
    n_texts: int
    n_missing: int
    n_duplicates: int
    median_length: int
    max_length: int
    n_html: int
    unreadable_share: float | None
    scripts: dict[str, float]


class TextDescription(tuple[ColumnDescription, ...]):
    """The descriptions of a table's text columns; shown as text, and as a table in a notebook."""

    def __repr__(self) -> str:
        rows = [_COLUMNS, *map(_cells, self)]
        return "\n".join(in_columns(rows))

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(row))}</tr>" for row in self)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def describe_text(table: Table, *, encoder: LLMTextEmbedder | None = None) -> TextDescription:
    """Describe the texts of a table: lengths, scripts, missing and repeated ones, HTML, and what a model cannot read.

    Parameters
    ----------
    table : array-like or dataframe
        A list, array or Series of texts, or a table; its columns of texts are described, the others are not.
    encoder : LLMTextEmbedder, default=None
        The model that is to read the texts. Its tokenizer is loaded, and not its weights. None is the model that is
        installed with skrec's extra ``demo``, if it is.

    Returns
    -------
    TextDescription
        A tuple with one :class:`ColumnDescription` per column of texts.

    Raises
    ------
    ValueError
        If there is no column of texts.
    TypeError
        If ``encoder`` is no :class:`LLMTextEmbedder`.
    OSError
        If its tokenizer cannot be found.

    Examples
    --------
    >>> from skrec import load_bookshop
    >>> from skrec.feature_extraction import describe_text
    >>> describe_text(load_bookshop(language="zh").item_features[["title", "description"]])
    column       texts  missing  duplicates  characters  longest  HTML  unreadable  scripts
    title        205    0        0           4           14       0     71%         Chinese 100%
    description  205    0        0           52          60       0     70%         Chinese 100%
    """
    if encoder is None:
        encoder = LLMTextEmbedder()
        tokenizer = select_tokenizer(encoder) if packaged_folder(encoder.model) is not None else None
    elif isinstance(encoder, LLMTextEmbedder):
        tokenizer = select_tokenizer(encoder)
    else:
        raise TypeError(
            "encoder must be an LLMTextEmbedder, such as LLMTextEmbedder('intfloat/multilingual-e5-small'); got "
            f"{encoder!r}."
        )
    columns = {name: cells for name, cells in _text_columns(table).items() if any(isinstance(c, str) for c in cells)}
    described = TextDescription(_describe(name, cells, tokenizer) for name, cells in columns.items())
    if not described:
        raise ValueError("The table has no column of texts; pass a list of texts, or a table with a column of them.")
    return described


def _text_columns(table: Any) -> dict[str, list[Any]]:
    if isinstance(table, str):
        raise TypeError(f"table must hold texts; got one text: write [{table!r}].")
    data = nw.from_native(table, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(data, nw.Series):
        return {data.name or "text": data.to_list()}
    if not isinstance(data, nw.DataFrame):
        data = as_object_array(list(table)) if isinstance(table, list | tuple) else np.asarray(table)
        if data.ndim == 1:
            return {"text": list(data)}
    return table_cells(table if isinstance(data, nw.DataFrame) else data)


def _describe(name: str, cells: list[Any], tokenizer: TokenizerAlone | None) -> ColumnDescription:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    texts = [text for text in column_texts(column) if text is not None]
    lengths = [len(text) for text in texts]
    scripts = Counter(_script(text) for text in texts)
    return ColumnDescription(
        column=name,
        n_texts=len(texts),
        n_missing=len(cells) - len(texts),
        n_duplicates=len(texts) - len(set(texts)),
        median_length=round(float(np.median(lengths))),
        max_length=max(lengths),
        n_html=sum(map(is_html, texts)),
        unreadable_share=None if (read := readability(tokenizer, texts)) is None else read.unread_share,
        scripts={script: n / len(texts) for script, n in scripts.most_common()},
    )


def _script(text: str) -> str:
    """Name of the script that most letters of a text are of."""
    letters = Counter(_letter_script(letter) for letter in text if letter.isalpha())
    if not letters:
        return "none"
    script = letters.most_common(1)[0][0]
    language = main_script(text) if script in _EAST_ASIAN else None
    return script if language is None else _LANGUAGES[language]


def _letter_script(letter: str) -> str:
    """First word of a letter's Unicode name, which is its script: "LATIN SMALL LETTER A"."""
    if letter.isascii():
        return "Latin"
    return unicodedata.name(letter, "unnamed").split()[0].split("-")[0].capitalize()


def _cells(row: ColumnDescription) -> tuple[str, ...]:
    scripts = ", ".join(f"{script} {share:.0%}" for script, share in list(row.scripts.items())[:4])
    *numbers, unreadable, _ = row[1:]
    return (row.column, *map(str, numbers), "-" if unreadable is None else f"{unreadable:.0%}", scripts)
