"""What makes an estimator a recommender."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from numpy.typing import ArrayLike
from sklearn.utils import Tags, get_tags

from skrec.interactions import Table
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
        orders the lists of another anew, and for one that merges lists.
    """

    lists_follow_predict: bool = True


def lists_follow_predict(estimator: Any) -> bool:
    """Whether lists are in the order of ``predict``, also those of a recommender in a pipeline or a search."""
    recommender = unwrap_recommender(estimator)
    if not hasattr(recommender, "__sklearn_tags__"):
        return True
    return getattr(get_tags(recommender), "lists_follow_predict", True)


class RecommenderMixin:
    """What makes an estimator a recommender: tags, metadata requests and the default score."""

    _estimator_type = "recommender"
    __metadata_request__fit: ClassVar = {"item_features": True, "user_features": True}
    # scikit-learn's Pipeline routes it to every score, given or not.
    __metadata_request__score: ClassVar = {"sample_weight": None}

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
