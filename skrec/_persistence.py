"""The version of what is saved."""

from typing import Any

from skrec.exceptions import FormatVersionError

FORMAT_VERSION = 1
"""Raised whenever an older skrec could not read what a newer one writes."""


class PersistenceMixin:
    """Store a format version with the state, and refuse to load a newer one.

    Placed before :class:`sklearn.base.BaseEstimator` in the bases. A subclass that leaves something out
    of its state, such as weights that have a path, overrides ``__getstate__`` and calls this one first.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, "_format_version": FORMAT_VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        found = state.pop("_format_version", None)
        if not isinstance(found, int) or found > FORMAT_VERSION:
            raise FormatVersionError(
                f"{type(self).__name__} was saved in format version {found}; this skrec reads versions up to "
                f"{FORMAT_VERSION}. Load it with the skrec that saved it, or a newer one."
            )
        super().__setstate__(state)  # type: ignore[misc]


_PARTS = [
    "collections.Counter",
    "collections.Counter",
    "scipy.sparse._csr.csr_array",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split._CVIterableWrapper",
    "skrec._context.ContextColumns",
    "skrec._event_template.EventTemplate",
    "skrec._histories.Histories",
    "skrec._ids.IdIndex",
    "skrec._item_texts.ItemTexts",
    "skrec._privacy.Scrubber",
    *[f"skrec.feature_extraction._context_parts.{n}" for n in ("Categories", "Numbers", "Places", "Texts", "Times")],
    "skrec.feature_extraction._hashing.HashingTextEncoder",
    "skrec.feature_extraction._keywords.Phrases",
    "skrec.feature_extraction._profile_histories.ItemWordings",
    "skrec.llm._budget.Budget",
    "skrec.llm._chat.CallableChat",
    "skrec.llm._heuristic_chat.HeuristicChat",
    "skrec.llm._item_facts.ItemFacts",
    "skrec.llm._item_knowledge.ItemKnowledge",
    "skrec.llm._results.Usage",
    "skrec.llm._row_texts.RowTexts",
    "skrec.llm._text_space.TextSpace",
    "skrec.pipeline.Pipeline",
    "skrec.testing.in_given_order",
]


def skops_trusted_types() -> list[str]:
    """Names of the types in saved estimators of skrec, for ``trusted=`` of :func:`skops.io.load`.

    Every public estimator, and the plain holders of arrays and ids inside. What a user nests in one, such as
    an encoder of another library, is not among them. Nor are chat clients and caches that a file could turn to
    its ends, by an address that gets texts and a key, code that comes with a model, or a path that is written
    to: look at what such a file holds before you trust :class:`~skrec.llm.OpenAICompatibleChat`,
    :class:`~skrec.llm.TransformersChat` or :class:`~skrec.llm.ChatCache` in it, and at ``base_url`` and
    ``trust_remote_code`` of an embedder before you use it.

    Examples
    --------
    >>> from skrec.base import skops_trusted_types
    >>> "skrec.dummy.PopularRecommender" in skops_trusted_types()
    True
    """
    from skrec.testing import all_estimators

    return sorted({f"{type(e).__module__}.{type(e).__qualname__}" for e in all_estimators()} | set(_PARTS))
