"""A chat client without a model, for tests and for examples that run offline."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skrec._chat import BaseChat, ChatResult, ChatSettings, DataBlock, Message, Usage, about_tokens, fits, read_blocks
from skrec._explain import prompt_language
from skrec.feature_extraction import HashingTextEncoder
from skrec.llm._conversation import language_of
from skrec.utils import Tokenizer, WordSplitter, content_words, installed_splitters

_CHOICES = frozenset({"candidates", "candidate", "items", "item", "shown", "options"})
_ORDERS = frozenset({"order", "ranking", "tokens"})
_BEST = frozenset({"better", "best", "choice", "winner", "token"})
_EVIDENCE = frozenset({"evidence", "cites", "because", "sources"})
_WORDS = frozenset({"wanted", "tags", "keywords", "likes", "themes", "queries"})
_YES = frozenset({"relevant", "fits", "match", "yes"})
_TEXTS = frozenset({"text", "sentence", "reason"})
_UNDECIDED = ("none", "other", "unknown", "any")
_SENTENCES = {
    "en": {
        "about": "About {words}.",
        "shared": "It shares {words} with “{near}”.",
        "near": "It goes with “{near}”.",
        "nothing": "Nothing is known.",
        **{"yes": "Yes", "no": "No", "comma": ", "},
    },
    "de": {
        "about": "Es geht um {words}.",
        "shared": "Mit „{near}“ gemeinsam: {words}.",
        "near": "Das passt zu „{near}“.",
        "nothing": "Darüber ist nichts bekannt.",
        **{"yes": "Ja", "no": "Nein", "comma": ", "},
    },
    "fr": {
        "about": "Il y est question de : {words}.",
        "shared": "En commun avec « {near} » : {words}.",
        "near": "Cela va avec « {near} ».",
        "nothing": "On n'en sait rien.",
        **{"yes": "Oui", "no": "Non", "comma": ", "},
    },
    "es": {
        "about": "Trata de: {words}.",
        "shared": "En común con «{near}»: {words}.",
        "near": "Va bien con «{near}».",
        "nothing": "No se sabe nada de ello.",
        **{"yes": "Sí", "no": "No", "comma": ", "},
    },
    "zh": {
        "about": "主题：{words}。",
        "shared": "与“{near}”的共同点：{words}。",
        "near": "与“{near}”相配。",
        "nothing": "暂无了解。",
        **{"yes": "是", "no": "否", "comma": "、"},
    },
}
_YES_OR_NO = {
    **{"en": r"\byes or no\b", "de": r"\bja oder nein\b", "fr": r"\boui ou non\b", "es": r"\bsí o no\b"},
    "zh": "是或否|“是”或“否”|是还是否",
}
_READ = 2_000  # letters that tell the language
_QUOTED = 60  # letters of an entry that a sentence quotes
_DECAY = 0.8  # factor from one entry to the next; the latest entry comes first


class TextEncoder(Protocol):
    """Turns texts into vectors."""

    def encode(self, texts: list[str]) -> ArrayLike:
        """(n_texts, d) vectors."""


class HeuristicChat(BaseChat):
    """Answers the prompts of this library from the words that texts share. **This is not a language model.**

    It reads the data blocks of a prompt, compares their entries by an encoder, and fills in the schema. It is
    deterministic and needs neither weights nor a network, so that tests, doctests and examples run offline.
    Quality that is measured with it says nothing about language models.

    Parameters
    ----------
    encoder : object with ``encode(list of str) -> (n, d)``, default=None
        None means a :class:`~skrec.feature_extraction.HashingTextEncoder`, which compares texts by the words
        they share. An embedder compares them by meaning.
    tokenizer : callable, default=None
        From a text, in lower case, to its words. None takes the words between spaces and marks; in languages
        without spaces those of an installed library (extra ``cjk``), else pairs of neighbouring signs.
    **options
        ``budget``, ``cache``, ``prices`` and ``scrub`` of :class:`BaseChat`. One token is counted for every
        four bytes.

    Notes
    -----
    The blocks named candidates, items, shown or options (or the singular of these) hold the choices. All other
    blocks, such as history and request, form the query. Each block of the query is the weighted mean of its
    entries, where earlier entries weigh more. Choices are ranked by their cosine to the sum of these blocks.
    Sentences are written in English, German, French, Spanish or Chinese: in the language that the prompt asks for
    (the nearest of these for another one), else in that of the choices and the query. The schema is filled in by
    name and type:

    - a list named order, ranking or tokens: the tokens of all choices, best first;
    - a text named better, best, choice, winner or token: the token of the best choice;
    - a number: the cosine of the best choice, scaled from ``minimum`` to ``maximum`` (0 to 1 without);
    - evidence, cites, because or sources: the token of the entry most similar to the best choice;
    - wanted, tags, keywords, likes, themes or queries: the most frequent words of the request, or of the
      query where there is no request;
    - any other text: a sentence with the words that the best choice shares with that entry;
    - a list of objects with a text (text, sentence, reason): one object; other lists: empty;
    - an ``enum``: none, other, unknown or any where it is a value, else the first value;
    - a boolean: False, except for relevant, fits, match and yes.

    Examples
    --------
    >>> from skrec.llm import HeuristicChat
    >>> from skrec._chat._data_blocks import content_rng, delimited
    >>> rng = content_rng(0)
    >>> request, _ = delimited("request", ["a quiet film"], rng)
    >>> candidates, tokens = delimited("candidates", ["a loud comedy", "a quiet drama"], rng)
    >>> order = {"type": "array", "items": {"type": "string"}}
    >>> schema = {"type": "object", "properties": {"order": order}, "required": ["order"]}
    >>> (result,) = HeuristicChat().complete([f"{request}\\n{candidates}"], schema=schema)
    >>> [tokens.index(token) for token in result.parsed["order"]]
    [1, 0]
    >>> item, _ = delimited("item", ["海上的风暴"], rng)
    >>> HeuristicChat().complete([f"{item}\\nWrite a sentence, in German."])[0].text.startswith("Es geht um")
    True
    """

    def __init__(
        self, encoder: TextEncoder | None = None, *, tokenizer: Tokenizer | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        if encoder is not None and (isinstance(encoder, str) or not hasattr(encoder, "encode")):
            raise TypeError(f"encoder must be an object with encode(texts), such as LLMTextEmbedder; got {encoder!r}.")
        self.encoder = encoder
        self.tokenizer = tokenizer
        self._splitter = WordSplitter(tokenizer)

    def __repr__(self) -> str:
        given = [] if self.encoder is None else [repr(self.encoder)]
        given += [] if self.tokenizer is None else [f"tokenizer={self.tokenizer!r}"]
        return f"HeuristicChat({', '.join(given)})"

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the encoder and what splits words; None where it has none, and with a tokenizer."""
        own = getattr(self._encoder(), "fingerprint", None)
        if not isinstance(own, str) or self.tokenizer is not None:
            return None
        return " ".join(["heuristic-2", *installed_splitters(), own])

    def _encoder(self) -> Any:
        return HashingTextEncoder(1024, tokenizer=self.tokenizer) if self.encoder is None else self.encoder

    def _answer(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        return [self._answer_one(messages, settings) for messages in conversations]

    def _answer_one(self, messages: list[Message], settings: ChatSettings) -> ChatResult:
        prompt = messages[-1]["content"]
        read = _Reading.of(read_blocks(prompt), self._encoder(), self._splitter)
        read.language = prompt_language(prompt) or read.language
        schema, parsed = settings.schema, None
        if schema is None:
            asked_in = [code for code, words in _YES_OR_NO.items() if re.search(words, prompt, re.IGNORECASE)]
            answer = "yes" if read.goodness > 0 else "no"
            text = _SENTENCES[asked_in[0]][answer] if asked_in else read.sentence()
        else:
            parsed = _fill(schema, "", read)
            text = json.dumps(parsed, ensure_ascii=False)
        usage = Usage(1, sum(about_tokens(message["content"]) for message in messages), about_tokens(text))
        if usage.completion_tokens > settings.max_tokens:
            return ChatResult(usage=usage, finish_reason="length", error="the answer was cut off at max_tokens")
        misfit = None if schema is None else fits(parsed, schema)
        error = misfit and f"the answer does not fit the schema: {misfit}"
        return ChatResult(text, None if error else parsed, usage, "stop", error=error)


@dataclass
class _Reading:
    """Entries of a prompt: choices, best first, and the query, most similar to the best choice first."""

    choices: list[tuple[str, str]]
    about: list[tuple[str, str]]
    goodness: float
    requests: list[str]
    splitter: WordSplitter
    language: str = "en"

    @classmethod
    def of(cls, blocks: list[DataBlock], encoder: Any, splitter: WordSplitter) -> _Reading:
        choices = [entry for block in blocks if block.name in _CHOICES for entry in _entries(block)]
        others = [_entries(block) for block in blocks if block.name not in _CHOICES]
        about = [entry for entries in others for entry in entries]
        requests = [text for block in blocks if block.name == "request" for text in block.texts]
        language = language_of(" ".join(requests or [text for _, text in about + choices])[:_READ])
        if not choices or not about:
            return cls(choices, about, 0.0, requests, splitter, language)
        vectors = _unit(np.asarray(encoder.encode([text for _, text in choices + about]), dtype=float))
        ours, theirs = vectors[: len(choices)], vectors[len(choices) :]
        weights = np.concatenate([_decaying_weights(len(entries)) for entries in others])
        scores = ours @ _unit(weights @ theirs)
        order = np.argsort(-scores, kind="stable")
        nearest = np.argsort(-(theirs @ ours[order[0]]), kind="stable")
        goodness = float(np.clip(scores[order[0]], 0, 1))
        ranked, nearby = [choices[i] for i in order], [about[i] for i in nearest]
        return cls(ranked, nearby, goodness, requests, splitter, language)

    def words(self) -> list[str]:
        """The most frequent words of the request, else of the query, else of the choices."""
        texts = self.requests or [text for _, text in self.about or self.choices]
        counts = Counter(word for text in texts for word in self._words(text))
        return [word for word, _ in counts.most_common(5)]

    def sentence(self) -> str:
        """A sentence with the words that the best choice shares with the entry most similar to it."""
        wording = _SENTENCES[self.language]
        if not self.choices or not self.about:
            frequent = self.words()
            return wording["about" if frequent else "nothing"].format(words=wording["comma"].join(frequent))
        near = self.about[0][1]
        shared = [word for word in dict.fromkeys(self._words(self.choices[0][1])) if word in set(self._words(near))]
        words = wording["comma"].join(shared[:3])
        return wording["shared" if shared else "near"].format(words=words, near=_quoted(near, self.language))

    def _words(self, text: str) -> list[str]:
        return content_words(text.lower(), self.splitter)


def _fill(schema: dict[str, Any], name: str, read: _Reading) -> Any:
    if "enum" in schema:
        return next((value for value in _UNDECIDED if value in schema["enum"]), schema["enum"][0])
    kind = schema.get("type")
    if kind == "object":
        return {key: _fill(part, key, read) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        return _fill_list(schema.get("items", {}), name, read)
    if kind == "string":
        return _fill_text(name, read)
    if kind in ("integer", "number"):
        least, most = schema.get("minimum", 0), schema.get("maximum", schema.get("minimum", 0) + 1)
        value = least + (most - least) * read.goodness
        return round(value) if kind == "integer" else round(value, 6)
    return name in _YES and read.goodness > 0 if kind == "boolean" else None


def _fill_list(items: dict[str, Any], name: str, read: _Reading) -> list[Any]:
    if items.get("type") == "object":
        return [_fill(items, "", read)] if _TEXTS & set(items.get("properties", {})) else []
    if name in _ORDERS:
        return [token for token, _ in read.choices]
    if name in _EVIDENCE:
        return [token for token, _ in read.about[:1]]
    return read.words() if name in _WORDS else []


def _fill_text(name: str, read: _Reading) -> str:
    if name in _BEST:
        return read.choices[0][0] if read.choices else ""
    if name in _EVIDENCE:
        return read.about[0][0] if read.about else ""
    return _SENTENCES[read.language]["comma"].join(read.words()) if name in _WORDS else read.sentence()


def _quoted(text: str, language: str) -> str:
    most = _QUOTED // 2 if language == "zh" else _QUOTED
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def _entries(block: DataBlock) -> list[tuple[str, str]]:
    return list(zip(block.tokens, block.texts, strict=True))


def _decaying_weights(n_entries: int) -> NDArray[np.float64]:
    weights = _DECAY ** np.arange(n_entries)
    return weights / max(weights.sum(), 1.0)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)
