"""What a file of a saved estimator may hold, and what an estimator from a file may do."""

from typing import Any, TypeVar

from skrec.testing import all_estimators
from skrec.utils import external_parts

__all__ = ["allow_external", "external_access", "skops_trusted_types"]

E = TypeVar("E")

_PARTS = [
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "collections.Counter",
    "scipy.sparse._csr.csr_array",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split._CVIterableWrapper",
    "skrec.interactions._context.ContextColumns",
    "skrec.interactions._event_template.EventTemplate",
    "skrec.interactions._histories.Histories",
    "skrec.interactions._id_index.IdIndex",
    "skrec._explain._item_texts.ItemTexts",
    "skrec.compose._cascade._columns.SideColumns",
    "skrec.compose._cascade._item_log.ItemLog",
    "skrec.utils._privacy._scrubber.Scrubber",
    "skrec.utils._words._patterns.WordPattern",
    "skrec.utils._words._splitter.WordSplitter",
    *[f"skrec.feature_extraction._context_parts.{n}" for n in ("Categories", "Numbers", "Places", "Texts", "Times")],
    "skrec.feature_extraction._ngrams._folding.words_of",
    "skrec.feature_extraction._hashing.HashingTextEncoder",
    "skrec.feature_extraction._phrases.Phrases",
    "skrec.feature_extraction._table_encoder.TableEncoder",
    "skrec.feature_extraction._profile_histories.ItemWordings",
    "skrec._chat._budget.Budget",
    "skrec._chat._base.CallableChat",
    "skrec.llm._heuristic_chat.HeuristicChat",
    "skrec.llm._conversation._item_facts.ItemFacts",
    "skrec.llm._conversation._item_knowledge.ItemKnowledge",
    "skrec._chat._results.Usage",
    "skrec.llm._row_texts.RowTexts",
    *[f"skrec.compose._rules._cells.{n}" for n in ("Cells", "TableColumns")],
    "skrec.compose._rules._filter.FilterRule",
    *[f"skrec.compose._rules._list_rules.{n}" for n in ("BudgetRule", "CapRule")],
    "skrec.base._fit_data.FeatureSide",
    "skrec.base._item_graph_ranker.ItemGraph",
    "skrec.base._text_space.TextSpace",
    "skrec.decomposition._sgd_state.SGDState",
    "skrec.decomposition._sgd_state.EventScales",
    *[f"skrec.decomposition._factor_state.{n}" for n in ("FactorState", "Scales", "SolverSettings")],
    "skrec.compose._item_categories.ItemCategories",
    "skrec.compose._item_space.ItemSpace",
    "skrec.graph._node_vectors.NodeVectors",
    "skrec.graph._user_vectors.UserVectors",
    "skrec.neural_network._components.FeatureComponents",
    "skrec.neural_network._numpy_network.NumpyNetwork",
    "skrec.neural_network._preparation.ContextScale",
    "skrec.neural_network._shape.NetworkShape",
    "skrec.graph._people.People",
    "skrec.graph._profiles.Profiles",
    "skrec.interactions._links._user_links.UserLinks",
    "skrec.neural_network._two_tower._network.TowerNetwork",
    "skrec.neural_network._two_tower._shape.TowerShape",
    "skrec.pipeline._pipeline.Pipeline",
    "skrec._chat._stand_ins.in_given_order",
    "skrec._chat._stand_ins.repeat_data",
]


def skops_trusted_types() -> list[str]:
    """Names of the types in saved estimators of skrec, for ``trusted=`` of :func:`skops.io.load`.

    Every public estimator, and the plain holders of arrays and ids inside. What a user nests in one, such as
    an encoder of another library, is not among them. Nor are chat clients and caches that reach out of this
    process, :class:`~skrec.llm.OpenAICompatibleChat`, :class:`~skrec.llm.TransformersChat` and
    :class:`~skrec.llm.ChatCache`. Where one of them, or an embedder, is loaded, its addresses, keys, models and
    paths stay inactive until :func:`allow_external` is called.

    Examples
    --------
    >>> from skrec.persistence import skops_trusted_types
    >>> "skrec.dummy.PopularRecommender" in skops_trusted_types()
    True
    """
    return sorted({f"{type(e).__module__}.{type(e).__qualname__}" for e in all_estimators()} | set(_PARTS))


def allow_external(estimator: E) -> E:
    """Let an estimator that skops has loaded contact servers, load models and write to paths.

    skops is for files that may come from strangers, and a stranger may have put an address of their own in one, that
    gets texts and a key, a model that comes with code, or a path. So all of that is inactive in what skops loads: a use
    raises :class:`~skrec.exceptions.ExternalAccessError`, which lists what it would do. Look at
    :func:`external_access` before you allow it. What pickle and joblib load is active: it has run code already.

    Parameters
    ----------
    estimator : estimator or chat client
        As loaded; encoders, chat clients and caches in it are allowed too.

    Returns
    -------
    estimator
        The same object.

    Examples
    --------
    >>> import skops.io
    >>> from skrec.feature_extraction import LLMTextEmbedder
    >>> from skrec.persistence import allow_external, external_access, skops_trusted_types
    >>> data = skops.io.dumps(LLMTextEmbedder("text-embedding-3-small", base_url="https://api.openai.com/v1"))
    >>> loaded = skops.io.loads(data, trusted=skops_trusted_types())
    >>> external_access(loaded)
    ["send texts to base_url='https://api.openai.com/v1', with the key in the environment variable 'OPENAI_API_KEY'"]
    >>> loaded = allow_external(loaded)
    """
    for part in external_parts(estimator):
        part._set_active(True)
    return estimator


def external_access(estimator: Any) -> list[str]:
    """What an estimator would contact, load or write, whoever loaded it.

    Parameters
    ----------
    estimator : estimator or chat client

    Returns
    -------
    list of str
        Empty where everything happens in this process.
    """
    found = [line for part in external_parts(estimator) for line in part._external()]
    return list(dict.fromkeys(found))
