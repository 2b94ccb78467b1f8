"""Conversations as lists of messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Message: TypeAlias = dict[str, str]
Conversation: TypeAlias = str | Sequence[Message]

_ROLES = ("system", "user", "assistant")


def read_conversation(conversation: Conversation) -> list[Message]:
    """Messages of a conversation.

    Raises
    ------
    TypeError
        If it is neither a text nor a list of messages.
    ValueError
        If it is empty, or a message has another role than system, user and assistant.
    """
    if isinstance(conversation, str):
        return [{"role": "user", "content": _valid_unicode(conversation)}]
    if isinstance(conversation, dict):
        raise TypeError(
            "A conversation is a list of messages, and a message was given in its place: for one conversation, write "
            "complete([messages])."
        )
    messages = list(conversation)
    if not messages:
        raise ValueError("A conversation has no messages; pass a text, or at least one message.")
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(content, str):
            raise TypeError(
                "A conversation must be a text or a list of messages {'role': ..., 'content': ...} with text as "
                f"content; got a message of type {type(message).__name__}."
            )
        if message.get("role") not in _ROLES:
            raise ValueError(f"The role of a message must be one of {_ROLES}; got {message.get('role')!r}.")
    return [{"role": message["role"], "content": _valid_unicode(message["content"])} for message in messages]


def _valid_unicode(text: str) -> str:
    """Text without lone surrogates, which no tokenizer and no JSON takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def fold_system(messages: list[Message]) -> list[Message]:
    """The conversation without system messages, for models that take none: each heads the next message of the user."""
    folded: list[Message] = []
    pending: list[str] = []
    for message in messages:
        if message["role"] == "system":
            pending.append(message["content"])
        elif message["role"] == "user" and pending:
            folded.append({**message, "content": "\n\n".join([*pending, message["content"]])})
            pending = []
        else:
            folded.append(message)
    return [*folded, {"role": "user", "content": "\n\n".join(pending)}] if pending else folded
