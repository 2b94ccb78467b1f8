"""Conversations as the one text that a causal model reads."""

import re
from typing import Any

from skrec._chat._messages import Message, fold_system


def conversation_text(tokenizer: Any, messages: list[Message], options: dict[str, Any]) -> str:
    """The messages by the tokenizer's chat template, or plainly where it has none.

    A special token spelled out in a message is broken by a space, so that no text of others can end a turn
    and begin another. A template that takes no system message gets it at the head of the first user message.
    """
    messages = [{**message, "content": escape_special_tokens(tokenizer, message["content"])} for message in messages]
    if tokenizer.chat_template is None:
        return _plain(messages)
    import jinja2

    settings = {"tokenize": False, "add_generation_prompt": True, **options}
    try:
        return tokenizer.apply_chat_template(messages, **settings)
    except jinja2.TemplateError:
        if messages[0]["role"] != "system" or len(messages) == 1:
            raise
        return tokenizer.apply_chat_template(fold_system(messages), **settings)


def _plain(messages: list[Message]) -> str:
    """The messages as paragraphs; with speakers only where the assistant has spoken before."""
    if all(message["role"] != "assistant" for message in messages):
        return "\n\n".join(message["content"] for message in messages)
    turns = [
        message["content"] if message["role"] == "system" else f"{message['role'].title()}: {message['content']}"
        for message in messages
    ]
    return "\n\n".join([*turns, "Assistant:"])


def escape_special_tokens(tokenizer: Any, text: str) -> str:
    """The text with a space after the first character of each special token, so that it is none."""
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    spelled = sorted((token for token in special if len(token) > 1), key=len, reverse=True)
    if not spelled:
        return text
    return re.sub("|".join(map(re.escape, spelled)), lambda found: f"{found[0][0]} {found[0][1:]}", text)
