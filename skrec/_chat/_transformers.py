"""A chat model in this process."""

import copy
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec._chat._base import BaseChat
from skrec._chat._budget import settled
from skrec._chat._causal_loading import (
    CausalSettings,
    causal_fingerprint,
    causal_model,
    is_live_pair,
    source_of,
)
from skrec._chat._causal_model import CausalModel
from skrec._chat._chat_template import conversation_text, escape_special_tokens
from skrec._chat._generation import Generated, generate
from skrec._chat._likelihood import check_options, score_options
from skrec._chat._messages import Conversation, Message, read_conversation
from skrec._chat._results import ChatResult, ChatSettings, Usage, result_of
from skrec._chat._schema_prompt import with_repair, with_schema


class TransformersChat(BaseChat):
    """A causal language model of the transformers library, on this machine.

    Conversations are written by the model's chat template, batched, and padded on the left, so that each gets
    the answer it would get alone. Options are scored by a forward pass, with no text written; what a prompt's
    options share is computed once.

    Parameters
    ----------
    model : str, path, or pair (model, tokenizer)
        A folder, the name of a model on the Hugging Face hub, or a live model with its tokenizer, used as it
        is. Loaded at the first use, once per process for equal names and settings.
    device : str, default=None
        Such as ``"cpu"`` or ``"cuda:0"``; by default, or with ``"auto"``, the best device of this machine. A device
        that the machine does not have is a ValueError.
    dtype : {"float32", "bfloat16", "float16"}, default=None
        Precision; by default that in which the weights were saved.
    batch_size : int, default=16
        Most sequences per pass. Affects speed and memory alone; a batch that does not fit in memory is halved.
    max_length : int, default=None
        Most tokens of a prompt with its answer; by default what the model reads. A longer prompt has an
        ``error``; an answer is cut there, with ``finish_reason="length"``.
    template_options : dict, default=None
        For the chat template, such as ``{"enable_thinking": False}``.
    revision : str, default=None
        Branch, tag or commit on the hub.
    trust_remote_code : bool, default=False
        Whether code that comes with a model may run here. Only for models whose code you have read.
    pickle_weights : bool, default=False
        Whether a pickle carries the weights of a live model. By default it carries the path they came from
        if they still equal what is there, and is refused otherwise.
    **options
        ``budget``, ``cache``, ``prices`` and ``scrub`` of :class:`BaseChat`.

    Notes
    -----
    Without a chat template, which models have that were not trained to converse, a conversation of one message
    is that text as it is; several become paragraphs, with their speakers once the assistant has spoken.

    At a ``temperature`` above 0, tokens are drawn from the whole distribution: the model's own ``top_p`` and the
    like are ignored. Draws follow from the seed and the conversation; global generators are not touched.

    The prompt states the schema. An answer that does not fit it is sent back once.

    Examples
    --------
    .. code-block:: python

       chat = TransformersChat("Qwen/Qwen2.5-0.5B-Instruct")
       chat.complete(["Name a quiet film."], max_tokens=20)[0].text
       chat.score(["Is Alien a quiet film? Answer yes or no."], [["yes", "no"]])
    """

    can_score = True

    def __init__(
        self,
        model: Any,
        *,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int = 16,
        max_length: int | None = None,
        template_options: dict[str, Any] | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
        pickle_weights: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if isinstance(model, os.PathLike):
            model = os.fspath(model)
        if isinstance(model, str) and not model.strip():
            raise ValueError(f"model={model!r} names no model; pass a folder or the name of a model on the hub.")
        if not isinstance(model, str) and not is_live_pair(model):
            raise TypeError(
                "model must be a folder, the name of a model on the hub, or a pair (model, tokenizer) of "
                f"transformers; got an object of type {type(model).__name__}."
            )
        if dtype not in (None, "float32", "bfloat16", "float16"):
            raise ValueError(f"dtype={dtype!r} must be 'float32', 'bfloat16', 'float16' or None.")
        for name, value in (("batch_size", batch_size), ("max_length", max_length or 1)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r} must be a positive integer.")
        self.model = model
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size
        self.max_length = max_length
        self.template_options = template_options
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self.pickle_weights = pickle_weights

    def __repr__(self) -> str:
        name = self.model if isinstance(self.model, str) else type(self.model[0]).__name__
        return f"TransformersChat({name!r})"

    @property
    def fingerprint(self) -> str:
        """A hash of the weights, and the settings that change answers."""
        own = causal_fingerprint(self._causal(), self._settings())
        return f"transformers {own} {self.max_length} {sorted((self.template_options or {}).items())}"

    # Answers ---------------------------------------------------------------------------------------------

    def _answer(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        if settings.schema is None:
            return self._answer_once(conversations, settings)
        schema = settings.schema
        requests = [with_schema(messages, schema) for messages in conversations]
        results = self._answer_once(requests, settings)
        wrong = [i for i, one in enumerate(results) if one.text and one.error and one.finish_reason == "stop"]
        repairs = [with_repair(requests[i], results[i].text, str(results[i].error), schema) for i in wrong]
        # The first answers are not settled yet: to wait for reservations would be to wait for itself.
        reservations, _ = self._affordable(repairs, settings, wait=False)
        with settled(reservations):
            repairs = repairs[: len(reservations)]
            for i, one, repaired in zip(wrong, reservations, self._answer_once(repairs, settings), strict=False):
                usage = results[i].usage + repaired.usage
                results[i] = replace(results[i] if repaired.error else repaired, usage=usage)
                one.settle(0)  # what it took is counted with the first answer
        return results

    def _answer_once(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        causal = self._causal()
        texts, errors = self._texts(causal, conversations)
        rows = [ids or causal.start_ids for ids in causal.tokenize(texts, special=self._bare(causal))]
        window = self._window(causal)
        room = [settings.max_tokens if window is None else min(settings.max_tokens, window - len(row)) for row in rows]
        for i, row in enumerate(rows):
            if errors[i] is None and room[i] < 1:
                errors[i] = f"the prompt has {len(row)} tokens, and the model reads {window} with its answer"
        able = [i for i, error in enumerate(errors) if error is None]
        with causal.lock:
            written = generate(
                causal,
                [rows[i] for i in able],
                [room[i] for i in able],
                temperature=settings.temperature,
                seed=settings.seed,
                batch_size=self.batch_size,
            )
        results = [ChatResult(error=error) for error in errors]
        for i, answer in zip(able, written, strict=True):
            results[i] = _result(texts[i], len(rows[i]), answer, settings.schema)
        return results

    def _texts(self, causal: CausalModel, conversations: list[list[Message]]) -> tuple[list[str], list[str | None]]:
        """The text of each conversation, or why the chat template refuses it."""
        import jinja2

        texts = [""] * len(conversations)
        errors: list[str | None] = [None] * len(conversations)
        for i, messages in enumerate(conversations):
            try:
                texts[i] = conversation_text(causal.tokenizer, messages, self.template_options or {})
            except jinja2.TemplateError:
                errors[i] = "the chat template of the model refuses the roles of this conversation"
        return texts, errors

    # Likelihoods -----------------------------------------------------------------------------------------

    def score(
        self, prompts: Sequence[Conversation], options: Sequence[Sequence[str]], *, normalize: str = "sum"
    ) -> NDArray[np.float64]:
        """Log-probability of each option as the continuation of its prompt, by a forward pass alone.

        Parameters
        ----------
        prompts : list of n texts or conversations
            Written as for :meth:`complete`: by the chat template where there is one.
        options : list of n lists of m texts
            Put behind the prompt as they are: a space between them belongs to the option.
        normalize : {"sum", "mean"}, default="sum"
            "mean" divides by the number of tokens of the option.

        Returns
        -------
        float64 array of shape (n, m)
            NaN where there is none: a prompt longer than the model reads or beyond the budget, or an option
            without a token.

        Raises
        ------
        ValueError
            If the options are not one list per prompt, all of one length, or one is empty.

        Notes
        -----
        A prompt and an option are tokenised together. Where the first signs of an option merge with the last
        of the prompt into one token, scores of all options of this prompt begin before that token.

        A prompt is one call of the budget, whatever its options; of its tokens, those count that are computed.
        """
        check_options(prompts, options, normalize)
        causal = self._causal()
        conversations, _ = self._without_personal_data([read_conversation(prompt) for prompt in prompts])
        texts, errors = self._texts(causal, conversations)
        able = [i for i, error in enumerate(errors) if error is None]
        settings = ChatSettings(max_tokens=_most_read(causal, [texts[i] for i in able], [options[i] for i in able]))
        scores = np.full((len(prompts), len(options[0]) if options else 0), np.nan)
        for start, reservations, _ in self._batches([conversations[i] for i in able], settings):
            if not reservations:
                continue
            now = able[start : start + len(reservations)]
            with settled(reservations), causal.lock:
                found = score_options(
                    causal,
                    [texts[i] for i in now],
                    [[escape_special_tokens(causal.tokenizer, option) for option in options[i]] for i in now],
                    special=self._bare(causal),
                    window=self._window(causal),
                    batch_size=self.batch_size,
                )
                for reservation, n_read in zip(reservations, found.n_read.tolist(), strict=True):
                    reservation.settle(n_read)
            usage = Usage(n_calls=len(now), prompt_tokens=int(found.n_read.sum()))
            self._count([self._priced(ChatResult(usage=usage))])
            scores[now] = found.sums if normalize == "sum" else found.sums / np.maximum(found.n_tokens, 1)
        return scores

    # The model -------------------------------------------------------------------------------------------

    def _settings(self) -> CausalSettings:
        return CausalSettings(self.device, self.dtype, self.revision, self.trust_remote_code)

    def _external(self) -> list[str]:
        if not isinstance(self.model, str):
            return super()._external()
        load = f"load model={self.model!r} from a folder or from the Hugging Face hub"
        code = ", and run the code that comes with it (trust_remote_code)" if self.trust_remote_code else ""
        return [load + code, *super()._external()]

    def _causal(self) -> CausalModel:
        self._check_active()
        if isinstance(self.model, str):
            return causal_model(self.model, self._settings())
        known = self.__dict__.get("_live")
        if known is None:
            known = self.__dict__["_live"] = causal_model(self.model, self._settings())
        return known

    @staticmethod
    def _bare(causal: CausalModel) -> bool:
        """Whether the tokenizer's own beginning goes before a text: a chat template writes it out."""
        return causal.tokenizer.chat_template is None

    def _window(self, causal: CausalModel) -> int | None:
        if self.max_length is None or causal.window is None:
            return self.max_length or causal.window
        if self.max_length > causal.window:
            raise ValueError(
                f"max_length={self.max_length} is more than the {causal.window} tokens that the model reads."
            )
        return self.max_length

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__}
        state.pop("_live", None)
        if isinstance(self.model, str):
            return state
        if self.pickle_weights:
            model, tokenizer = self.model
            on_cpu = model if model.device.type == "cpu" else copy.deepcopy(model).cpu()
            return {**state, "model": (on_cpu, tokenizer)}
        source = source_of(*self.model)
        if source is None:
            raise ValueError(
                f"The model is a live {type(self.model[0]).__name__} whose weights lie at no path, or differ from "
                "those there; pickles leave weights out. Save model and tokenizer (save_pretrained(folder)) and pass "
                "the folder as model, or set pickle_weights=True."
            )
        return {**state, "model": source, "dtype": str(self.model[0].dtype).removeprefix("torch.")}


def _most_read(causal: CausalModel, texts: list[str], options: Sequence[Sequence[str]]) -> int:
    """The most tokens that options add to a prompt, and the prompt itself once more for each of them if need be."""
    times = 0 if causal.can_reuse_cache else max(map(len, options), default=1) - 1
    sizes = [
        times * len(text.encode()) + sum(len(o.encode("utf-8", "replace")) + 1 for o in row)
        for text, row in zip(texts, options, strict=True)
    ]
    return max(sizes, default=1)


def _result(prompt: str, n_prompt_tokens: int, answer: Generated, schema: dict[str, Any] | None) -> ChatResult:
    usage = Usage(n_calls=1, prompt_tokens=n_prompt_tokens, completion_tokens=answer.n_tokens)
    if answer.error is not None:
        return ChatResult(usage=usage, error=answer.error)
    # Some templates open the block of thought themselves.
    opened = "<think>" if prompt.rstrip().endswith("<think>") else ""
    return result_of(opened + answer.text, schema, usage, "stop" if answer.ended else "length")
