"""Two towers: one vector of a user, one of an item."""

from skrec.neural_network._two_tower._recommender import TwoTowerRecommender
