"""Language models that rerank, explain and converse."""

from skrec._chat import (
    BaseChat,
    Budget,
    CallableChat,
    ChatCache,
    ChatResult,
    OpenAICompatibleChat,
    TransformersChat,
    Usage,
)
from skrec.llm._conversation import ConversationalRecommender, ConversationState, Turn
from skrec.llm._explainer import LLMExplainer
from skrec.llm._heuristic_chat import HeuristicChat
from skrec.llm._personalise import personalise
from skrec.llm._query_suggestions import QuerySuggester
from skrec.llm._rerank import LLMReranker
from skrec.utils import Scrubber

__all__ = [
    "BaseChat",
    "Budget",
    "CallableChat",
    "ChatCache",
    "ChatResult",
    "ConversationState",
    "ConversationalRecommender",
    "HeuristicChat",
    "LLMExplainer",
    "LLMReranker",
    "OpenAICompatibleChat",
    "QuerySuggester",
    "Scrubber",
    "TransformersChat",
    "Turn",
    "Usage",
    "personalise",
]
