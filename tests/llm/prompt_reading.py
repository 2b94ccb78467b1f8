"""How stand-ins for language models read a prompt of the reranker."""

from skrec._chat._data_blocks import read_blocks


def written(messages):
    """All that stands in a conversation; what asks for a repaired answer comes behind the prompt."""
    return "\n".join(message["content"] for message in messages)


def blocks_of(messages):
    """The data blocks of a prompt, by name."""
    return {block.name: block for block in read_blocks(written(messages))}


def text_of(messages, name):
    """The text of a block of one entry, or None."""
    blocks = blocks_of(messages)
    return blocks[name].texts[0] if name in blocks else None


class Judge:
    """Answers every kind of prompt by what ``worth(text, messages)`` says of a candidate, less a bias a place."""

    def __init__(self, worth, place_bias=0.0):
        self.worth = worth
        self.place_bias = place_bias
        self.seen = []

    def __call__(self, messages):
        self.seen.append(messages)
        candidates = blocks_of(messages)["candidates"]
        worths = [self.worth(text, messages) - self.place_bias * place for place, text in enumerate(candidates.texts)]
        best_first = sorted(range(len(worths)), key=lambda place: -worths[place])
        question = written(messages)
        if '"better"' in question:
            return {"better": candidates.tokens[best_first[0]]}
        if '"grade"' in question:
            return {"grade": max(0, min(10, worths[0]))}
        return {"order": [candidates.tokens[place] for place in best_first]}
