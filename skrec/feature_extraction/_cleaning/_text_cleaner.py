"""Clean texts before they are embedded: HTML, addresses of pages, forms of characters, white space."""

import re
import unicodedata
from collections.abc import Collection
from typing import Any, Self

import narwhals as nw
import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils.validation import check_is_fitted

from skrec.feature_extraction._cleaning._html import html_to_text
from skrec.feature_extraction._reading import read_table
from skrec.feature_extraction._text_transformer import TextTransformer
from skrec.interactions import Table
from skrec.utils import INVISIBLE, Tokenizer, WordSplitter, as_object_array, fit_context

_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'，。；：！？、（）《》「」“”]*[^\s<>\"'，。；：！？、（）《》「」“”.,;:!?)\]]",
    re.IGNORECASE,
)
_INVISIBLE = re.compile(f"[{INVISIBLE}\x00-\x08\x0e-\x1f\x7f]")


class TextCleaner(OneToOneFeatureMixin, TextTransformer):
    """Make texts plain: no HTML, one form of each character, single spaces.

    It cleans every text in a list, an array or the text columns of a table, and leaves numbers and other columns as
    they are; so it stands before an :class:`LLMTextEmbedder` or any other encoder in a pipeline. It learns nothing.

    Parameters
    ----------
    html : bool, default=True
        Take out tags, comments, scripts and styles, and read character references (``&amp;``), by a parser of HTML.
        ``a < b``, ``<3`` and ``<no element>`` stay.
    urls : bool, default=True
        Take out addresses of pages.
    normalize : bool, default=True
        Unicode's NFKC: full-width letters and digits, ligatures and the like become their plain forms.
    lowercase : bool, default=False
        Write everything in lower case.
    stop_words : collection of str, default=None
        Words to take out, whatever their case.
    tokenizer : callable, default=None
        From a text to a list of its words, to find stop words by; by default the splitter of all languages,
        :class:`~skrec.utils.WordSplitter`.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names, where X had names.

    See Also
    --------
    describe_text : What is in the texts of a table.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrec.feature_extraction import LLMTextEmbedder, TextCleaner
    >>> TextCleaner().fit_transform(["<p>Tom &amp; Jerry</p><p>Ｒ＆Ｄ,  a < b</p>", None, "《<em>家</em>》 见 https://example.org/jia。"])
    array(['Tom & Jerry R&D, a < b', None, '《家》 见 。'], dtype=object)
    >>> encoder = make_pipeline(TextCleaner(), LLMTextEmbedder())
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "html": ["boolean"],
        "urls": ["boolean"],
        "normalize": ["boolean"],
        "lowercase": ["boolean"],
        "stop_words": ["array-like", set, frozenset, str, None],
        "tokenizer": [callable, None],
    }

    def __init__(
        self,
        *,
        html: bool = True,
        urls: bool = True,
        normalize: bool = True,
        lowercase: bool = False,
        stop_words: Collection[str] | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self.html = html
        self.urls = urls
        self.normalize = normalize
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.tokenizer = tokenizer

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Table, y: Any = None) -> Self:
        """Check the texts and the parameters; nothing is learned.

        Parameters
        ----------
        X : array-like or dataframe
            A list, array or Series of texts, an array of shape (n_samples, n_columns), or a frame that narwhals reads
            (pandas, polars, pyarrow).
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If ``stop_words`` is one text.
        """
        if isinstance(self.stop_words, str):
            raise TypeError(f"stop_words must be a list of words; got one text: write [{self.stop_words!r}].")
        read_table(self, X, reset=True)
        return self

    def transform(self, X: Table) -> Any:
        """Clean the texts.

        Parameters
        ----------
        X : array-like or dataframe
            As in :meth:`fit`, with the same columns.

        Returns
        -------
        array, Series or frame
            Of the kind and shape of X; a list gives an array. A missing text stays missing, and one of which nothing is
            left is an empty text.
        """
        check_is_fitted(self)
        read_table(self, X, reset=False)
        clean = _Clean(self)
        data: Any = nw.from_native(X, eager_only=True, allow_series=True, pass_through=True)
        if isinstance(data, nw.DataFrame):
            return data.with_columns(*(clean.column(data[name]) for name in data.columns)).to_native()
        if isinstance(data, nw.Series):
            return clean.column(data).to_native()
        array = as_object_array(X) if isinstance(X, list | tuple) else np.asarray(X)
        if array.dtype.kind in "OUT" and any(isinstance(cell, str) for cell in array.flat):
            return clean.array(array)
        return np.asarray(X)  # numbers alone, also in a list

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")


class _Clean:
    """The steps that a cleaner's parameters name, each distinct text through them once."""

    def __init__(self, cleaner: TextCleaner) -> None:
        self._cleaner = cleaner
        self._splitter = WordSplitter(cleaner.tokenizer)
        self._stop_words = {str(word).casefold() for word in cleaner.stop_words or ()}
        self._known: dict[str, str] = {}

    def __call__(self, text: Any) -> Any:
        if not isinstance(text, str):
            return text
        if text not in self._known:
            self._known[text] = self._clean(text)
        return self._known[text]

    def column(self, values: nw.Series) -> nw.Series:
        if values.dtype not in (nw.String, nw.Categorical, nw.Enum, nw.Object):
            return values
        cleaned = [self(value) for value in values.to_list()]
        dtype = nw.Object if values.dtype == nw.Object else nw.String
        if dtype == nw.Object and all(value is None or isinstance(value, str) for value in cleaned):
            dtype = nw.String
        return nw.new_series(values.name, cleaned, dtype, backend=values.implementation)

    def array(self, values: np.ndarray) -> np.ndarray:
        cleaned = np.empty(values.size, dtype=object)
        cleaned[:] = [self(value) for value in values.flat]
        return cleaned.reshape(values.shape)

    def _clean(self, text: str) -> str:
        chosen = self._cleaner
        if chosen.html:
            text = html_to_text(text)
        if chosen.urls:
            text = _URL.sub(" ", text)
        if chosen.normalize and not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        text = _INVISIBLE.sub("", text)
        if self._stop_words:
            text = self._without_stop_words(text)
        if chosen.lowercase:
            text = text.lower()
        return " ".join(text.split())

    def _without_stop_words(self, text: str) -> str:
        kept, end_before = [], 0
        for start, end in self._splitter.spans(text):
            if text[start:end].casefold() in self._stop_words and start >= end_before:
                kept.append(text[end_before:start])
                end_before = end
        return "".join([*kept, text[end_before:]])
