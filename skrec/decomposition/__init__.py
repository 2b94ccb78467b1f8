"""Recommenders that factor the matrix of users and items."""

from skrec.decomposition._bpr import BPRRecommender
from skrec.decomposition._hybrid_mf import HybridMFRecommender
from skrec.decomposition._logistic_mf import LogisticMFRecommender

__all__ = ["BPRRecommender", "HybridMFRecommender", "LogisticMFRecommender"]
