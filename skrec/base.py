"""The recommender contract.

A model writes only what is its own. It inherits :class:`VectorRecommender` (a query vector against item
vectors), :class:`ItemGraphRecommender` (a weighted history against an item-item matrix), or
:class:`BaseRecommender` where it ranks in another way, and gives two or three hooks; ids, tables,
histories, masks and top-k are done there, once.
"""

from skrec._explanations import Evidence, Explanations
from skrec._fitting import PartialFitMixin, SampleWeightMixin
from skrec._item_graph import ItemGraphRecommender
from skrec._persistence import skops_trusted_types
from skrec._queries import Queries
from skrec._recommendations import Recommendations
from skrec._recommender import BaseRecommender, RecommenderMixin, is_recommender
from skrec._vectors import VectorRecommender

__all__ = [
    "BaseRecommender",
    "Evidence",
    "Explanations",
    "ItemGraphRecommender",
    "PartialFitMixin",
    "Queries",
    "Recommendations",
    "RecommenderMixin",
    "SampleWeightMixin",
    "VectorRecommender",
    "is_recommender",
    "skops_trusted_types",
]
