"""Copy for one user: a line about an item that rests on why it is recommended."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skrec._chat import as_chat, read_prompt
from skrec._explain import Evidence, Explanations, write_reasons
from skrec.exceptions import LanguageModelWarning
from skrec.llm._explainer import LLMExplainer, check_language, named, names_in
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
from skrec.utils import Text, unwrap_recommender

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
    items: Any,
    users: Any,
    llm: Any = None,
    *,
    recommender: Any,
    item_features: Any = None,
    context: Any = None,
    history: Any = None,
    max_length: int = 100,
    language: str = "en",
    n_evidence: int = 3,
    max_chars: int = 500,
    prompt: str | None = None,
    max_tokens: int = 256,
    random_state: Any = 0,
) -> Explanations:
    """Write one line a pair that makes an item appealing to a user, for a banner or the subject of a mail.

    It is grounded as explanations are: the model reads the item and what speaks for it, and a line that cites
    what it was not given, or nothing, or is too long, is thrown away. Then, and without a model, the template of
    ``explain`` stands in, shortened by whole reasons.

    Parameters
    ----------
    items, users : array-like of n ids
        They pair up; a single one stands for all.
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to the answer. None writes by template.
    recommender : recommender, Pipeline or search
        Fitted; its ``explain`` says what speaks for an item.
    item_features : frame, pair (ids, matrix) or FeatureTable, default=None
        Texts of items for the model to read. None means those that ``recommender`` was fitted with.
    context, history
        As in the recommender's ``explain``.
    max_length : int, default=100
        Most characters of a line, at least 20.
    language : str, default="en"
        A code or a name. Templates are in English, German, French and Spanish.
    n_evidence : int, default=3
        Most reasons a pair.
    max_chars : int, default=500
        Characters shown of a text.
    prompt : str, default=None
        Another prompt, with ``{item}`` and ``{evidence}``, and ``{language}`` and ``{max_length}`` where wanted.
        None is the file ``pitch-v1.txt`` of :mod:`skrec.llm`.
    max_tokens : int, default=256
    random_state : int, RandomState instance or None, default=0
        The tokens that stand for evidence in prompts.

    Returns
    -------
    Explanations
        ``text`` holds the lines, ``evidence`` what each rests on, ``method`` "llm" or "template".

    Raises
    ------
    KeyError
        If an item is unknown.
    ValueError
        If items and users are of unlike number, or ``max_length`` is below 20.
    TypeError
        If ``recommender`` explains nothing.

    Warns
    -----
    LanguageModelWarning
        If the model was asked and no answer could be used.

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
    recommender = _explaining(recommender)
    texts = _texts_of(recommender, item_features)
    names = names_in(item_features, recommender)
    columns = getattr(recommender, "feature_names_in_", None)
    if isinstance(recommender, LLMExplainer):
        names = recommender._own_names | names
        recommender = recommender.recommender_
    told = recommender.explain(users, items, context=context, history=history, n_evidence=n_evidence)
    explicit = getattr(unwrap_recommender(recommender), "feedback", "implicit") == "explicit"
    code = template_language(language) or "en"
    evidence = [named(reasons, names) for reasons in told.evidence]
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
        )
        moments = context_texts(context, None if columns is None else columns[2:], len(told))
        rows, cases = [], []
        for row, item in enumerate(told.item.tolist()):
            entries = entries_of(evidence[row], texts, explicit=explicit, context=moments[row])
            if entries and (text := texts(item)):
                rows.append(row)
                cases.append(Case(text, entries))
        for row, sentences in zip(rows, writer.write(cases), strict=True):
            fitting = [sentence for sentence in sentences if len(sentence.text) <= max_length]
            if fitting:
                lines[row], evidence[row], method[row] = fitting[0].text, fitting[0].evidence, "llm"
        if rows and "llm" not in method:
            counts = writer.counts
            n_unfit = counts.n_sentences - counts.n_unknown - counts.n_uncited
            warnings.warn(
                f"No answer of the language model could be used, and every line is by template. Of {counts.n_prompts} "
                f"prompts {counts.n_failed} failed: {dict(counts.errors.most_common(3))}; of {counts.n_sentences} "
                f"lines {counts.n_unknown} cited what was not given, {counts.n_uncited} nothing, and {n_unfit} were "
                f"longer than max_length={max_length} or said twice.",
                LanguageModelWarning,
                stacklevel=2,
            )
    return Explanations(told.user, told.item, lines, evidence, method, backend=told._backend)


def _explaining(recommender: Any) -> Any:
    """What explains: of a search the recommender that it has found."""
    while isinstance(recommender, BaseSearchCV):
        check_is_fitted(recommender)
        recommender = recommender.best_estimator_
    if not hasattr(recommender, "explain"):
        raise TypeError(f"recommender must be fitted and have explain(); {type(recommender).__name__} has none.")
    return recommender


def _template_line(reasons: Sequence[Evidence], max_length: int, explicit: bool, language: str) -> str:
    """As many of the reasons as fit, with what they share if that fits too."""
    for n in range(len(reasons), 0, -1):
        for kept in (reasons[:n], [replace(reason, keywords=()) for reason in reasons[:n]]):
            line = write_reasons(kept, explicit=explicit, language=language)
            if len(line) <= max_length:
                return line
    return line[: max_length - 1].rstrip() + "…"


def _texts_of(recommender: Any, item_features: Any) -> Callable[[Any], Text]:
    """The text of an item id, from a table, or as the recommender knows it."""
    if item_features is None and isinstance(recommender, LLMExplainer):
        table = recommender._item_texts
        return lambda item: table.of([item])[0]
    if item_features is not None:
        given = RowTexts.read(item_features, "item_features")
        return lambda item: given.of([item])[0]
    inner = unwrap_recommender(recommender)
    known = getattr(inner, "_item_texts_", None)
    if known is None:
        return lambda item: None
    return lambda item: known.texts[int(inner._item_index.codes([item], "items")[0])]
