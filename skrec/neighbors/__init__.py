"""Recommenders that go by neighbours."""

from skrec.neighbors._embedding_knn import EmbeddingKNNRecommender

__all__ = ["EmbeddingKNNRecommender"]
