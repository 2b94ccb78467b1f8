"""Language models that rerank, explain and converse."""

from skrec._privacy import Scrubber
from skrec.llm._budget import Budget
from skrec.llm._chat import BaseChat, CallableChat, ChatResult, Usage
from skrec.llm._chat_cache import ChatCache
from skrec.llm._conversation import ConversationalRecommender
from skrec.llm._conversation_state import ConversationState, Turn
from skrec.llm._explainer import LLMExplainer
from skrec.llm._heuristic_chat import HeuristicChat
from skrec.llm._openai_chat import OpenAICompatibleChat
from skrec.llm._personalise import personalise
from skrec.llm._query_suggestions import QuerySuggester
from skrec.llm._rerank import LLMReranker
from skrec.llm._transformers_chat import TransformersChat

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
