"""Recommenders on graphs of users and items."""

from skrec.graph._graph import GraphRecommender

__all__ = ["GraphRecommender"]
