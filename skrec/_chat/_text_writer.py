"""Texts that a language model writes from facts, each requested once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from skrec._chat._base import BaseChat, as_chat
from skrec._chat._batch import reason_of
from skrec._chat._data_blocks import content_rng, delimited
from skrec._chat._messages import Message
from skrec._chat._prompts import Prompt
from skrec._chat._results import ChatResult, Usage
from skrec.exceptions import ExternalAccessError, LanguageModelWarning
from skrec.utils import Text, caller_level, identity_token, list_members, template_fields

_BLOCK = 256  # prompts after which texts are put into the memory
_NAMED = "named "  # begins the key of a text by a model with a fingerprint: valid in other processes too
_AROUND_TAG = " \t*-•·#\"'“”.[]()"
_TOKEN = re.compile(r"^\[[a-z0-9]{5}\] ")

Facts = Sequence[str]


@dataclass
class WritingCounts:
    """How many texts were written, reused or missing, and what it took."""

    n_written: int = 0
    n_reused: int = 0
    n_cached: int = 0
    n_failed: int = 0
    n_cut: int = 0
    usage: Usage = field(default_factory=Usage)
    errors: Counter[str] = field(default_factory=Counter)

    def as_report(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        return {**vars(self), "usage": asdict(self.usage), "errors": dict(self.errors)}


class TextWriter:
    """Requests one text per row from a model.

    Parameters
    ----------
    llm : chat client or callable
    prompt : Prompt
        With the field ``block`` and any of ``fields``.
    block : str
        Name of the data block with the facts of a row.
    fields : dict of str
        The other fields of the prompt.
    max_chars : int
        Longer facts are cut there.
    max_tokens : int
        Most tokens of an answer; one that is cut off there is not used.
    as_list : bool
        Whether the text is a list, which is read leniently and written with commas.
    """

    def __init__(
        self,
        llm: Any,
        prompt: Prompt,
        block: str,
        fields: dict[str, str],
        *,
        max_chars: int,
        max_tokens: int,
        as_list: bool = False,
    ) -> None:
        self.chat: BaseChat = as_chat(llm)
        self.prompt = prompt
        self.block = block
        self.fields = fields
        self.max_chars = max_chars
        self.max_tokens = max_tokens
        self.as_list = as_list
        prompt.write(**fields, **{block: ""})  # refuses a field that there is not
        if block not in [name for _, name in template_fields(prompt.template)]:
            raise ValueError(f"The prompt {prompt.name!r} has no field for the facts; it must contain {{{block}}}.")

    def write(self, rows: Sequence[Facts], memory: dict[str, str]) -> tuple[list[Text], dict[str, str], dict[str, Any]]:
        """Write one text per row.

        Parameters
        ----------
        rows : list of n lists of str
            Facts; none is empty.
        memory : dict
            Texts of earlier runs, by their keys.

        Returns
        -------
        texts : list of n str or None
            None where the model gave none that can be used.
        memory : dict
            The texts of these rows, by their keys: the memory of the next run.
        report : dict
        """
        counts = WritingCounts()
        conversations = [self._messages(facts) for facts in rows]
        keys = self._keys(conversations)
        missing = {key: messages for key, messages in zip(keys, conversations, strict=True) if key not in memory}
        counts.n_reused += sum(key in memory for key in keys)
        counts.n_cut += sum(len(fact) > self.max_chars for facts in rows for fact in facts)
        found: dict[str, str] = {}
        for start in range(0, len(missing), _BLOCK):
            some = dict(list(missing.items())[start : start + _BLOCK])
            for key, result in zip(some, self._complete(list(some.values())), strict=True):
                text = self._read(result, counts)
                if text is not None:
                    found[key] = text
        updated = {key: memory[key] for key in keys if key in memory} | found
        texts = [updated.get(key) for key in keys]
        counts.n_written += len(found)
        counts.n_failed += sum(text is None for text in texts)
        if missing and not found:
            warnings.warn(
                f"No answer of the language model could be used: {dict(counts.errors.most_common(3))}. The texts "
                "without a language model are used instead.",
                LanguageModelWarning,
                stacklevel=caller_level(),
            )
        return texts, updated, {**counts.as_report(), "prompts": {self.prompt.name: self.prompt.as_text()}}

    def estimate(self, rows: Sequence[Facts], memory: dict[str, str]) -> Usage:
        """The most that :meth:`write` would take."""
        conversations = [self._messages(facts) for facts in rows]
        # The fingerprint of a local model needs its weights; without a memory the prompt alone is enough.
        keys = self._keys(conversations) if memory else [messages[-1]["content"] for messages in conversations]
        missing = {key: messages for key, messages in zip(keys, conversations, strict=True) if key not in memory}
        return self.chat.estimate(list(missing.values()), max_tokens=self.max_tokens, seed=0, prompt=self.prompt.name)

    def _messages(self, facts: Facts) -> list[Message]:
        # The same facts are the same prompt in every run, so that memory and cache find it.
        block, _ = delimited(self.block, facts, content_rng(0, *facts), max_chars=self.max_chars)
        return self.prompt.write(**self.fields, **{self.block: block})

    def _keys(self, conversations: list[list[Message]]) -> list[str]:
        """Keys of the answers: a hash of everything that determines them."""
        try:
            name, kind = self.chat.fingerprint, _NAMED
        except Exception:  # a model that cannot be loaded fails in complete, with a reason
            name = None
        if name is None:
            token = identity_token(getattr(self.chat, "function", self.chat))
            name, kind = os.urandom(16).hex() if token is None else f"object {token}", ""
        settings = [name, self.prompt.name, self.max_tokens, self.as_list]
        texts = [json.dumps([settings, messages], sort_keys=True) for messages in conversations]
        return [kind + hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=20).hexdigest() for text in texts]

    def _complete(self, conversations: list[list[Message]]) -> list[ChatResult]:
        try:
            return self.chat.complete(conversations, max_tokens=self.max_tokens, seed=0, prompt=self.prompt.name)
        except ExternalAccessError:
            raise
        except Exception as error:  # no row is lost because a model failed
            return [ChatResult(error=reason_of(error))] * len(conversations)

    def _read(self, result: ChatResult, counts: WritingCounts) -> Text:
        counts.usage += result.usage
        counts.n_cached += result.cached
        text = _as_list(result.text) if self.as_list else _TOKEN.sub("", " ".join(result.text.split()))
        error = result.error
        if error is None and result.finish_reason == "length":
            error = f"the answer was cut off at max_tokens={self.max_tokens}"
        if error is None and not text:
            error = "an empty answer"
        if error is not None:
            counts.errors[error] += 1
        return None if error is not None else text


def in_language(language: str | None) -> str:
    """The words for a language in a prompt."""
    return language or "the language of what you read"


def persistent_texts(memory: dict[str, str]) -> dict[str, str]:
    """The texts of a memory that other processes can reuse: those of models with a fingerprint."""
    return {key: text for key, text in memory.items() if key.startswith(_NAMED)}


def _as_list(text: str) -> str:
    parts = (part.strip(_AROUND_TAG) for line in text.splitlines() for part in list_members(line, slashes=False))
    distinct = {part.casefold(): part for part in reversed([" ".join(part.split()) for part in parts if part])}
    return ", ".join(reversed(distinct.values()))
