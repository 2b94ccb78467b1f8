"""Retrieve, then rank: candidates of several recommenders in the order of a model of pairs."""

from skrec.compose._cascade._recommender import CascadeRecommender

__all__ = ["CascadeRecommender"]
