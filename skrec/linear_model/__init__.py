"""Recommenders that score by a linear function of the history."""

from skrec.linear_model._ease import EASERecommender

__all__ = ["EASERecommender"]
