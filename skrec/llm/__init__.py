"""Language models that rerank, explain and converse."""

from skrec._privacy import Scrubber
from skrec.llm._chat import BaseChat, CallableChat, ChatResult, Usage

__all__ = ["BaseChat", "CallableChat", "ChatResult", "Scrubber", "Usage"]
