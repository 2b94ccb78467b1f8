"""Functions in the place of a language model, for tests: deterministic, and at home in a pickle."""

from skrec._chat._data_blocks import read_blocks
from skrec._chat._messages import Message


def in_given_order(messages: list[Message]) -> dict[str, list[str]]:
    """Rerank by naming the candidates in the order in which they stand.

    Parameters
    ----------
    messages : list of dict
        A prompt of :class:`~skrec.llm.LLMReranker`.

    Returns
    -------
    dict
        The answer, as JSON.
    """
    return {"order": read_blocks(messages[-1]["content"])[-1].tokens}


def repeat_data(messages: list[Message]) -> str:
    """Write a text by repeating the data of the prompt."""
    return " ".join(text for block in read_blocks(messages[-1]["content"]) for text in block.texts)
