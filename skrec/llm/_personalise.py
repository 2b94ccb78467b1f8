"""One line about an item for one user, which cites the evidence of the recommender."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skrec._chat import LanguageModel, as_chat, read_prompt
from skrec._explain import (
    Evidence,
    Explanations,
    check_language,
    language_name,
    template_language,
    write_reasons,
)
from skrec.exceptions import LanguageModelWarning
from skrec.interactions import FeatureSource, History, IdIndex, Ids, Table
from skrec.llm._explainer import LLMExplainer, named, names_in
from skrec.llm._grounding import (
    Case,
    GroundedCounts,
    GroundedWriter,
    check_grounded_prompt,
    entries_of,
)
from skrec.llm._prompt_context import context_texts
from skrec.llm._row_texts import RowTexts
from skrec.utils import RandomState, Recommender, Text, caller_level, unwrap_recommender

_SHORTEST = 20


@validate_params(
    {
        "max_length": [Interval(Integral, _SHORTEST, None, closed="left")],
        "language": [str],
        "max_chars": [Interval(Integral, 20, None, closed="left")],
        "prompt": [str, None],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=False,
)
def personalise(
    items: Ids,
    users: Ids,
    llm: LanguageModel | None = None,
    *,
    recommender: Recommender,
    item_features: FeatureSource | None = None,
    context: Table | None = None,
    history: History | None = None,
    max_length: int = 100,
    language: str = "en",
    n_evidence: int = 3,
    max_chars: int = 500,
    prompt: str | None = None,
    max_tokens: int = 256,
    random_state: RandomState = 0,
) -> Explanations:
    """Write one line per pair that presents an item to a user, for a banner or the subject of a mail.

    The model reads the item and the evidence for it. A line that cites unknown evidence, cites none, or is too
    long, is dropped. In that case, or without a model, the line comes from the template of ``explain``, shortened
    by whole reasons.

    Parameters
    ----------
    items, users : array-like of n ids
        Pairs of an item and a user. A single id is used for all pairs.
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to the answer. None uses the templates.
    recommender : recommender, Pipeline or search
        A fitted one; its ``explain`` gives the evidence for an item.
    item_features : frame, pair (ids, matrix) or FeatureTable, default=None
        Item texts for the model. None means the texts that ``recommender`` was fitted with.
    context, history
        As in the recommender's ``explain``.
    max_length : int, default=100
        Maximum number of characters of a line, at least 20.
    language : str, default="en"
        BCP-47 tag or name of a language. Templates exist in English, German, French, Spanish and Chinese; for
        another language they are in the nearest of these, with a warning where no model writes.
    n_evidence : int, default=3
        Maximum number of reasons per pair.
    max_chars : int, default=500
        Longer texts are truncated in prompts.
    prompt : str, default=None
        A prompt that replaces the default one, with ``{item}``, ``{evidence}`` and, optionally, ``{language}``
        and ``{max_length}``. None is the file ``pitch-v1.txt``.
    max_tokens : int, default=256
    random_state : int, RandomState instance or None, default=0
        Seed of the tokens that stand for evidence in prompts.

    Returns
    -------
    Explanations
        ``text`` holds the lines, ``evidence`` the reasons that each cites, ``method`` "llm" or "template".

    Raises
    ------
    KeyError
        If an item is unknown.
    ValueError
        If items and users have different lengths, or ``max_length`` is below 20.
    TypeError
        If ``recommender`` has no ``explain``.

    Warns
    -----
    LanguageModelWarning
        If the model was called and no answer was usable.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.llm import personalise
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = pd.DataFrame({"user": [1, 1, 2, 2, 3], "item": ["Alien", "Aliens", "Alien", "Aliens", "Alien"]})
    >>> rec = ItemKNNRecommender().fit(X)
    >>> personalise(["Aliens"], [3], recommender=rec, max_length=40).text
    ['Because you chose item Alien.']
    """
    check_language(language, has_llm=llm is not None)
    pitch = read_prompt(prompt, "pitch-v1")
    check_grounded_prompt(pitch, ["language", "max_length"])
    explaining = _explaining(recommender)
    texts = _texts_of(explaining, item_features)
    names = names_in(item_features, explaining)
    columns = getattr(explaining, "feature_names_in_", None)
    explain = explaining.explain
    if isinstance(explaining, LLMExplainer):
        names = explaining.item_names() | names
        explain = explaining.base_explanations
    explained = explain(users, items, context=context, history=history, n_evidence=n_evidence)
    explicit = getattr(unwrap_recommender(explaining), "feedback", "implicit") == "explicit"
    code = template_language(language)
    evidence = [named(reasons, names) for reasons in explained.evidence]
    lines = [_template_line(reasons, max_length, explicit, code) for reasons in evidence]
    method = ["template"] * len(lines)
    if llm is not None:
        writer = GroundedWriter(
            as_chat(llm),
            pitch,
            {"language": language_name(language), "max_length": str(max_length)},
            int(check_random_state(random_state).randint(2**31 - 1)),
            max_chars,
            max_tokens,
            GroundedCounts(),
            longest=max_length,
        )
        contexts = context_texts(context, None if columns is None else columns[2:], len(explained))
        cases = _cases(explained.item.tolist(), evidence, texts, contexts, explicit)
        for row, sentences in writer.write(cases):
            fitting = [sentence for sentence in sentences if len(sentence.text) <= max_length]
            if fitting:
                lines[row], evidence[row], method[row] = fitting[0].text, fitting[0].evidence, "llm"
        if "llm" not in method:
            _warn_of_no_answer(writer.counts, max_length)
    return explained.rewritten(lines, evidence, method)


def _cases(
    items: list[Any],
    evidence: list[list[Evidence]],
    text_of: Callable[[Any], Text],
    contexts: list[Text],
    explicit: bool,
) -> list[Case | None]:
    """What the model reads of each pair; None for a pair without a text of the item or of any evidence."""
    cases: list[Case | None] = []
    for item, reasons, context in zip(items, evidence, contexts, strict=True):
        entries = entries_of(reasons, text_of, explicit=explicit, context=context)
        text = text_of(item) if entries else None
        cases.append(Case(text, entries) if text else None)
    return cases


def _warn_of_no_answer(counts: GroundedCounts, max_length: int) -> None:
    if not counts.n_prompts:
        return
    n_unfit = counts.n_sentences - counts.n_unknown - counts.n_uncited
    warnings.warn(
        f"No answer of the language model was usable, so every line is by template. Of {counts.n_prompts} prompts, "
        f"{counts.n_failed} failed: {dict(counts.errors.most_common(3))}. Of {counts.n_sentences} lines, "
        f"{counts.n_unknown} cited unknown evidence, {counts.n_uncited} cited none, and {n_unfit} were longer than "
        f"max_length={max_length} or repeated.",
        LanguageModelWarning,
        stacklevel=caller_level(),
    )


def _explaining(recommender: Any) -> Any:
    """A fitted recommender with ``explain``; of a search, its best estimator."""
    while isinstance(recommender, BaseSearchCV):
        check_is_fitted(recommender)
        recommender = recommender.best_estimator_
    if not hasattr(recommender, "explain"):
        raise TypeError(
            f"recommender must be fitted and have explain(); {type(recommender).__name__} has none. Wrap a recommender "
            "without it in LLMExplainer."
        )
    return recommender


def _template_line(reasons: Sequence[Evidence], max_length: int, explicit: bool, language: str) -> str:
    """As many of the reasons as fit, with shared words where these fit too."""
    for n in range(len(reasons), 0, -1):
        for kept in (reasons[:n], [replace(reason, keywords=()) for reason in reasons[:n]]):
            line = write_reasons(kept, explicit=explicit, language=language)
            if len(line) <= max_length:
                return line
    return line[: max_length - 1].rstrip() + "…"


def _texts_of(recommender: Any, item_features: FeatureSource | None) -> Callable[[Any], Text]:
    """A function from an item id to its text, from a table or from the recommender."""
    if item_features is None and isinstance(recommender, LLMExplainer):
        explainer = recommender
        return lambda item: explainer.item_texts([item])[0]
    if item_features is not None:
        given = RowTexts.read(item_features, "item_features")
        return lambda item: given.of([item])[0]
    known = getattr(unwrap_recommender(recommender), "item_texts_", None)
    if known is None:
        return lambda item: None
    catalogue = IdIndex(np.asarray(recommender.items_))
    return lambda item: known.texts[int(catalogue.codes([item], "items")[0])]
