"""The recommender contract.

A model writes only what is its own. It inherits :class:`VectorRecommender` (a query vector against item
vectors), :class:`ItemGraphRecommender` (a weighted history against an item-item matrix), or
:class:`BaseRecommender` where it ranks in another way, and gives two or three hooks; ids, tables,
histories, masks and top-k are done there, once.
"""

from skrec._explain import Evidence, Explanations
from skrec.base._block_ranking import ScoreBlock
from skrec.base._contract import (
    RecommenderMixin,
    RecommenderTags,
    given_tables,
    is_recommender,
    lists_follow_predict,
    request_tables,
    tables_taken,
)
from skrec.base._delegation import CompositionMixin, DelegatingMixin
from skrec.base._fit_data import FeatureSide, check_side, read_encoder, uses_features
from skrec.base._fit_mixins import PartialFitMixin, SampleWeightMixin
from skrec.base._item_graph import ItemGraphRecommender
from skrec.base._item_graph_ranker import ItemGraph, check_graph
from skrec.base._item_graph_update import updated_graph
from skrec.base._item_similarity import Similarity, classical, merge_repeats, pair_table, repeats_dominate
from skrec.base._meta import MetaRecommender
from skrec.base._popularity_prior import HeldOutEvents, PopularityPriorMixin, may_be_as_good
from skrec.base._ranker import ExactRanker, Ranker, TopK
from skrec.base._recommender import BaseRecommender
from skrec.base._text_parts import text_columns
from skrec.base._text_requests import check_request_weight, request_texts, typed_request_weight
from skrec.base._text_similarity import blend, center_rows, mean_of_maxima, text_similarity
from skrec.base._text_space import TextSpace, check_text_space, encode_texts, reads_text, text_space
from skrec.base._vector import VectorRecommender
from skrec.interactions import Queries, Recommendations

__all__ = [
    "BaseRecommender",
    "Evidence",
    "Explanations",
    "ItemGraphRecommender",
    "PartialFitMixin",
    "Queries",
    "Recommendations",
    "RecommenderMixin",
    "RecommenderTags",
    "SampleWeightMixin",
    "VectorRecommender",
    "is_recommender",
]
