"""Conversations over a recommender: state, constraints, questions and wording."""

from skrec.llm._conversation._conversational import ConversationalRecommender
from skrec.llm._conversation._detection import language_of
from skrec.llm._conversation._state import ConversationState, Turn
