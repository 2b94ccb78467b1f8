"""Vectors of texts by the n-grams that they share."""

from skrec.feature_extraction._ngrams._encoder import NgramTextEncoder
