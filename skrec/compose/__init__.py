"""Recommenders made of recommenders."""

from skrec.compose._diversity import DiversityReranker
from skrec.compose._fallback import FallbackRecommender
from skrec.compose._fusion import FusionRecommender
from skrec.compose._reserved_places import ReservedPlacesReranker
from skrec.compose._rules import FilterRule
from skrec.compose._switch import SwitchRecommender

__all__ = [
    "DiversityReranker",
    "FallbackRecommender",
    "FilterRule",
    "FusionRecommender",
    "ReservedPlacesReranker",
    "SwitchRecommender",
]
