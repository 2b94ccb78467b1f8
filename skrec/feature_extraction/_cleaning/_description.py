"""A look at the texts of a table before they are embedded."""

import unicodedata
from collections import Counter
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from skrec._explain import check_language, template_language
from skrec.feature_extraction._cleaning._description_words import column_names, listed, script_name
from skrec.feature_extraction._cleaning._html import is_html
from skrec.feature_extraction._encoders import TokenizerAlone, packaged_folder, readability, select_tokenizer
from skrec.feature_extraction._text_embedder import LLMTextEmbedder
from skrec.interactions import Table
from skrec.utils import as_object_array, column_texts, in_columns, main_script, table_cells, table_html

_LANGUAGES = {"zh": "Chinese", "ja": "Japanese", "ko": "Korean"}
_EAST_ASIAN = ("Cjk", "Hiragana", "Katakana", "Hangul")


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
    """The descriptions of a table's text columns; shown as text, and as a table in a notebook.

    Attributes
    ----------
    language : {"en", "de", "fr", "es", "zh"}
        What it is shown in.
    """

    language = "en"

    def __repr__(self) -> str:
        return "\n".join(in_columns([column_names(self.language), *self._rows()]))

    def _repr_html_(self) -> str:
        columns = dict(zip(column_names(self.language), map(list, zip(*self._rows(), strict=True)), strict=True))
        return table_html(columns, n_hidden=0)

    def _rows(self) -> list[tuple[str, ...]]:
        return [_cells(row, self.language) for row in self]


def describe_text(table: Table, *, encoder: LLMTextEmbedder | None = None, language: str = "en") -> TextDescription:
    """Describe the texts of a table: lengths, scripts, missing and repeated ones, HTML, and what a model cannot read.

    Parameters
    ----------
    table : array-like or dataframe
        A list, array or Series of texts, or a table; its columns of texts are described, the others are not.
    encoder : LLMTextEmbedder, default=None
        The model that is to read the texts. Its tokenizer is loaded, and not its weights. None is the model that is
        installed with skrec's extra ``demo``, if it is.
    language : str, default="en"
        BCP-47 tag or name of the language that the description is shown in, for example "zh-Hans". One without
        templates is answered in the nearest that has them, with a warning.

    Returns
    -------
    TextDescription
        A tuple with one :class:`ColumnDescription` per column of texts.

    Raises
    ------
    ValueError
        If there is no column of texts, or if ``language`` is no language.
    TypeError
        If ``encoder`` is no :class:`LLMTextEmbedder`.
    OSError
        If its tokenizer cannot be found.

    Warns
    -----
    TemplateLanguageWarning
        If ``language`` has no templates.

    Examples
    --------
    >>> from skrec import load_bookshop
    >>> from skrec.feature_extraction import describe_text
    >>> describe_text(load_bookshop(language="zh").item_features[["title", "description"]])
    column       texts  missing  duplicates  characters  longest  HTML  unreadable  scripts
    title        205    0        0           4           14       0     71%         Chinese 100%
    description  205    0        0           52          60       0     70%         Chinese 100%
    """
    check_language(language)
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
    described.language = template_language(language)
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
    """First word of a letter's Unicode name but for its width, which is its script: "LATIN SMALL LETTER A"."""
    if letter.isascii():
        return "Latin"
    name = unicodedata.name(letter, "unnamed").removeprefix("HALFWIDTH ").removeprefix("FULLWIDTH ")
    return name.split()[0].split("-")[0].capitalize()


def _cells(row: ColumnDescription, language: str) -> tuple[str, ...]:
    shares = list(row.scripts.items())[:4]
    scripts = listed([f"{script_name(script, language)} {share:.0%}" for script, share in shares], language)
    *numbers, unreadable, _ = row[1:]
    return (row.column, *map(str, numbers), "-" if unreadable is None else f"{unreadable:.0%}", scripts)
