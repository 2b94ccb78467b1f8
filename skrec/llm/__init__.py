"""Language models that rerank, explain and converse."""

from skrec._privacy import Scrubber
from skrec.llm._chat import BaseChat, CallableChat, ChatResult, Usage
from skrec.llm._rerank import LLMReranker
from skrec.llm._transformers_chat import TransformersChat

__all__ = [
    "BaseChat",
    "CallableChat",
    "ChatResult",
    "LLMReranker",
    "Scrubber",
    "TransformersChat",
    "Usage",
]
