"""What a file of a saved estimator may hold."""

from skrec.testing import all_estimators

__all__ = ["skops_trusted_types"]

_PARTS = [
    "collections.Counter",
    "scipy.sparse._csr.csr_array",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split._CVIterableWrapper",
    "skrec.interactions._context.ContextColumns",
    "skrec.interactions._event_template.EventTemplate",
    "skrec.interactions._histories.Histories",
    "skrec.interactions._id_index.IdIndex",
    "skrec._explain._item_texts.ItemTexts",
    "skrec.utils._privacy.Scrubber",
    *[f"skrec.feature_extraction._context_parts.{n}" for n in ("Categories", "Numbers", "Places", "Texts", "Times")],
    "skrec.feature_extraction._hashing.HashingTextEncoder",
    "skrec.feature_extraction._keywords.Phrases",
    "skrec.feature_extraction._table_encoder.TableEncoder",
    "skrec.feature_extraction._profile_histories.ItemWordings",
    "skrec._chat._budget.Budget",
    "skrec._chat._base.CallableChat",
    "skrec.llm._heuristic_chat.HeuristicChat",
    "skrec.llm._conversation._item_facts.ItemFacts",
    "skrec.llm._conversation._item_knowledge.ItemKnowledge",
    "skrec._chat._results.Usage",
    "skrec.llm._row_texts.RowTexts",
    "skrec.base._fit_data.FeatureSide",
    "skrec.base._item_graph_ranker.ItemGraph",
    "skrec.base._text_space.TextSpace",
    "skrec.decomposition._sgd.SGDState",
    "skrec.decomposition._sgd_problem.EventScales",
    *[f"skrec.decomposition._factor_state.{n}" for n in ("FactorState", "Scales", "SolverSettings")],
    "skrec.pipeline._pipeline.Pipeline",
    "skrec._chat._stand_ins.in_given_order",
    "skrec._chat._stand_ins.repeat_data",
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
    >>> from skrec.persistence import skops_trusted_types
    >>> "skrec.dummy.PopularRecommender" in skops_trusted_types()
    True
    """
    return sorted({f"{type(e).__module__}.{type(e).__qualname__}" for e in all_estimators()} | set(_PARTS))
