"""Neural models: trained by torch, served from NumPy."""

from skrec.neural_network._sequential import SequentialRecommender
from skrec.neural_network._two_tower import TwoTowerRecommender

__all__ = ["SequentialRecommender", "TwoTowerRecommender"]
