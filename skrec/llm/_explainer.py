"""Explanations in the words of a language model, tied to what the recommender goes by."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skrec._chat import Prompt, as_chat, read_prompt
from skrec._explain import LANGUAGES, Evidence, Explanations, ItemTexts, write_reasons
from skrec.base import MetaRecommender
from skrec.exceptions import FeatureCoverageWarning, LanguageModelWarning
from skrec.interactions import IdIndex, as_unique_ids, read_features
from skrec.llm._grounding import (
    Case,
    GroundedCounts,
    GroundedWriter,
    check_grounded_prompt,
    entries_of,
    language_name,
    template_language,
)
from skrec.llm._prompt_context import context_texts
from skrec.llm._row_texts import RowTexts
from skrec.utils import Text, template_fields, unwrap_recommender

_BLOCK = 1024
"""Pairs whose prompts are held in memory at a time."""


class LLMExplainer(MetaRecommender):
    """Explain the recommendations of any recommender, in words that rest on its own evidence.

    The recommender says what speaks for an item: events of the user with what each adds to the score, words that
    texts share, the context. A language model puts that into sentences and names for each the evidence that it
    rests on. A sentence that names evidence it was not given, or none, is thrown away; with none left the
    template of the recommender's own ``explain`` stands in, as it does without a model.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted; a :class:`~sklearn.frozen.FrozenEstimator` is kept as it is.
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to the answer. None writes by template.
    language : str, default="en"
        Of the text: a code or a name. Templates are in English, German, French and Spanish; with a model and
        another language, a template that stands in is in English.
    max_sentences : int, default=2
        Most sentences of the model.
    item_template : str, default=None
        Wording of an item for the model, by columns of ``item_features``, as in ``"{title}: {description}"``.
        None writes all columns with their names. The id column is none of them.
    user_template : str, default=None
        The same of ``user_features``.
    max_chars : int, default=500
        Characters shown of a text.
    prompt : str, default=None
        Another prompt: a system message, a line ``---``, and a template with ``{item}`` and ``{evidence}``, and
        ``{language}`` and ``{max_sentences}`` where wanted. A template alone keeps the system message. None is the
        file ``explain-v1.txt`` of :mod:`skrec.llm`.
    max_tokens : int, default=512
        Most tokens of an answer.
    random_state : int, RandomState instance or None, default=0
        The tokens that stand for evidence in prompts. With an int the same evidence is written as the same
        prompt, which a cache can answer.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.
    report_ : dict
        Of the last ``explain``: ``n_pairs``, of which ``n_llm`` were written by the model and ``n_template`` by
        template; ``n_prompts``, of which ``n_failed`` got no answer that fits and ``n_cached`` came from the cache;
        ``n_sentences`` in answers, of which ``n_unknown`` cited what was not given, ``n_uncited`` nothing and
        ``n_too_long`` were too long; ``n_without_text`` pairs that nothing could be shown of; ``usage``, ``errors``
        and ``prompts``. It holds no text of a user or an item.

    See Also
    --------
    skrec.llm.personalise : One line that makes an item appealing to a user.
    skrec.metrics.explanation_faithfulness : Whether what is cited is what the model goes by.

    Notes
    -----
    No id enters a prompt. A sentence that rests on given evidence may still say it wrongly: that is checked by
    reading, and nothing here does it. ``recommend``, ``predict``, ``similar_items`` and ``search`` are the
    recommender's.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.llm import LLMExplainer
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
    >>> X = pd.DataFrame({"user": [1, 1, 2, 2, 3], "item": [10, 20, 10, 20, 10]})
    >>> films = pd.DataFrame({"item": [10, 20], "title": ["Alien", "Aliens"], "text": ["a ship", "a ship, again"]})
    >>> knn = ItemKNNRecommender(item_encoder=LLMTextEmbedder(HashingTextEncoder()))
    >>> rec = LLMExplainer(knn, language="de").fit(X, item_features=films)
    >>> rec.explain([3], [20]).text
    ['Weil du Alien gewählt hast. Gemeinsam: ship.']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "language": [str],
        "max_sentences": [Interval(Integral, 1, None, closed="left")],
        "item_template": [str, None],
        "user_template": [str, None],
        "max_chars": [Interval(Integral, 20, None, closed="left")],
        "prompt": [str, None],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        recommender: Any,
        llm: Any = None,
        *,
        language: str = "en",
        max_sentences: int = 2,
        item_template: str | None = None,
        user_template: str | None = None,
        max_chars: int = 500,
        prompt: str | None = None,
        max_tokens: int = 512,
        random_state: Any = 0,
    ) -> None:
        self.recommender = recommender
        self.llm = llm
        self.language = language
        self.max_sentences = max_sentences
        self.item_template = item_template
        self.user_template = user_template
        self.max_chars = max_chars
        self.prompt = prompt
        self.max_tokens = max_tokens
        self.random_state = random_state

    # Fit -------------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        if not hasattr(self.recommender, "explain"):
            raise TypeError(
                f"recommender must have explain(); {type(unwrap_recommender(self.recommender)).__name__} has none."
            )
        check_language(self.language, has_llm=self.llm is not None)
        if self.llm is not None:
            as_chat(self.llm)
        check_grounded_prompt(self._prompt(), ["language", "max_sentences"])
        for template in (self.item_template, self.user_template):
            if template is not None:
                template_fields(template)

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self._item_texts = RowTexts.read(item_features, "item_features", self.item_template)
        self._user_texts = RowTexts.read(user_features, "user_features", self.user_template)
        self._own_names = names_in(item_features, self.recommender_)
        self.report_ = GroundedCounts().as_report()
        if self.llm is not None and not len(self._item_texts):
            warnings.warn(
                "There is no text of an item, so that the language model has nothing to read and explanations are "
                "by template; pass item_features with columns of text.",
                FeatureCoverageWarning,
                stacklevel=4,
            )

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        items = RowTexts.read(item_features, "item_features", self.item_template)
        users = RowTexts.read(user_features, "user_features", self.user_template)
        self._item_texts, self._user_texts = self._item_texts.updated(items), self._user_texts.updated(users)
        self._own_names |= names_in(item_features, self.recommender_)

    def _prompt(self) -> Prompt:
        return read_prompt(self.prompt, "explain-v1")

    # Explain ---------------------------------------------------------------------------------------------

    def explain(
        self, users: Any, items: Any, *, context: Any = None, history: Any = None, n_evidence: int = 3
    ) -> Explanations:
        """Say why items are, or would be, recommended to users.

        Parameters
        ----------
        users, items : array-like of n ids
            They pair up; a single one stands for all.
        context, history
            As in :meth:`recommend`.
        n_evidence : int, default=3
            Most reasons a pair that the recommender gives.

        Returns
        -------
        Explanations
            ``evidence`` is what the text cites, by the model, or names, by template.

        Raises
        ------
        KeyError
            If an item is unknown.
        ValueError
            If users and items are of unlike number.

        Warns
        -----
        LanguageModelWarning
            If the model was asked and no answer could be used for any pair.
        """
        check_is_fitted(self)
        self._validate_params()
        self._check_wrapper()
        base = self.recommender_.explain(users, items, context=context, history=history, n_evidence=n_evidence)
        explicit = self.feedback == "explicit"
        language = template_language(self.language) or "en"
        evidence = [named(reasons, self._own_names) for reasons in base.evidence]
        text = [write_reasons(reasons, explicit=explicit, language=language) for reasons in evidence]
        method = ["template"] * len(text)
        counts = GroundedCounts(n_pairs=len(text))
        if self.llm is not None and len(text):
            cases = self._cases(base, evidence, context)
            writer = self._writer(counts)
            for start in range(0, len(cases), _BLOCK):
                rows = [row for row in range(start, min(start + _BLOCK, len(cases))) if cases[row] is not None]
                for row, sentences in zip(rows, writer.write([cases[row] for row in rows]), strict=True):  # type: ignore[misc]
                    kept = sentences[: self.max_sentences]
                    if kept:
                        text[row] = " ".join(sentence.text for sentence in kept)
                        cited = (reason for sentence in kept for reason in sentence.evidence)
                        evidence[row], method[row] = list(dict.fromkeys(cited)), "llm"
            counts.n_without_text = sum(case is None for case in cases)
        counts.n_llm, counts.n_template = method.count("llm"), method.count("template")
        prompt = self._prompt()
        self.report_ = {**counts.as_report(), "prompts": {prompt.name: prompt.as_text()}}
        if counts.n_prompts and not counts.n_llm:
            warnings.warn(
                f"No answer of the language model could be used, and every text is by template. Of {counts.n_prompts} "
                f"prompts {counts.n_failed} failed: {dict(counts.errors.most_common(3))}; of {counts.n_sentences} "
                f"sentences {counts.n_unknown} cited what was not given and {counts.n_uncited} nothing.",
                LanguageModelWarning,
                stacklevel=2,
            )
        return Explanations(base.user, base.item, text, evidence, method, backend=self._frame_backend)

    def _cases(self, base: Explanations, evidence: list[list[Evidence]], context: Any) -> list[Case | None]:
        names = getattr(self, "feature_names_in_", None)
        contexts = context_texts(context, None if names is None else names[2:], len(base))
        users, items = self._user_texts.of(base.user), self._item_texts.of(base.item)
        explicit = self.feedback == "explicit"
        text_of = self._text_lookup(evidence)
        cases: list[Case | None] = []
        for item, user, moment, reasons in zip(items, users, contexts, evidence, strict=True):
            entries = entries_of(reasons, text_of, explicit=explicit, context=moment, user=user)
            cases.append(Case(item, entries) if item and entries else None)
        return cases

    def _text_lookup(self, evidence: list[list[Evidence]]) -> Callable[[Any], Text]:
        cited = list({reason.item: None for reasons in evidence for reason in reasons if reason.kind == "history"})
        return dict(zip(cited, self._item_texts.of(cited), strict=True)).__getitem__

    def _writer(self, counts: GroundedCounts) -> GroundedWriter:
        return GroundedWriter(
            as_chat(self.llm),
            self._prompt(),
            {"language": language_name(self.language), "max_sentences": str(self.max_sentences)},
            int(check_random_state(self.random_state).randint(2**31 - 1)),
            self.max_chars,
            self.max_tokens,
            counts,
        )


def names_in(item_features: Any, recommender: Any) -> dict[Any, str]:
    """Names of items by id, where a fitted recommender was given no texts to take them from."""
    if item_features is None or getattr(unwrap_recommender(recommender), "_item_texts_", None) is not None:
        return {}
    features = read_features(item_features, "item_features")
    ids = IdIndex(as_unique_ids(features)).values
    read = ItemTexts.read(features, np.arange(len(ids)), len(ids))
    names = [] if read is None else read.names
    return {item: name for item, name in zip(ids.tolist(), names, strict=False) if name is not None}


def named(reasons: list[Evidence], names: dict[Any, str]) -> list[Evidence]:
    """Reasons with names for the items of the history that have none."""
    return [
        replace(reason, name=names.get(reason.item)) if reason.kind == "history" and reason.name is None else reason
        for reason in reasons
    ]


def check_language(language: str, *, has_llm: bool) -> None:
    """Refuse a language that nothing writes in.

    Raises
    ------
    ValueError
    """
    language_name(language)
    if not has_llm and template_language(language) is None:
        raise ValueError(f"language={language!r}: without llm there are templates in {', '.join(LANGUAGES)} alone.")
