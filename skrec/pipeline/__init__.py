"""Pipelines that recommend."""

from skrec.pipeline._making import as_recommender, make_pipeline
from skrec.pipeline._pipeline import Pipeline

__all__ = ["Pipeline", "as_recommender", "make_pipeline"]
