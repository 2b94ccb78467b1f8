"""Recommenders made of recommenders."""

from skrec.compose._fusion import FusionRecommender

__all__ = ["FusionRecommender"]
