"""What makes an estimator a recommender."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from inspect import Parameter, signature
from typing import Any, ClassVar

from numpy.typing import ArrayLike
from sklearn.utils import Tags, get_tags

from skrec.interactions import Table, given_options
from skrec.utils import on_snapshot, unwrap_recommender


def is_recommender(estimator: Any) -> bool:
    """Whether an estimator follows the recommender contract."""
    return getattr(estimator, "_estimator_type", None) == "recommender"


@dataclass(slots=True)
class RecommenderTags(Tags):
    """The tags of scikit-learn, and what a recommender says beside them.

    Parameters
    ----------
    lists_follow_predict : bool, default=True
        Whether the lists of ``recommend`` are in the order of ``predict`` and have its scores. Not so for one that
        reorders the lists of another, and for one that merges lists.
    """

    lists_follow_predict: bool = True


def lists_follow_predict(estimator: Any) -> bool:
    """Whether lists are in the order of ``predict``, also those of a recommender in a pipeline or a search."""
    recommender = unwrap_recommender(estimator)
    if not hasattr(recommender, "__sklearn_tags__"):
        return True
    return getattr(get_tags(recommender), "lists_follow_predict", True)


def given_tables(item_features: Any = None, user_features: Any = None, **others: Any) -> dict[str, Any]:
    """The tables beside the events that are not None, as keyword arguments of ``fit`` or ``partial_fit``."""
    return given_options(item_features=item_features, user_features=user_features, **others)


def _named_tables(method: Any) -> list[str]:
    """The tables that a method names: its keyword-only parameters, but for ``sample_weight``, which splits cut."""
    parameters = signature(method).parameters.values()
    return [one.name for one in parameters if one.kind is Parameter.KEYWORD_ONLY and one.name != "sample_weight"]


def tables_taken(recommender: Any, method: str = "fit") -> set[str]:
    """Names of the tables that ``fit`` or ``partial_fit`` of a recommender takes, also inside wrappers.

    They are the keyword-only parameters of the method, and what its metadata routing requests.
    """
    inner = unwrap_recommender(recommender)
    if not hasattr(inner, method):
        return set()
    names = set(_named_tables(getattr(inner, method)))
    if hasattr(inner, "get_metadata_routing"):
        request = getattr(inner.get_metadata_routing(), method, None)
        names |= {name for name, alias in getattr(request, "requests", {}).items() if alias is True}
    return names


def request_tables(routing: Any, recommenders: Iterable[Any]) -> Any:
    """A metadata request that also asks for the tables of the recommenders that it stands for."""
    parts = list(recommenders)
    for method in ("fit", "partial_fit"):
        requested = getattr(routing, method)
        for name in sorted(set().union(*(tables_taken(part, method) for part in parts))):
            if name not in requested.requests:
                requested.add_request(param=name, alias=True)
    return routing


class RecommenderMixin:
    """What makes an estimator a recommender: tags, metadata requests and the default score.

    Keyword-only parameters of ``fit`` and ``partial_fit``, but for ``sample_weight``, are tables beside the events:
    metadata routing requests them by default, and pipelines, wrappers and searches pass them on.
    """

    _estimator_type = "recommender"
    __metadata_request__fit: ClassVar = {"item_features": True, "user_features": True}
    # scikit-learn's Pipeline routes it to every score, given or not.
    __metadata_request__score: ClassVar = {"sample_weight": None}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        for method in ("fit", "partial_fit"):
            if method in cls.__dict__:
                tables = dict.fromkeys(_named_tables(getattr(cls, method)), True)
                setattr(cls, f"__metadata_request__{method}", tables)
        super().__init_subclass__(**kwargs)

    def __sklearn_tags__(self) -> Any:
        general = super().__sklearn_tags__()  # type: ignore[misc]
        tags = RecommenderTags(**{field.name: getattr(general, field.name) for field in fields(general)})
        tags.estimator_type = "recommender"
        tags.target_tags.required = getattr(self, "feedback", "implicit") == "explicit"
        tags.target_tags.positive_only = getattr(self, "feedback", "implicit") == "implicit"
        return tags

    @on_snapshot
    def score(self, X: Table, y: ArrayLike | None = None) -> float:
        """NDCG@10 of held-out events, averaged over their users; over the events where X has context columns.

        Items seen in fit are excluded from the ranking and from what counts as relevant. To score the events
        of fit, use ``ranking_scorer("ndcg@10", exclude_seen=False)``.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
        y : array-like of shape (n_events,), default=None
            Events with y > 0 are relevant; None means all.

        Returns
        -------
        float
        """
        from skrec.metrics import ranking_scorer

        score: Any = ranking_scorer("ndcg@10")(self, X, y)
        return score
