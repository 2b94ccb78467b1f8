"""Features from text."""

from skrec.feature_extraction._cache import memory_cache
from skrec.feature_extraction._hashing import HashingTextEncoder
from skrec.feature_extraction._text_embedder import LLMTextEmbedder

__all__ = ["HashingTextEncoder", "LLMTextEmbedder", "memory_cache"]
