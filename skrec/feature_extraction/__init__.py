"""Features from text."""

from skrec.feature_extraction._cleaning import TextCleaner, describe_text
from skrec.feature_extraction._context_encoder import ContextEncoder
from skrec.feature_extraction._encoder_union import TextEncoderUnion
from skrec.feature_extraction._encoders import memory_cache
from skrec.feature_extraction._hashing import HashingTextEncoder
from skrec.feature_extraction._item_enricher import ItemTextEnricher
from skrec.feature_extraction._keywords import KeywordExtractor
from skrec.feature_extraction._ngrams import NgramTextEncoder
from skrec.feature_extraction._profiles import UserProfileText
from skrec.feature_extraction._table_encoder import TableEncoder
from skrec.feature_extraction._text_embedder import LLMTextEmbedder

__all__ = [
    "ContextEncoder",
    "HashingTextEncoder",
    "ItemTextEnricher",
    "KeywordExtractor",
    "LLMTextEmbedder",
    "NgramTextEncoder",
    "TextCleaner",
    "TextEncoderUnion",
    "UserProfileText",
    "describe_text",
    "memory_cache",
]
