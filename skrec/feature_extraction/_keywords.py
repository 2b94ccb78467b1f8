"""What a text is about, in its own words."""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skrec.feature_extraction._encoding import default_encoder, encode_column
from skrec.feature_extraction._phrases import Phrases
from skrec.feature_extraction._reading import read_columns
from skrec.feature_extraction._text_transformer import TextTransformer, plain_texts
from skrec.interactions import Table
from skrec.utils import (
    Matrix,
    Text,
    Tokenizer,
    Transformer,
    WordSplitter,
    check_splitter,
    fit_context,
    write_rows,
)


class KeywordExtractor(TextTransformer):
    """Find the key phrases of texts: TF-IDF proposes, embeddings choose.

    Of each text, the ``n_candidates`` phrases of the highest TF-IDF are embedded with the text itself, and
    ``n_keywords`` are taken by maximal marginal relevance: near the text, and different from those taken before. A
    phrase is a run of words within a sentence that neither begins nor ends with a stop word.

    As ``item_encoder`` it gives item vectors with a name for every column; the phrases themselves serve
    explanations.

    Parameters
    ----------
    text_encoder : transformer, default=None
        From texts to vectors; None means :class:`~skrec.feature_extraction.LLMTextEmbedder`.
    n_keywords : int, default=5
        Most phrases of a text.
    ngram_range : tuple (min_n, max_n), default=(1, 3)
        Words of a phrase.
    stop_words : {"english"}, list of str or None, default="english"
        "english" leaves out the particles and pronouns of Chinese, Japanese and Korean too.
    min_df, max_df : int or float, default=1, 1.0
        Texts that a phrase must, and may, be in: a number, or a share (float), as in
        :class:`~sklearn.feature_extraction.text.TfidfVectorizer`.
    max_features : int, default=None
        Keep the most frequent phrases of the corpus only.
    n_candidates : int, default=50
        Phrases of a text that are embedded. Each distinct one is embedded once.
    diversity : float in [0, 1], default=0.5
        Weight of the distance to the phrases taken before; 0 ranks by similarity to the text alone.
    output : {"matrix", "phrases"}, default="matrix"
        What ``transform`` returns: a sparse matrix with one column a phrase of the corpus, or the phrases.
    columns : sequence of str, default=None
        The columns of X to read; all by default. No phrase reaches from one into the next.
    template : str, default=None
        Wording of a row instead, as in :class:`~skrec.feature_extraction.LLMTextEmbedder`.
    tokenizer : callable, default=None
        From a text, in lower case, to its words and marks, in order. None follows the rules of Unicode; Chinese,
        Japanese and Korean are split by a dictionary where the extra ``cjk`` is installed.

    Attributes
    ----------
    vocabulary_ : ndarray of str
        The phrases of the corpus, sorted.
    text_encoder_ : transformer
        The fitted encoder.
    splitter_ : WordSplitter
        What split the texts; ``splitter_.libraries`` names the dictionaries that it used. A saved extractor is loaded
        only where they are installed.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Their names, where X had names.

    References
    ----------
    .. [1] J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents
       and producing summaries", SIGIR 1998.
    .. [2] K. Bennani-Smires et al., "Simple Unsupervised Keyphrase Extraction using Sentence Embeddings",
       CoNLL 2018.

    Examples
    --------
    >>> from skrec.feature_extraction import HashingTextEncoder, KeywordExtractor, LLMTextEmbedder
    >>> texts = ["The whale hunts the ship.", "A garden of roses, and more roses.", "The ship in the storm."]
    >>> extractor = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), n_keywords=2, ngram_range=(1, 1))
    >>> extractor.fit_transform(texts).shape
    (3, 6)
    >>> extractor.set_params(output="phrases").fit_transform(texts)[1]
    array(['roses', 'garden'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "text_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "n_keywords": [Interval(Integral, 1, None, closed="left")],
        "ngram_range": [tuple],
        "stop_words": [StrOptions({"english"}), list, None],
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="both")],
        "max_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="both")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "diversity": [Interval(Real, 0, 1, closed="both")],
        "output": [StrOptions({"matrix", "phrases"})],
        "columns": ["array-like", None],
        "template": [str, None],
        "tokenizer": [callable, None],
    }

    def __init__(
        self,
        text_encoder: Transformer | None = None,
        *,
        n_keywords: int = 5,
        ngram_range: tuple[int, int] = (1, 3),
        stop_words: str | list[str] | None = "english",
        min_df: float = 1,
        max_df: float = 1.0,
        max_features: int | None = None,
        n_candidates: int = 50,
        diversity: float = 0.5,
        output: str = "matrix",
        columns: Sequence[str] | None = None,
        template: str | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self.text_encoder = text_encoder
        self.n_keywords = n_keywords
        self.ngram_range = ngram_range
        self.stop_words = stop_words
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.n_candidates = n_candidates
        self.diversity = diversity
        self.output = output
        self.columns = columns
        self.template = template
        self.tokenizer = tokenizer

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.feature_extraction._hashing import HashingTextEncoder
        from skrec.feature_extraction._text_embedder import LLMTextEmbedder

        return [cls(LLMTextEmbedder(model=HashingTextEncoder()))]

    @fit_context(prefer_skip_nested_validation=True, restore_on_failure=True)
    def fit(self, X: Table, y: Any = None) -> Self:
        """Learn the phrases of a corpus and how rare they are.

        Parameters
        ----------
        X : array-like or frame
            A list, array or Series of texts, an array of shape (n_samples, n_columns), or a frame.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If no text has a phrase, or a parameter does not fit the columns.
        """
        if not _is_range(self.ngram_range):
            raise ValueError(f"ngram_range={self.ngram_range}: expected (min_n, max_n) with 1 <= min_n <= max_n.")
        texts = self._read(X, reset=True)
        self.splitter_ = WordSplitter(self.tokenizer)
        self._vectorizer = TfidfVectorizer(
            analyzer=Phrases(self.ngram_range, self.stop_words, self.splitter_),
            min_df=self.min_df,
            max_df=self.max_df,
            max_features=self.max_features,
            dtype=np.float32,
        )
        try:
            self._vectorizer.fit([text or "" for text in texts])
        except ValueError as error:
            raise ValueError(
                f"No phrase remains of the {len(texts)} texts ({error}); lower min_df, raise max_df, or pass "
                "stop_words=None."
            ) from None
        self.vocabulary_ = self._vectorizer.get_feature_names_out()
        self.text_encoder_ = clone(default_encoder(self.text_encoder))
        encode_column(self.text_encoder_, list(dict.fromkeys(text for text in texts if text)), "X", fit=True)
        return self

    def transform(self, X: Table) -> sp.csr_array | NDArray:
        """Find the key phrases of each row.

        Parameters
        ----------
        X : array-like or frame
            As in :meth:`fit`, with the same columns.

        Returns
        -------
        csr_array of shape (n_samples, n_phrases), float32
            Cosine similarity of each key phrase to its text; a missing text gives an empty row.
        ndarray of shape (n_samples, n_keywords), object
            For ``output="phrases"``: the phrases in the order in which they were taken, padded with None. It has no
            more columns than the corpus has phrases.
        """
        check_is_fitted(self)
        found = self._find(self._read(X, reset=False))
        if self.output == "matrix":
            return self._to_matrix(found)
        phrases = np.full((len(found), self._n_places), None, dtype=object)
        for row, (codes, _) in enumerate(found):
            phrases[row, : len(codes)] = self.vocabulary_[codes]
        return phrases

    def encode(self, texts: Iterable[Text]) -> sp.csr_array:
        """The sparse matrix of plain texts, whatever the columns of X were.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        csr_array of shape (n_texts, n_phrases), float32
        """
        check_is_fitted(self)
        return self._to_matrix(self._find(plain_texts(texts)))

    def extract(self, texts: Iterable[Text]) -> list[list[tuple[str, float]]]:
        """The key phrases of plain texts with their similarity to the text.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        list of lists of (phrase, similarity)
            In the order in which they were taken.
        """
        check_is_fitted(self)
        found = self._find(plain_texts(texts))
        return [
            [(str(self.vocabulary_[code]), float(value)) for code, value in zip(codes, values, strict=True)]
            for codes, values in found
        ]

    def _check_state(self) -> None:
        super()._check_state()
        if "splitter_" in self.__dict__:
            check_splitter(self.splitter_, "splitter_")

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """The phrases of the corpus, or names for the columns of phrases.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        if self.output == "matrix":
            return self.vocabulary_
        return np.array([f"keyword{j}" for j in range(self._n_places)], dtype=object)

    @property
    def _n_places(self) -> int:
        return min(self.n_keywords, len(self.vocabulary_))

    def _read(self, X: Any, reset: bool) -> list[Text]:
        columns = read_columns(self, X, reset)
        if self.template is not None:
            return write_rows(columns, self.template)
        return [". ".join(text for text in row if text) or None for row in zip(*columns.values(), strict=True)]

    def _find(self, texts: list[Text]) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Codes of the key phrases of each text, and their similarity to it."""
        if not texts:
            return []
        weights = self._vectorizer.transform([text or "" for text in texts])
        candidates = [
            _highest(weights.indices[start:stop], weights.data[start:stop], self.n_candidates)
            for start, stop in zip(weights.indptr[:-1], weights.indptr[1:], strict=True)
        ]
        used = np.unique(np.concatenate([*candidates, np.zeros(0, np.int64)]))
        present = [text for text, codes in zip(texts, candidates, strict=True) if len(codes)]
        if not present:
            return [(codes, np.zeros(0, np.float32)) for codes in candidates]
        number = {text: row for row, text in enumerate(dict.fromkeys(present))}
        phrases = self._unit_vectors(self.vocabulary_[used].tolist())
        whole = self._unit_vectors([str(text) for text in number])
        found = []
        for text, codes in zip(texts, candidates, strict=True):
            vectors = _dense(phrases[np.searchsorted(used, codes)])
            relevance = vectors @ _dense(whole[[number.get(text, 0)]])[0]
            taken = marginal_relevance(relevance, vectors, self.n_keywords, self.diversity)
            found.append((codes[taken], relevance[taken]))
        return found

    def _unit_vectors(self, texts: list[str]) -> Matrix:
        return normalize(encode_column(self.text_encoder_, texts, "phrases"))

    def _to_matrix(self, found: list[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> sp.csr_array:
        indptr = np.cumsum([0, *(len(codes) for codes, _ in found)])
        codes = np.concatenate([*(codes for codes, _ in found), np.zeros(0, np.int64)])
        values = np.concatenate([*(values for _, values in found), np.zeros(0, np.float32)]).astype(np.float32)
        matrix = sp.csr_array((values, codes, indptr), shape=(len(found), len(self.vocabulary_)))
        matrix.sort_indices()
        return matrix


def _is_range(ngram_range: tuple) -> bool:
    whole = len(ngram_range) == 2 and all(isinstance(n, Integral) for n in ngram_range)
    return whole and 1 <= ngram_range[0] <= ngram_range[1]


def marginal_relevance(relevance: NDArray, vectors: NDArray, n: int, diversity: float) -> NDArray[np.int64]:
    """Positions of ``n`` vectors, each near the target and different from those taken before it.

    Parameters
    ----------
    relevance : ndarray of shape (n_candidates,)
    vectors : ndarray of shape (n_candidates, d)
        Of unit length.
    n : int
    diversity : float in [0, 1]
    """
    taken: list[int] = []
    nearest = np.zeros(len(relevance))
    left = np.ones(len(relevance), bool)
    while left.any() and len(taken) < n:
        value = (1 - diversity) * relevance - (diversity * nearest if taken else 0)
        best = int(np.argmax(np.where(left, value, -np.inf)))
        similarity = vectors @ vectors[best]
        nearest = np.maximum(nearest, similarity) if taken else similarity
        left[best] = False
        taken.append(best)
    return np.array(taken, dtype=np.int64)


def _highest(codes: NDArray, weights: NDArray, n: int) -> NDArray[np.int64]:
    """Codes of the ``n`` greatest weights; ties by code."""
    order = np.lexsort((codes, -weights))[:n]
    return codes[order].astype(np.int64)


def _dense(rows: Matrix) -> NDArray[np.float32]:
    return np.asarray(rows.toarray() if isinstance(rows, sp.csr_array) else rows)
