"""Recommenders made of recommenders."""

from skrec.compose._fallback import FallbackRecommender
from skrec.compose._fusion import FusionRecommender

__all__ = ["FallbackRecommender", "FusionRecommender"]
