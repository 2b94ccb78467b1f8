"""Recommenders that are linear in a history."""

from skrec.linear_model._ease import EASERecommender

__all__ = ["EASERecommender"]
