"""Texts as shops have them, made plain; and what is in them."""

from skrec.feature_extraction._cleaning._description import TextDescription, describe_text
from skrec.feature_extraction._cleaning._text_cleaner import TextCleaner

__all__ = ["TextCleaner", "TextDescription", "describe_text"]
