"""Explanations in words, without a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from skrec._explain._explanations import Evidence, Explanations
from skrec._explain._moments import context_words

_TEMPLATES = {
    "en": {
        "chosen": "Because you chose {}.",
        "rated": "Because of how you rated {}.",
        "shared": "In common: {}.",
        "context": "It fits the moment: {}.",
        "moment": "It fits the moment.",
        "features": "People like you choose it.",
        "popularity": "Popular: number {} of {}.",
        "ranked": "Number {} of {} by popularity.",
        "nothing": "Nothing you chose speaks for it; it is number {} of {} by popularity.",
        "new": "New: nobody has chosen it yet.",
        "chance": "Picked at random.",
        "item": "item {}",
        "and": "and",
    },
    "de": {
        "chosen": "Weil du {} gewählt hast.",
        "rated": "Wegen deiner Bewertung von {}.",
        "shared": "Gemeinsam: {}.",
        "context": "Passend zum Moment: {}.",
        "moment": "Passend zum Moment.",
        "features": "Menschen wie du wählen es.",
        "popularity": "Beliebt: Platz {} von {}.",
        "ranked": "Platz {} von {} nach Beliebtheit.",
        "nothing": "Nichts, was du gewählt hast, spricht dafür; Platz {} von {} nach Beliebtheit.",
        "new": "Neu: noch niemand hat es gewählt.",
        "chance": "Zufällig ausgewählt.",
        "item": "Artikel {}",
        "and": "und",
    },
    "fr": {
        "chosen": "Parce que vous avez choisi {}.",
        "rated": "En raison de votre note pour {}.",
        "shared": "En commun : {}.",
        "context": "Adapté au moment : {}.",
        "moment": "Adapté au moment.",
        "features": "Choisi par des personnes comme vous.",
        "popularity": "Populaire : numéro {} sur {}.",
        "ranked": "Numéro {} sur {} en popularité.",
        "nothing": "Rien de ce que vous avez choisi ne l'appuie ; numéro {} sur {} en popularité.",
        "new": "Nouveau : personne ne l'a encore choisi.",
        "chance": "Choisi au hasard.",
        "item": "l'article {}",
        "and": "et",
    },
    "es": {
        "chosen": "Porque elegiste {}.",
        "rated": "Por tu valoración de {}.",
        "shared": "En común: {}.",
        "context": "Apropiado para el momento: {}.",
        "moment": "Apropiado para el momento.",
        "features": "Lo eligen personas como tú.",
        "popularity": "Popular: número {} de {}.",
        "ranked": "Número {} de {} por popularidad.",
        "nothing": "Nada de lo que elegiste habla a su favor; número {} de {} por popularidad.",
        "new": "Nuevo: nadie lo ha elegido todavía.",
        "chance": "Elegido al azar.",
        "item": "el artículo {}",
        "and": "y",
    },
    "zh": {
        "chosen": "因为您选过{}。",
        "rated": "因为您给{}打过分。",
        "shared": "共同点：{}。",
        "context": "适合此刻：{}。",
        "moment": "适合此刻。",
        "features": "与您相似的人会选它。",
        "popularity": "受欢迎：在{1}项中排第{0}。",
        "ranked": "按受欢迎程度在{1}项中排第{0}。",
        "nothing": "您选过的内容与它无关；按受欢迎程度在{1}项中排第{0}。",
        "new": "新上架：还没有人选过。",
        "chance": "随机选出。",
        "item": "第{}号",
        "and": "和",
        "comma": "、",
        "space": "",
    },
}

LANGUAGES = tuple(_TEMPLATES)


def write_reasons(evidence: Sequence[Evidence], *, explicit: bool = False, language: str = "en") -> str:
    """One text for the evidence of one pair.

    Parameters
    ----------
    evidence : list of Evidence
    explicit : bool
        Whether events are ratings.
    language : {"en", "de", "fr", "es", "zh"}
    """
    words = _TEMPLATES[language]
    sentences = []
    comma = words.get("comma", ", ")
    history = [reason for reason in evidence if reason.kind == "history"]
    if history:
        names = [reason.name or words["item"].format(reason.item) for reason in history]
        sentences.append(words["rated" if explicit else "chosen"].format(_listed(names, words)))
        shared = list(dict.fromkeys(word for reason in history for word in reason.keywords))[:3]
        if shared:
            sentences.append(words["shared"].format(comma.join(shared)))
    in_context = [context_words(reason.name, reason.value, language) for reason in evidence if reason.kind == "context"]
    columns = [column for column in in_context if column]
    if columns:
        sentences.append(words["context"].format(_listed(columns, words)))
    elif in_context:
        sentences.append(words["moment"])
    for reason in evidence:
        if reason.kind in ("features", "chance"):
            sentences.append(words[reason.kind])
        elif reason.kind == "popularity":
            sentences.append(words[_how_popular(reason)].format(reason.rank, reason.n_items))
    return words.get("space", " ").join(sentences)


def by_raw_columns(
    explanations: Explanations,
    columns: Sequence[str],
    values: Mapping[str, Sequence[Any]] | None = None,
    *,
    explicit: bool,
) -> Explanations:
    """The same with context named as it was before it was encoded: "device: phone" for "device_phone".

    Of several features of one column the strongest stays. A text that is not the template of the evidence stays.

    Parameters
    ----------
    explanations : Explanations
    columns : sequence of str
        The context columns before the steps.
    values : mapping from a column to n values, default=None
        What each column holds, in words or as datetime64; None where it is not known.
    explicit : bool
        Whether events are ratings.
    """
    renamed = copy(explanations)
    renamed.evidence = [
        _with_raw_columns(reasons, columns, {name: of_column[row] for name, of_column in (values or {}).items()})
        for row, reasons in enumerate(explanations.evidence)
    ]
    renamed.text = [
        write_reasons(after, explicit=explicit) if text == write_reasons(before, explicit=explicit) else text
        for text, before, after in zip(explanations.text, explanations.evidence, renamed.evidence, strict=True)
    ]
    return renamed


def _with_raw_columns(
    evidence: Sequence[Evidence], columns: Sequence[str], values: Mapping[str, Any]
) -> list[Evidence]:
    kept: list[Evidence] = []
    named: set[str] = set()
    for reason in evidence:
        if reason.kind == "context" and reason.name is not None:
            of = [name for name in columns if f"{reason.name}_".startswith(f"{name}_")]
            name = max(of, key=len, default=reason.name)
            if name in named:
                continue
            named.add(name)
            reason = replace(reason, name=name, value=values.get(name))
        kept.append(reason)
    return kept


def _how_popular(reason: Evidence) -> str:
    if reason.weight <= 0:
        return "new"
    if reason.despite_history:
        return "nothing"
    assert reason.rank is not None
    assert reason.n_items is not None
    return "popularity" if reason.rank <= max(10, reason.n_items / 10) else "ranked"


def _listed(names: Sequence[str], words: Mapping[str, str]) -> str:
    if len(names) == 1:
        return names[0]
    space = words.get("space", " ")
    return f"{words.get('comma', ', ').join(names[:-1])}{space}{words['and']}{space}{names[-1]}"
