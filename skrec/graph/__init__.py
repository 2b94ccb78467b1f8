"""Recommenders on graphs of users and items, and of friends."""

from skrec.graph._graph import GraphRecommender
from skrec.graph._social import SocialRecommender
from skrec.graph._user_recommendations import UserRecommendations

__all__ = ["GraphRecommender", "SocialRecommender", "UserRecommendations"]
