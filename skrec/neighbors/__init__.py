"""Recommenders based on nearest neighbours."""

from skrec.neighbors._embedding_knn import EmbeddingKNNRecommender
from skrec.neighbors._item_knn import ItemKNNRecommender
from skrec.neighbors._user_knn import UserKNNRecommender

__all__ = ["EmbeddingKNNRecommender", "ItemKNNRecommender", "UserKNNRecommender"]
