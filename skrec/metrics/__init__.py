"""Metrics of rankings, scorers for ``scoring=``, and comparisons with intervals."""

from skrec.metrics._auc import user_auc
from skrec.metrics._beyond_accuracy import (
    catalogue_coverage,
    gini_index,
    intra_list_diversity,
    mean_popularity,
    novelty,
    personalisation,
)
from skrec.metrics._compare import compare
from skrec.metrics._evaluate import evaluate
from skrec.metrics._faithfulness import explanation_faithfulness
from skrec.metrics._histories import calibration_kl, popularity_lift
from skrec.metrics._ranking import (
    average_precision_at_k,
    f1_at_k,
    hit_rate_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
    serendipity_at_k,
)
from skrec.metrics._scorer import RankingScorer, ranking_scorer

__all__ = [
    "RankingScorer",
    "average_precision_at_k",
    "calibration_kl",
    "catalogue_coverage",
    "compare",
    "evaluate",
    "explanation_faithfulness",
    "f1_at_k",
    "gini_index",
    "hit_rate_at_k",
    "intra_list_diversity",
    "mean_popularity",
    "ndcg_at_k",
    "novelty",
    "personalisation",
    "popularity_lift",
    "precision_at_k",
    "ranking_scorer",
    "recall_at_k",
    "reciprocal_rank_at_k",
    "serendipity_at_k",
    "user_auc",
]
