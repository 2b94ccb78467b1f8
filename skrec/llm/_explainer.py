"""Explanations by a language model that cite the evidence of the recommender."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skrec._chat import LanguageModel, Prompt, as_chat, read_prompt
from skrec._explain import (
    Evidence,
    Explanations,
    ItemTexts,
    LeaveOneOut,
    check_language,
    language_name,
    paired,
    template_language,
    write_reasons,
)
from skrec.exceptions import LanguageModelWarning
from skrec.interactions import (
    FeatureMatrix,
    FeatureSource,
    History,
    IdIndex,
    Ids,
    Recommendations,
    Table,
    as_unique_ids,
    check_k,
    check_rows,
    explained_pairs,
    given_options,
    read_features,
    read_items,
)
from skrec.llm._grounding import (
    Case,
    GroundedCounts,
    GroundedWriter,
    check_grounded_prompt,
    entries_of,
)
from skrec.llm._prompt_context import context_texts
from skrec.llm._prompt_recommender import PROMPT_CONSTRAINTS, PromptRecommender
from skrec.llm._row_texts import RowTexts
from skrec.utils import RandomState, Recommender, Text, caller_level, on_snapshot, unwrap_recommender


class LLMExplainer(PromptRecommender):
    """Explain the recommendations of any recommender in sentences that cite its evidence.

    The recommender gives the evidence for an item: events of the user with their contribution to the score, words
    that texts share, the context. A language model writes sentences and cites the evidence for each. A sentence
    that cites unknown evidence, or none, is dropped. If no sentence is left, or without a language model, the text
    comes from a template.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted; a :class:`~sklearn.frozen.FrozenEstimator` is kept as it is. Where it has no
        ``explain``, the evidence is the decrease of its score when an event leaves the history, by
        ``recommend(history=...)`` for an unknown user.
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to the answer. None uses the templates.
    language : str, default="en"
        BCP-47 tag or name of the language of the text. Templates exist in English, German, French, Spanish and
        Chinese; for another language they are in the nearest of these, with a
        :class:`~skrec.exceptions.TemplateLanguageWarning` where no model writes.
    max_sentences : int, default=2
        Maximum number of sentences of the model.
    item_template : str, default=None
        Text of an item for the model, by columns of ``item_features``, such as ``"{title}: {description}"``.
        None writes all columns with their names, without the id.
    user_template : str, default=None
        The same for ``user_features``.
    max_chars : int, default=500
        Longer texts are truncated in prompts.
    prompt : str, default=None
        A prompt that replaces the default one: a system message, a line ``---``, and a template with ``{item}``,
        ``{evidence}`` and, optionally, ``{language}`` and ``{max_sentences}``. A template alone keeps the default
        system message. None is the file ``explain-v1.txt``.
    max_tokens : int, default=512
        Maximum number of tokens of an answer; raised to 160 per sentence where ``max_sentences`` needs more.
    random_state : int, RandomState instance or None, default=0
        Seed of the tokens that stand for evidence in prompts. With an int, the same evidence gives the same
        prompt, which a cache can answer.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.

    See Also
    --------
    skrec.llm.personalise : One line that presents an item to a user.
    skrec.metrics.explanation_faithfulness : Whether the evidence is what the scores depend on.

    Notes
    -----
    Prompts contain no ids. A sentence that cites evidence may still state it wrongly; this is not checked.
    ``recommend``, ``predict``, ``similar_items`` and ``search`` are those of the recommender.

    ``report`` of the explanations counts ``n_pairs``, of which ``n_llm`` were written by the model and ``n_template``
    by template; ``n_prompts``, of which ``n_failed`` got no valid answer and ``n_cached`` came from the cache;
    ``n_sentences`` in answers, of which ``n_unknown`` cited unknown evidence, ``n_uncited`` cited none and
    ``n_too_long`` were too long; ``n_without_text``, pairs without a text to show; ``usage``, ``errors`` and
    ``prompts``. It contains no text of a user or an item.

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
        **PROMPT_CONSTRAINTS,
    }

    _effect_of_no_text = "explanations are written by template"

    def __init__(
        self,
        recommender: Recommender,
        llm: LanguageModel | None = None,
        *,
        language: str = "en",
        max_sentences: int = 2,
        item_template: str | None = None,
        user_template: str | None = None,
        max_chars: int = 500,
        prompt: str | None = None,
        max_tokens: int = 512,
        random_state: RandomState = 0,
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

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender
        from skrec.llm._heuristic_chat import HeuristicChat

        return [cls(PopularRecommender(), HeuristicChat())]

    # Fit -------------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        if not hasattr(self.recommender, "explain") and not uses_history(self.recommender):
            raise TypeError(
                "recommender must have explain(), or recommend(history=...) to leave events out one by one; "
                f"{type(unwrap_recommender(self.recommender)).__name__} has neither."
            )
        language_name(self.language)
        if self.llm is not None:
            as_chat(self.llm)
        check_grounded_prompt(self._prompt(), ["language", "max_sentences"])
        self._check_templates()

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        super()._fit_wrapper(X, y, item_features, user_features)
        check_language(self.language, has_llm=self.llm is not None)
        self._item_names = names_in(item_features, self.recommender_)

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        super()._after_partial_fit(X, y, item_features, user_features)
        self._item_names = self._item_names | names_in(item_features, self.recommender_)

    def _prompt(self) -> Prompt:
        return read_prompt(self.prompt, "explain-v1")

    # Explain ---------------------------------------------------------------------------------------------

    @on_snapshot
    def explain(
        self,
        users: Ids | Recommendations,
        items: Ids | None = None,
        *,
        context: Table | None = None,
        history: History | None = None,
        n_evidence: int = 3,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Explanations:
        """Explain why items are, or would be, recommended to users.

        Parameters
        ----------
        users, items : array-like of n ids, or Recommendations alone
            Pairs of a user and an item. A single id is used for all pairs.
        context, history
            As in :meth:`recommend`.
        n_evidence : int, default=3
            Maximum number of reasons per pair.
        user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            Features of users, found by id. The language model reads them, and the recommender does where it uses user
            features.

        Returns
        -------
        Explanations
            ``evidence`` holds the reasons that the text cites (by the model) or names (by template).

        Raises
        ------
        KeyError
            If an item is unknown.
        ValueError
            If users and items have different lengths.

        Warns
        -----
        LanguageModelWarning
            If the model was called and no answer was usable for any pair.
        """
        check_is_fitted(self)
        self._validate_params()
        self._check_wrapper()
        pairs = explained_pairs(users, items, context)
        context = pairs[2]
        options: dict[str, Any] = {"context": context, "history": history, "n_evidence": n_evidence}
        about_users = self._user_rows
        if user_features is not None:
            table, given = self._read_given(user_features)
            about_users = about_users.updated(given)
            options |= {"user_features": table} if self._uses_user_features() else {}
        base = self.base_explanations(pairs[0], pairs[1], **options)
        explicit = self.feedback == "explicit"
        language = template_language(self.language)
        evidence = [named(reasons, self._item_names) for reasons in base.evidence]
        text = [write_reasons(reasons, explicit=explicit, language=language) for reasons in evidence]
        method = ["template"] * len(text)
        counts = GroundedCounts(n_pairs=len(text))
        if self.llm is not None and len(text):
            cases = self._cases(base, evidence, context, about_users)
            for row, sentences in self._writer(counts).write(cases):
                if kept := sentences[: self.max_sentences]:
                    text[row] = " ".join(sentence.text for sentence in kept)
                    cited = (reason for sentence in kept for reason in sentence.evidence)
                    evidence[row], method[row] = list(dict.fromkeys(cited)), "llm"
            counts.n_without_text = sum(case is None for case in cases)
        counts.n_llm, counts.n_template = method.count("llm"), method.count("template")
        prompt = self._prompt()
        report = {**counts.as_report(), "prompts": {prompt.name: prompt.as_text()}}
        if counts.n_prompts and not counts.n_llm:
            warnings.warn(
                f"No answer of the language model was usable, so every text is by template. Of {counts.n_prompts} "
                f"prompts, {counts.n_failed} failed: {dict(counts.errors.most_common(3))}. Of {counts.n_sentences} "
                f"sentences, {counts.n_unknown} cited unknown evidence and {counts.n_uncited} cited none.",
                LanguageModelWarning,
                stacklevel=caller_level(),
            )
        return base.rewritten(text, evidence, method, report=report)

    def base_explanations(
        self,
        users: Ids,
        items: Ids,
        *,
        context: Table | None,
        history: History | None,
        n_evidence: int,
        user_features: FeatureSource | None = None,
    ) -> Explanations:
        """The explanations of the recommender; by leave-one-out, without texts, where it has no ``explain``."""
        if hasattr(self.recommender_, "explain"):
            options = given_options(context=context, history=history, user_features=user_features)
            return self.recommender_.explain(users, items, n_evidence=n_evidence, **options)
        n_evidence = check_k(n_evidence, "n_evidence")
        users, items = paired(users, items)
        item_ids, codes = read_items(items, self._item_index)
        if context is not None:
            check_rows(context, len(codes))
        histories = self._histories_of(users, history)
        left_out = LeaveOneOut(self.recommender_, self._item_index, self.popularity_)
        evidence = left_out.evidence(histories, codes, context, n_evidence)
        return Explanations(np.asarray(users), item_ids, [""] * len(codes), evidence, ["template"] * len(codes))

    def item_texts(self, ids: Ids) -> list[Text]:
        """Text of each item as the language model reads it; None where it has none."""
        return self._item_rows.of(ids)

    def item_names(self) -> dict[Any, str]:
        """Names of items from ``item_features``, by id, where the recommender has none of its own."""
        return dict(self._item_names)

    def _cases(
        self, base: Explanations, evidence: list[list[Evidence]], context: Any, about_users: RowTexts
    ) -> list[Case | None]:
        contexts = context_texts(context, self._context_names(), len(base))
        users, items = about_users.of(base.user), self._item_rows.of(base.item)
        explicit = self.feedback == "explicit"
        text_of = self._text_lookup(evidence)
        cases: list[Case | None] = []
        for item, user, context_text, reasons in zip(items, users, contexts, evidence, strict=True):
            entries = entries_of(reasons, text_of, explicit=explicit, context=context_text, user=user)
            cases.append(Case(item, entries) if item and entries else None)
        return cases

    def _text_lookup(self, evidence: list[list[Evidence]]) -> Callable[[Any], Text]:
        cited = list({reason.item: None for reasons in evidence for reason in reasons if reason.kind == "history"})
        return dict(zip(cited, self._item_rows.of(cited), strict=True)).__getitem__

    def _writer(self, counts: GroundedCounts) -> GroundedWriter:
        return GroundedWriter(
            as_chat(self.llm),
            self._prompt(),
            {"language": language_name(self.language), "max_sentences": str(self.max_sentences)},
            self._prompt_seed(),
            self.max_chars,
            self.max_tokens,
            counts,
            most=self.max_sentences,
        )


def uses_history(recommender: Any) -> bool:
    """Whether ``recommend`` takes a history."""
    parameters = inspect.signature(unwrap_recommender(recommender).recommend).parameters.values()
    return any(one.name == "history" or one.kind is one.VAR_KEYWORD for one in parameters)


def names_in(item_features: FeatureSource | None, recommender: Any) -> dict[Any, str]:
    """Names of items by id, for a fitted recommender that has no item texts of its own."""
    if item_features is None or getattr(unwrap_recommender(recommender), "item_texts_", None) is not None:
        return {}
    features = read_features(item_features, "item_features")
    ids = IdIndex(as_unique_ids(features)).values
    read = ItemTexts.read(features, np.arange(len(ids)), len(ids))
    names = [] if read is None else read.names
    return {item: name for item, name in zip(ids.tolist(), names, strict=False) if name is not None}


def named(reasons: list[Evidence], names: dict[Any, str]) -> list[Evidence]:
    """Reasons of the history, with names for items that have none."""
    return [
        replace(reason, name=names.get(reason.item)) if reason.kind == "history" and reason.name is None else reason
        for reason in reasons
    ]
