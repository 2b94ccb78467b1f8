"""Neural models: trained by torch, served from NumPy."""

from skrec.neural_network._sequential import SequentialRecommender

__all__ = ["SequentialRecommender"]
