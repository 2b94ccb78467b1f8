"""Recommenders made of recommenders."""

from skrec.compose._cascade import CascadeRecommender
from skrec.compose._diversity import DiversityReranker
from skrec.compose._fallback import FallbackRecommender
from skrec.compose._fusion import FusionRecommender
from skrec.compose._reserved_places import ReservedPlacesReranker
from skrec.compose._rule_recommender import RuleRecommender
from skrec.compose._rules import BudgetRule, CapRule, FilterRule, Omissions
from skrec.compose._switch import SwitchRecommender

__all__ = [
    "BudgetRule",
    "CapRule",
    "CascadeRecommender",
    "DiversityReranker",
    "FallbackRecommender",
    "FilterRule",
    "FusionRecommender",
    "Omissions",
    "ReservedPlacesReranker",
    "RuleRecommender",
    "SwitchRecommender",
]
