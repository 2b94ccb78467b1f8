"""Texts to vectors by the words and the parts of words that they share: no weights, no network, any language."""

import hashlib
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skrec.feature_extraction._ngrams._folding import fold_text, words_of
from skrec.feature_extraction._reading import read_texts
from skrec.feature_extraction._text_transformer import TextTransformer, plain_texts
from skrec.interactions import Table
from skrec.utils import RandomState, Text, Tokenizer, WordSplitter, check_array, fit_context

_BLOCK = 4096  # texts whose n-grams are counted at a time: what bounds the memory of transform
_NOISE = 1e-4  # length of a projected row below which it is rounding


class NgramTextEncoder(ClassNamePrefixFeaturesOutMixin, TextTransformer):
    """Encode texts by the n-grams of words and characters that they share.

    TF-IDF of words and of short runs of characters, reduced by a truncated singular value decomposition (latent
    semantic analysis) [1]_ and scaled to length 1. It learns from the catalogue itself, needs no weights and no
    network, takes seconds, and works in every language, with or without spaces between words: it is the encoder for
    texts that the installed model cannot read, and the baseline of every other. It knows which words occur together,
    and nothing else of what they mean: a word that ``fit`` has not seen counts by the parts that it shares.

    It stands wherever an :class:`LLMTextEmbedder` does. Texts that come later are transformed by what ``fit`` learned.

    Parameters
    ----------
    n_components : int, default=256
        Length of the vectors, at most the number of distinct texts.
    columns : sequence of str, default=None
        The columns of X to write out; all by default.
    template : str, default=None
        Wording of a row, such as ``"{title} by {author}"``, as in :class:`LLMTextEmbedder`.
    char_ngram_range : tuple (min_n, max_n) or None, default=(2, 4)
        Lengths of runs of characters within what stands between spaces; None for none.
    word_ngram_range : tuple (min_n, max_n) or None, default=(1, 1)
        Lengths of runs of words; None for none.
    tokenizer : callable, default=None
        From a text to a list of its words, such as ``rjieba.cut`` for Chinese. By default a word is what stands between
        spaces and punctuation, and each Chinese character and each symbol is one of its own.
    min_df : int, default=1
        Texts that an n-gram must occur in.
    max_samples : int or None, default=20_000
        Learn from at most so many distinct texts, drawn at random; None for all.
    random_state : int, RandomState instance or None, default=0
        Seed of the decomposition and of the draw.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names, where X had names.
    n_features_out_ : int
        Length of the vectors.
    components_ : float32 array of shape (n_features_out, n_ngrams)
        The axes of the vectors.

    See Also
    --------
    LLMTextEmbedder : Vectors of a language model.
    TextEncoderUnion : Both side by side.

    Notes
    -----
    Texts are compared after Unicode normalisation (NFKC: half-width and full-width forms are the same), without case
    and without invisible marks such as those of writing direction; traditional Chinese signs are read as simplified
    ones. A missing text, and one that shares nothing with those of ``fit``, give a row of zeros. In a catalogue of many
    languages one that few texts are written in gets few of the axes: raise ``n_components`` there.

    References
    ----------
    .. [1] S. Deerwester et al., "Indexing by Latent Semantic Analysis", Journal of the American Society for
       Information Science 41, 1990.

    Examples
    --------
    >>> from skrec.feature_extraction import NgramTextEncoder
    >>> encoder = NgramTextEncoder().fit(["监狱的故事", "电视剧", "机械键盘", "现代农业"])
    >>> similarity = encoder.encode_query(["监狱"]) @ encoder.encode(["监狱的故事", "电视剧", "机械键盘"]).T
    >>> similarity.round(1) + 0
    array([[1., 0., 0.]], dtype=float32)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "columns": ["array-like", None],
        "template": [str, None],
        "char_ngram_range": [tuple, list, None],
        "word_ngram_range": [tuple, list, None],
        "tokenizer": [callable, None],
        "min_df": [Interval(Integral, 1, None, closed="left")],
        "max_samples": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        return [cls(n_components=8)]

    def __init__(
        self,
        n_components: int = 256,
        *,
        columns: Sequence[str] | None = None,
        template: str | None = None,
        char_ngram_range: tuple[int, int] | None = (2, 4),
        word_ngram_range: tuple[int, int] | None = (1, 1),
        tokenizer: Tokenizer | None = None,
        min_df: int = 1,
        max_samples: int | None = 20_000,
        random_state: RandomState = 0,
    ) -> None:
        self.n_components = n_components
        self.columns = columns
        self.template = template
        self.char_ngram_range = char_ngram_range
        self.word_ngram_range = word_ngram_range
        self.tokenizer = tokenizer
        self.min_df = min_df
        self.max_samples = max_samples
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True, restore_on_failure=True)
    def fit(self, X: Table, y: Any = None) -> Self:
        """Learn the n-grams of the texts, how rare they are, and the axes.

        Parameters
        ----------
        X : array-like or dataframe
            As in :meth:`LLMTextEmbedder.fit`: texts, or rows to be written out as text.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter does not fit, or the texts hold nothing that it counts.
        """
        self._fit(read_texts(self, X, reset=True))
        return self

    @fit_context(prefer_skip_nested_validation=True, restore_on_failure=True)
    def fit_transform(self, X: Table, y: Any = None) -> NDArray[np.float32]:
        """Fit and encode.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float32
        """
        texts = read_texts(self, X, reset=True)
        self._fit(texts)
        return self._encode(texts)

    def transform(self, X: Table) -> NDArray[np.float32]:
        """Encode the texts, or the rows written out as text.

        Parameters
        ----------
        X : array-like or dataframe
            As in :meth:`fit`, with the same columns.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float32
            Rows of length 1; zeros for a missing text, and for one that shares nothing with those of ``fit``.
        """
        check_is_fitted(self)
        return self._encode(read_texts(self, X, reset=False))

    def encode(self, texts: Iterable[str | None]) -> NDArray[np.float32]:
        """Encode plain texts: neither ``columns`` nor ``template`` applies.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_features_out), float32
        """
        check_is_fitted(self)
        return self._encode(plain_texts(texts))

    def encode_query(self, texts: Iterable[str | None]) -> NDArray[np.float32]:
        """Encode what is searched for; the same as :meth:`encode`.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_features_out), float32
        """
        return self.encode(texts)

    @property
    def fingerprint(self) -> str:
        """Names what is computed, for the caches of an :class:`LLMTextEmbedder` that holds this as its model."""
        check_is_fitted(self)
        learned = hashlib.blake2b(np.ascontiguousarray(self.components_).tobytes(), digest_size=16)
        for part in self._vectorizers:
            learned.update("\n".join(part.vocabulary_).encode("utf-8", "replace") + part.idf_.tobytes())
        return f"ngrams-1-{learned.hexdigest()}"

    def _fit(self, texts: Sequence[Text]) -> None:
        ranges = {"char_ngram_range": self.char_ngram_range, "word_ngram_range": self.word_ngram_range}
        for name, value in ranges.items():
            _check_range(name, value)
        if self.char_ngram_range is None and self.word_ngram_range is None:
            raise ValueError("char_ngram_range and word_ngram_range are both None; leave one of them.")
        rng = check_random_state(self.random_state)
        distinct = list(dict.fromkeys(fold_text(text) for text in texts if text is not None))
        if self.max_samples is not None and len(distinct) > self.max_samples:
            distinct = [distinct[i] for i in np.sort(rng.choice(len(distinct), self.max_samples, replace=False))]
        self._vectorizers = [part for part in self._make_vectorizers() if _learns(part, distinct)]
        if not self._vectorizers and any(text.strip() for text in distinct):
            raise ValueError(
                f"None of {len(distinct)} distinct texts holds an n-gram that is counted (char_ngram_range="
                f"{self.char_ngram_range}, word_ngram_range={self.word_ngram_range}, min_df={self.min_df}, tokenizer="
                f"{self.tokenizer}); lower min_df, or leave the defaults."
            )
        counts = self._count(distinct)
        n_components = min(self.n_components, *counts.shape) if self._vectorizers else 0
        if n_components:
            with np.errstate(invalid="ignore", divide="ignore"):  # shares of a variance that is zero with one text
                svd = TruncatedSVD(n_components, random_state=rng).fit(counts)
            self.components_ = np.asarray(svd.components_, dtype=np.float32)
        else:  # every text is missing or empty: one column of zeros, as no width at all is what few steps take
            self.components_ = np.zeros((1, counts.shape[1]), np.float32)
        self.n_features_out_ = len(self.components_)

    def _make_vectorizers(self) -> list[TfidfVectorizer]:
        shared = {"sublinear_tf": True, "lowercase": False, "dtype": np.float32, "min_df": self.min_df}
        parts = []
        if self.word_ngram_range is not None:
            words = words_of if self.tokenizer is None else WordSplitter(self.tokenizer).words
            ngrams = tuple(self.word_ngram_range)
            parts.append(TfidfVectorizer(tokenizer=words, token_pattern=None, ngram_range=ngrams, **shared))
        if self.char_ngram_range is not None:
            parts.append(TfidfVectorizer(analyzer="char_wb", ngram_range=tuple(self.char_ngram_range), **shared))
        return parts

    def _count(self, folded: Sequence[str]) -> sp.csr_matrix:
        if not self._vectorizers:
            return sp.csr_matrix((len(folded), 0), dtype=np.float32)
        return sp.hstack([part.transform(folded) for part in self._vectorizers], format="csr")

    def _encode(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        position: dict[str, int] = {}
        inverse = [-1 if text is None else position.setdefault(fold_text(text), len(position)) for text in texts]
        distinct = list(position)
        # Row -1, the last, is the zero vector of missing texts.
        vectors = np.zeros((len(distinct) + 1, self.n_features_out_), dtype=np.float32)
        if self._vectorizers:
            for start in range(0, len(distinct), _BLOCK):
                block = self._count(distinct[start : start + _BLOCK]) @ self.components_.T
                block[np.linalg.norm(block, axis=1) < _NOISE] = 0
                vectors[start : start + len(block)] = normalize(block)
        return vectors[inverse]

    @property
    def _n_features_out(self) -> int:
        return self.n_features_out_

    def _check_state(self) -> None:
        super()._check_state()
        if hasattr(self, "components_"):
            n_ngrams = sum(len(part.vocabulary_) for part in self._vectorizers)
            check_array(self.components_, "components_", (self.n_features_out_, n_ngrams))


def _check_range(name: str, value: Any) -> None:
    if value is None:
        return
    if len(value) != 2 or not all(isinstance(n, Integral) for n in value) or not 1 <= value[0] <= value[1]:
        raise ValueError(f"{name}={value!r}: expected (min_n, max_n) with 1 <= min_n <= max_n, or None.")


def _learns(vectorizer: TfidfVectorizer, texts: list[str]) -> bool:
    """Fit, and say whether anything is left to count."""
    try:
        vectorizer.fit(texts)
    except ValueError as error:
        if any(reason in str(error) for reason in ("empty vocabulary", "no terms remain", "max_df corresponds")):
            return False
        raise
    return True
