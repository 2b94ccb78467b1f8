"""Lists that are diverse, calibrated, or less popular than those of the recommender inside."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_samples

from skrec.base import MetaRecommender
from skrec.compose._item_categories import ItemCategories, check_categories
from skrec.compose._item_space import ItemSpace, check_space
from skrec.compose._relevance import chosen_lists, relevance, self_information
from skrec.exceptions import FeatureCoverageWarning
from skrec.interactions import (
    Histories,
    Recommendations,
    list_length,
)
from skrec.utils import Recommender, caller_level

_LISTS_PER_BLOCK = 64


class DiversityReranker(MetaRecommender):
    r"""Rerank the lists of a recommender for diversity, or in the proportions of each user's history.

    The next item of a list is, of the candidates that the recommender has retrieved, the one with the largest

    - ``"mmr"``: :math:`(1 - s) \, r_i - s \max_j \cos(v_i, v_j)`, with j the items that were chosen before: maximal
      marginal relevance;
    - ``"dpp"``: :math:`(1 - s) \, r_i + s \log d_i^2`, with :math:`d_i` the distance of i from what the chosen items
      span, under the similarity :math:`(1 + \cos) / 2`: greedy inference in a determinantal point process, which sees
      items that are similar to several others together;
    - ``"calibrated"``: :math:`(1 - s) \, r_i - s \, \mathrm{KL}(p \,\|\, \tilde q)`, with p the shares of the
      categories in the user's history, q those in the list with i, and
      :math:`\tilde q = (1 - \alpha) q + \alpha p`.

    s is ``strength``. The relevance r is the score of the recommender, scaled to run from 0 for the last to 1 for the
    first candidate of the list, plus the novelty boost.

    Parameters
    ----------
    recommender : recommender
        ``fit`` fits a clone of it; a :class:`~sklearn.frozen.FrozenEstimator` keeps a fitted one.
    method : {"mmr", "dpp", "calibrated"}, default="mmr"
    strength : float in [0, 1], default=0.3
        0 keeps the lists of the recommender, bit for bit, if there is no cap and no novelty boost.
    keep_order : bool, default=True
        Whether the chosen items stand in the order of the recommender, which costs far less accuracy. False keeps the
        order in which they were chosen, so that the first items of a list are a diverse list too.
    aggregation : {"max", "mean"}, default="max"
        How "mmr" compares an item with the chosen ones: by its largest cosine, or by the mean.
    encoder : transformer, "auto" or None, default=None
        Encodes ``item_features``, without the id column, as the vectors by which "mmr" and "dpp" compare items. Dense
        vectors are centred. None takes ``item_vectors()`` of the recommender.
    categories : str or list of str, default=None
        Columns of ``item_features`` that name the categories of an item, for "calibrated" and for caps: one column
        with a category or a list of them, or several columns with the weight of one category each.
    separator : str, default=None
        What stands between several categories in one text, as in "Comedy, Drama"; None means that a text is one
        category.
    max_per_category : int, default=None
        At most this many items of a list have one category. Where no candidate fits any more, the best ones that are
        left fill the list, and ``report["n_over_cap"]`` of the result counts such lists.
    novelty_weight : float, default=0.0
        Weight, in the relevance, of the self-information :math:`-\log_2 p` of an item with a share p of all events,
        divided by that of the least popular item.
    smoothing : float in (0, 1), default=0.01
        The :math:`\alpha` of "calibrated". A larger one forgives a category that the list lacks.
    n_candidates : int, default=100
        Number of items that are retrieved and reordered, or ``k`` where that is more.
    pass_item_features : bool, default=True
        Whether ``fit`` passes ``item_features`` on to the recommender. False for a table that only the encoder and
        ``categories`` read.
    n_jobs : int, default=None
        Threads; None means all cores. The lists do not depend on it.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.

    See Also
    --------
    skrec.metrics.intra_list_diversity : What "mmr" and "dpp" raise.

    Notes
    -----
    ``predict`` is that of the recommender: the gain of an item depends on those before it. The scores of a list are
    those of its items by the recommender; with ``keep_order=False`` they are those of the recommender's list at the
    same places. So they fall along a row. A user without events in known categories gets the lists of the recommender
    from "calibrated".

    An item without a vector is like no other; one without a category counts in no share and no cap.

    With ``keep_order``, a list of five is not the first half of the list of ten: each is chosen as a whole.

    ``strength``, ``max_per_category``, ``novelty_weight``, ``smoothing``, ``n_candidates``, and a method whose vectors
    or categories ``fit`` has read can be changed by ``set_params`` without another fit.

    References
    ----------
    J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
    summaries", SIGIR 1998. L. Chen, G. Zhang and E. Zhou, "Fast greedy MAP inference for determinantal point process to
    improve recommendation diversity", NeurIPS 2018. H. Steck, "Calibrated recommendations", RecSys 2018.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.compose import DiversityReranker
    >>> from skrec.dummy import PopularRecommender
    >>> X = [[1, "alien"], [2, "alien"], [3, "alien"], [1, "solaris"], [2, "solaris"], [3, "amelie"]]
    >>> films = pd.DataFrame({"item": ["alien", "solaris", "amelie"], "genre": ["sci-fi", "sci-fi", "comedy"]})
    >>> rec = DiversityReranker(PopularRecommender(), strength=0, categories="genre", max_per_category=1)
    >>> rec.fit(X, item_features=films).recommend([4], k=2).items
    array([['alien', 'amelie']], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "method": [StrOptions({"mmr", "dpp", "calibrated"})],
        "strength": [Interval(Real, 0, 1, closed="both")],
        "keep_order": ["boolean"],
        "aggregation": [StrOptions({"max", "mean"})],
        "encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "categories": [str, list, tuple, None],
        "separator": [str, None],
        "max_per_category": [Interval(Integral, 1, None, closed="left"), None],
        "novelty_weight": [Interval(Real, 0, 1e6, closed="both")],
        "smoothing": [Interval(Real, 0, 1, closed="neither")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "pass_item_features": ["boolean"],
        "n_jobs": [None, Integral],
    }
    _space: ItemSpace | None
    _categories: ItemCategories | None

    def __init__(
        self,
        recommender: Recommender,
        *,
        method: Literal["mmr", "dpp", "calibrated"] = "mmr",
        strength: float = 0.3,
        keep_order: bool = True,
        aggregation: Literal["max", "mean"] = "max",
        encoder: BaseEstimator | Literal["auto"] | None = None,
        categories: str | Sequence[str] | None = None,
        separator: str | None = None,
        max_per_category: int | None = None,
        novelty_weight: float = 0.0,
        smoothing: float = 0.01,
        n_candidates: int = 100,
        pass_item_features: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.recommender = recommender
        self.method = method
        self.strength = strength
        self.keep_order = keep_order
        self.aggregation = aggregation
        self.encoder = encoder
        self.categories = categories
        self.separator = separator
        self.max_per_category = max_per_category
        self.novelty_weight = novelty_weight
        self.smoothing = smoothing
        self.n_candidates = n_candidates
        self.pass_item_features = pass_item_features
        self.n_jobs = n_jobs

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.decomposition import HybridMFRecommender

        factors = HybridMFRecommender(n_factors=4, max_iter=2, random_state=0)
        return [cls(factors), cls(factors, method="dpp", keep_order=False, n_candidates=10)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.lists_follow_predict = False
        return tags

    # Fit -------------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        uses = [f"method={self.method!r}"] if self.method == "calibrated" else []
        if self.max_per_category is not None:
            uses.append(f"max_per_category={self.max_per_category}")
        if uses and self.categories is None:
            raise ValueError(
                f"{uses[0]} needs the categories of the items: pass categories='genre', the name of a column of "
                "item_features, or a list of columns."
            )
        if self.categories is not None and not self.categories:
            raise ValueError(f"categories is {self.categories!r}; pass the name of a column of item_features.")

    def _tables_inside(self, item_features: Any, user_features: Any, **tables: Any) -> dict[str, Any]:
        return super()._tables_inside(item_features if self.pass_item_features else None, user_features, **tables)

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self._categories = None
        if self.categories is not None:
            self._categories = self._read_categories(item_features)
            self._categories.warn_of_missing()
        if self.encoder is None:
            self._space = ItemSpace.of_recommender(self.recommender_)
        else:
            if item_features is None:
                raise ValueError(
                    f"encoder={type(self.encoder).__name__} has nothing to encode: pass item_features to fit, or "
                    "encoder=None to take item_vectors() of the recommender."
                )
            n_events = 0 if X is None else _num_samples(X)
            self._space = ItemSpace.fit(self.encoder, item_features, self._item_index, n_events)
        if self._compares and self._known_space().is_empty():
            warnings.warn(
                f"No item has a vector, so method={self.method!r} changes no list: pass encoder=... and item_features, "
                "or a recommender whose item_vectors() are not all zero.",
                FeatureCoverageWarning,
                stacklevel=caller_level(),
            )

    def _read_categories(self, item_features: Any, *, is_update: bool = False) -> ItemCategories:
        if item_features is None:
            raise ValueError(
                f"categories={self.categories!r} names columns of item_features, and fit got none: pass item_features, "
                "a frame whose first column is the item id."
            )
        assert self.categories is not None
        read = item_features, self.categories, self.separator, self._item_index
        return ItemCategories.read(*read, is_update=is_update)

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        if self._categories is not None:
            later = ItemCategories.none(len(self.items_))
            if item_features is not None:
                later = self._read_categories(item_features, is_update=True)
            self._categories = self._categories.updated(later)
        if self._space is not None and self._space.side is not None:
            self._space = self._space.updated(item_features, self._item_index)
        else:
            self._space = ItemSpace.of_recommender(self.recommender_)

    def _check_state(self) -> None:
        super()._check_state()
        if "recommender_" not in self.__dict__:
            return
        n_items = len(self.items_)
        if self._space is not None:
            check_space(self._space, "_space", n_items)
        if self._categories is not None:
            check_categories(self._categories, "_categories", n_items)

    # Recommend -------------------------------------------------------------------------------------------

    def _recommend(self, users: Any, k: int, options: dict[str, Any]) -> Recommendations:
        self._validate_params()
        self._check_wrapper()
        k = list_length(k, len(self.items_))
        if not self.strength and not self.novelty_weight and self.max_per_category is None:
            return self._retrieve(users, k, **options)
        base = self._retrieve(users, list_length(max(k, self.n_candidates), len(self.items_)), **options)
        histories = self._histories_of(base.users, options["history"]) if self._calibrates else None
        gains = relevance(base)
        if self.novelty_weight:
            gains += np.where(
                base.codes >= 0, self.novelty_weight * self_information(self.popularity_)[base.codes], 0.0
            )
        places = self._places(base.codes, gains, min(k, base.codes.shape[1]), histories)
        codes, scores = chosen_lists(base, places, keep_order=self.keep_order)
        report = None
        if self.max_per_category is not None:
            n_over = int((self._known_categories().largest_counts(codes) > self.max_per_category).sum())
            report = {**(base.report or {}), "n_over_cap": n_over}
        return base.with_lists(codes, scores, report=report)

    def _places(
        self, codes: NDArray[np.int32], relevance: NDArray[np.float64], k: int, histories: Histories | None
    ) -> NDArray[np.int32]:
        """Places among the candidates of the items of each list; -1 where a list has no further item."""
        from skrec._kernels import diversity
        from skrec._kernels.csr import csr_arrays
        from skrec._kernels.threads import run_blocks

        counts_categories = histories is not None or self.max_per_category is not None
        known = self._known_categories() if counts_categories else ItemCategories.none(0)
        categories = known.for_kernels(self.max_per_category)
        places = np.full((len(codes), k), -1, np.int32)
        read = np.ascontiguousarray(codes), relevance, float(self.strength)
        if histories is not None:

            def choose(start: int, stop: int) -> None:
                wanted = csr_arrays(known.shares(histories.block(start, stop)))
                diversity.calibrated_places(start, stop, *read, wanted, self.smoothing, categories, places)
        else:
            vectors = (self._known_space() if self._compares else ItemSpace.none()).for_kernels()
            takes_mean = self.aggregation == "mean"

            def choose(start: int, stop: int) -> None:
                if self.method == "dpp":
                    diversity.dpp_places(start, stop, *read, vectors, categories, places)
                else:
                    diversity.mmr_places(start, stop, *read, vectors, takes_mean, categories, places)

        run_blocks(choose, len(codes), _LISTS_PER_BLOCK, self.n_jobs)
        return places

    @property
    def _compares(self) -> bool:
        """Whether vectors are needed."""
        return self.method != "calibrated" and self.strength > 0

    @property
    def _calibrates(self) -> bool:
        return self.method == "calibrated" and self.strength > 0

    def _known_space(self) -> ItemSpace:
        if self._space is None:
            raise ValueError(
                f"method={self.method!r} compares items by vectors, and {type(self.recommender_).__name__} has none: "
                "pass encoder=... to make some of item_features, such as encoder='auto' or LLMTextEmbedder(), or a "
                "recommender with item_vectors(), and fit again."
            )
        return self._space

    def _known_categories(self) -> ItemCategories:
        if self._categories is None:
            raise ValueError("categories was set after fit, which has read none: fit again.")
        return self._categories
