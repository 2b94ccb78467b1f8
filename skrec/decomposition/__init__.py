"""Recommenders that factor the matrix of users and items."""

from skrec.decomposition._hybrid_mf import HybridMFRecommender

__all__ = ["HybridMFRecommender"]
