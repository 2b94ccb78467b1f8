"""Suggested queries: key phrases of the catalogue that match the taste and the typed text of a user."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from skrec.base import MetaRecommender
from skrec.exceptions import FeatureCoverageWarning
from skrec.feature_extraction import KeywordExtractor
from skrec.interactions import History, Ids, Table, check_k, errors_name, read_features
from skrec.utils import (
    Recommender,
    WordSplitter,
    align,
    caller_level,
    check_csr,
    check_texts,
    content_words,
    is_spaceless,
    on_snapshot,
    plain_output,
    simplified,
    with_rows,
)

_SPLITTER = WordSplitter()
_LONGEST_ENDING = 2


class QuerySuggester(MetaRecommender):
    """Suggest queries in free text: key phrases of items that continue the typed text.

    Every suggestion is a phrase of the text of some item, so that a search for it finds something. Phrases are
    ranked by their items: by the items that the recommender ranks first for the user, and by all items of the
    catalogue weighted by popularity. Without a user, popularity alone counts.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted; a :class:`~sklearn.frozen.FrozenEstimator` is kept as it is.
    extractor : KeywordExtractor, default=None
        Finds the phrases of ``item_features``. None is ``KeywordExtractor(min_df=2, n_keywords=8)``, which embeds
        each phrase that occurs in at least two items once.
    n_items : int, default=30
        Number of recommended items whose phrases count; earlier items weigh more.
    taste_weight : float in [0, 1], default=0.8
        Weight of these items against the whole catalogue.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.
    extractor_ : KeywordExtractor or None
        The fitted extractor; None where items have no text.
    keywords_ : csr_array of shape (n_items, n_phrases)
        Weight of each phrase for each item, in catalogue order.

    Notes
    -----
    ``recommend``, ``predict``, ``similar_items``, ``search`` and ``explain`` are those of the recommender.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.feature_extraction import HashingTextEncoder, KeywordExtractor, LLMTextEmbedder
    >>> from skrec.llm import QuerySuggester
    >>> X = pd.DataFrame({"user": [1, 1, 2], "item": [10, 20, 20]})
    >>> books = pd.DataFrame({"item": [10, 20, 30], "text": ["a walled garden", "a stormy sea", "a sea garden"]})
    >>> extractor = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), ngram_range=(1, 2))
    >>> rec = QuerySuggester(PopularRecommender(), extractor).fit(X, item_features=books)
    >>> rec.suggest_queries("se", k=2)
    [['sea', 'stormy sea']]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "extractor": [HasMethods(["fit", "transform", "get_feature_names_out"]), None],
        "n_items": [Interval(Integral, 1, None, closed="left")],
        "taste_weight": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        recommender: Recommender,
        extractor: KeywordExtractor | None = None,
        *,
        n_items: int = 30,
        taste_weight: float = 0.8,
    ) -> None:
        self.recommender = recommender
        self.extractor = extractor
        self.n_items = n_items
        self.taste_weight = taste_weight

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender
        from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder

        return [cls(PopularRecommender(), KeywordExtractor(LLMTextEmbedder(model=HashingTextEncoder())))]

    # Fit -------------------------------------------------------------------------------------------------

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self.extractor_: Any = None
        self.keywords_ = sp.csr_array((len(self.items_), 0), dtype=np.float32)
        self._phrases: list[str] = []
        self._read_keywords(item_features)
        if not self._phrases:
            warnings.warn(
                "No item has a text, so there are no phrases to suggest; pass item_features with text columns.",
                FeatureCoverageWarning,
                stacklevel=caller_level(),
            )

    def _check_state(self) -> None:
        super()._check_state()
        if "keywords_" in self.__dict__:
            check_csr(self.keywords_, "keywords_", (len(self.items_), len(self._phrases)))
            check_texts(self._phrases, "_phrases", len(self._phrases), optional=False)

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self.keywords_ = sp.csr_array(with_rows(self.keywords_, None, None, len(self.items_)))
        self._read_keywords(item_features)

    @plain_output()
    def _read_keywords(self, item_features: Any) -> None:
        """Extract the phrases of new rows; the first table fits the extractor."""
        if item_features is None:
            return
        features = read_features(item_features, "item_features")
        if self.extractor_ is None:
            extractor = KeywordExtractor(min_df=2, n_keywords=8) if self.extractor is None else clone(self.extractor)
            with errors_name("item_features"):
                self.extractor_ = extractor.set_params(output="matrix").fit(features.values)
            self._phrases = [str(phrase) for phrase in self.extractor_.get_feature_names_out()]
            self.keywords_ = sp.csr_array((len(self.items_), len(self._phrases)), dtype=np.float32)
        codes, n_items = self._item_index.codes(features.ids, "item_features"), len(self.items_)
        rows = np.flatnonzero(codes >= 0)  # a recommender without feature tables may not know every item
        with errors_name("item_features"):
            found = sp.csr_array(self.extractor_.transform(features.values))[rows]
        self.keywords_ = sp.csr_array(
            with_rows(self.keywords_, align(found, codes[rows], n_items), codes[rows], n_items)
        )

    # Suggest ---------------------------------------------------------------------------------------------

    @on_snapshot
    def suggest_queries(
        self,
        prefix: str | Sequence[str | None] | None = None,
        users: Ids | None = None,
        k: int = 5,
        *,
        history: History | None = None,
        context: Table | None = None,
    ) -> list[list[str]]:
        """Suggest phrases to search for, best first.

        Parameters
        ----------
        prefix : str, or list of n str or None, default=None
            The typed text, one for all users or one per user: the beginning of a phrase or of a word in it, and in
            scripts without spaces any part. Where fewer than ``k`` phrases continue it, those that share words with it
            follow. Case and accents are ignored. A trailing space ends a word. None or a blank text allows all phrases.
        users : array-like of n ids, default=None
            None means the users of ``history``. Without a history, suggestions are not personalised.
        k : int, default=5
            Number of suggestions.
        history, context
            As in the recommender's ``recommend``.

        Returns
        -------
        list of n lists of str
            At most ``k`` per user, fewer where fewer phrases match. One list without users and with one prefix.

        Raises
        ------
        ValueError
            If the numbers of prefixes and users differ, or ``k`` is below 1.
        TypeError
            If a prefix is not a string.
        """
        check_is_fitted(self)
        k = check_k(k)
        near = None
        if users is not None or history is not None:
            near = self._retrieve(users, self.n_items, history=history, context=context)
        prefixes = _prefixes(prefix, None if near is None else len(near))
        everywhere = _unit_mass(np.log1p(self.popularity_) + 1) @ self.keywords_
        plain = [_plain(phrase) for phrase in self._phrases]
        suggested = []
        for row, typed in enumerate(prefixes):
            worth = everywhere
            if near is not None:
                worth = self._near(near.codes[row]) * self.taste_weight + everywhere * (1 - self.taste_weight)
            suggested.append(self._best(worth, plain, typed, k))
        return suggested

    def _near(self, codes: NDArray) -> NDArray[np.floating]:
        """Weights of the phrases by ranked items."""
        codes = codes[codes >= 0]
        weight: NDArray[np.floating] = _unit_mass(1 / np.log2(np.arange(len(codes)) + 2)) @ self.keywords_[codes]
        return weight

    def _best(self, worth: NDArray, plain: list[str], typed: str, k: int) -> list[str]:
        """The best phrases that continue the typed text; of two similar ones the first."""
        taken: list[int] = []
        for at in np.argsort(-worth, kind="stable").tolist():
            if worth[at] <= 0 or len(taken) == k:
                break
            if _continues(plain[at], typed) and not any(_is_similar(plain[at], plain[other]) for other in taken):
                taken.append(at)
        if len(taken) < k and typed:
            self._add_by_words(taken, worth, plain, typed, k)
        return [self._phrases[at] for at in taken]

    def _add_by_words(self, taken: list[int], worth: NDArray, plain: list[str], typed: str, k: int) -> None:
        """Add phrases that share words with the typed text, most words first: "films about dogs" finds "old dog"."""
        splitter = getattr(self.extractor_, "splitter_", None) or _SPLITTER
        words = content_words(typed, splitter)
        shared = np.array([sum(_has_word(phrase, word) for word in words) for phrase in plain])
        for at in np.lexsort((-worth, -shared)).tolist():
            if shared[at] == 0 or len(taken) == k:
                break
            is_new = worth[at] > 0 and plain[at] != typed.strip() and at not in taken
            if is_new and not any(_is_similar(plain[at], plain[other]) for other in taken):
                taken.append(at)


def _prefixes(prefix: Any, n: int | None) -> list[str]:
    if not (prefix is None or isinstance(prefix, Iterable)) or getattr(prefix, "shape", None) == ():
        raise TypeError(f"prefix must be a string, or one per user; got {prefix!r} of type {type(prefix).__name__}.")
    given = [prefix] * (n if n is not None else 1) if prefix is None or isinstance(prefix, str) else list(prefix)
    for one in given:
        if not (one is None or isinstance(one, str)):
            raise TypeError(f"prefix must be a string, or one per user; got {one!r} of type {type(one).__name__}.")
    if n is not None and len(given) != n:
        raise ValueError(f"prefix has {len(given)} texts for {n} users; pass one text, or one per user.")
    return [_plain(one or "") + " " * ((one or "").strip() != "" and (one or "")[-1:].isspace()) for one in given]


def _continues(phrase: str, typed: str) -> bool:
    inside = is_spaceless(typed) and typed.strip() in phrase
    return phrase != typed and (phrase.startswith(typed) or f" {typed}" in phrase or inside)


def _has_word(phrase: str, word: str) -> bool:
    """Whether a phrase has a word, or a form of it with another ending: "dog" for "dogs"."""
    if is_spaceless(word):
        return word in phrase
    for other in phrase.split():
        shorter, longer = sorted((word, other), key=len)
        if longer.startswith(shorter) and len(longer) - len(shorter) <= _LONGEST_ENDING:
            return True
    return False


def _is_similar(phrase: str, taken: str) -> bool:
    """Whether a chosen phrase contains all words of a phrase, or both differ by an ending only."""
    if is_spaceless(phrase):
        return phrase in taken
    shorter, longer = sorted((phrase, taken), key=len)
    ending = longer.removeprefix(shorter)
    return set(phrase.split()) <= set(taken.split()) or (ending != longer and len(ending) <= 3 and " " not in ending)


def _plain(text: str) -> str:
    """Lower case, without accents and repeated spaces; traditional Chinese signs as simplified ones."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return simplified(" ".join("".join(sign for sign in parts if not unicodedata.combining(sign)).split()))


def _unit_mass(weights: NDArray) -> NDArray[np.floating]:
    return weights / max(float(weights.sum()), 1e-12)
