"""The attack on what is no recommender: metrics, splitters, transformers, and readers of tables."""

import numbers
from functools import partial

import narwhals as nw
import numpy as np
import pandas as pd
import scipy.sparse as sp
from attack import Call, _parameters_of
from bad_input import CONTEXTS, COUNTS, EVENTS, FLAGS, IDS, NUMBERS_PER_EVENT, PARAMETERS, TABLES, TEXTS, WEIGHTS
from list_input import NAMES, RANKED, RELEVANT, VECTORS
from sklearn.base import clone
from subjects import EVENTS as LOG

from skrec import metrics
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import (
    ContextEncoder,
    HashingTextEncoder,
    ItemTextEnricher,
    KeywordExtractor,
    LLMTextEmbedder,
    NgramTextEncoder,
    TextEncoderUnion,
    UserProfileText,
)
from skrec.feature_extraction._table_encoder import TableEncoder
from skrec.interactions import FeatureTable, read_log
from skrec.model_selection import ColdItemSplit, ColdUserSplit, LeaveKOut, LeaveLastOut, TimeSplit, search_space

IDS_ALONE = LOG[["user", "item"]]
TEST = pd.DataFrame({"user": [0, 1, 2], "item": [10, 20, 30]})
_RELEVANT, _RANKED, _CODES = [[0], [1, 2]], [[0, 1], [2, 1]], np.array([[0, 1], [2, -1]])
TABLE = pd.DataFrame({"title": ["red sea", "blue storm", None], "genre": ["novel", None, "poem"], "year": [1, 2, 3]})

NAMES_OF = {
    "X": r"\bX\b|user|item|times|context|table|column|texts?\b",
    "X_test": r"\bX|user|item|times|context|column",
    "y_test": r"\by",
    "y": r"\by\b",
    "texts": "text",
    "metrics": "metric",
    "groups": "groups",
    "relevant": "relevant",
    "recommended": "recommended",
    "popularity": "popularity",
    "vectors": "vectors",
    "expected": "expected",
    "histories": "histories",
    "categories": "categories",
    "item_categories": "item_categories|table",
    "alpha": "alpha",
    "scores": "scores",
    "item_vectors": "item_vectors|table",
    "item_features": "item_features|table|item ids",
    "candidates": "candidates|item",
    "source": "source|log|user|item|column|time|table|read_log|path|file",
    "table": "table|features|ids|matrix|column",
    "estimator": "estimator|recommender|search space",
    "recommenders": "[Rr]ecommender|fit",
    "explanations": "explanations",
    "n_features": "n_features",
    "messages": "messages",
}


def calls(method, argument, kinds, call, *given):
    """An attack for each kind as an argument of a method; ``call(subject, value)`` makes it."""

    def attack(make, subject):
        return call(subject, make(*given))

    writes = method.startswith("fit")
    return [Call(method, argument, kind, partial(attack, make), writes) for kind, make in kinds.items()]


# Metrics -------------------------------------------------------------------------------------------------


def of_list_metrics():
    found = []
    for name in ("precision", "recall", "f1", "hit_rate", "ndcg", "average_precision", "reciprocal_rank"):
        found += _of_list_metric(f"{name}_at_k", getattr(metrics, f"{name}_at_k"))
    for name in ("catalogue_coverage", "gini_index"):
        metric = getattr(metrics, name)
        found += calls(name, "recommended", RANKED, lambda _, value, metric=metric: metric(value, 5))
        found += calls(name, "n_items", COUNTS, lambda _, value, metric=metric: metric(_RANKED, value))
        found += calls(name, "k", COUNTS, lambda _, value, metric=metric: metric(_RANKED, 5, k=value))
    for name in ("novelty", "mean_popularity"):
        metric = getattr(metrics, name)
        found += calls(name, "recommended", RANKED, lambda _, value, metric=metric: metric(value, np.arange(5)))
        kinds = _without(NUMBERS_PER_EVENT, "too many")
        found += calls(name, "popularity", kinds, lambda _, value, metric=metric: metric(_CODES, value), 3)
        found += calls(name, "k", COUNTS, lambda _, value, metric=metric: metric(_CODES, np.arange(5), k=value))
        found += calls(
            name, "average", FLAGS, lambda _, value, metric=metric: metric(_CODES, np.arange(5), average=value)
        )
    diversity, vectors = metrics.intra_list_diversity, np.eye(5)
    found += calls("intra_list_diversity", "recommended", RANKED, lambda _, value: diversity(value, vectors))
    found += calls("intra_list_diversity", "vectors", VECTORS, lambda _, value: diversity(_CODES, value), 5)
    found += calls("intra_list_diversity", "k", COUNTS, lambda _, value: diversity(_CODES, vectors, k=value))
    found += calls("intra_list_diversity", "average", FLAGS, lambda _, value: diversity(_CODES, vectors, average=value))
    serendipity, personalisation = metrics.serendipity_at_k, metrics.personalisation
    found += calls("serendipity_at_k", "relevant", RELEVANT, lambda _, value: serendipity(value, _RANKED, _RANKED))
    found += calls("serendipity_at_k", "expected", RANKED, lambda _, value: serendipity(_RELEVANT, _RANKED, value))
    found += calls("personalisation", "recommended", RANKED, lambda _, value: personalisation(value))
    found += calls("personalisation", "k", COUNTS, lambda _, value: personalisation(_RANKED, k=value))
    return found + _of_histories()


def _of_histories():
    """Metrics of lists and histories, and of scores."""
    found, kinds = [], _without(NUMBERS_PER_EVENT, "too many")
    for name, table, ranges in (("calibration_kl", "categories", VECTORS), ("popularity_lift", "popularity", kinds)):
        metric, right = getattr(metrics, name), np.eye(5) if name == "calibration_kl" else np.arange(5)
        found += calls(name, "recommended", RANKED, lambda _, value, m=metric, right=right: m(value, _RELEVANT, right))
        found += calls(name, "histories", RELEVANT, lambda _, value, m=metric, right=right: m(_CODES, value, right))
        n = 5 if table == "categories" else 3
        found += calls(name, table, ranges, lambda _, value, m=metric: m(_CODES, _RELEVANT, value), n)
    kl, eye = metrics.calibration_kl, np.eye(5)
    found += calls("calibration_kl", "alpha", WEIGHTS, lambda _, value: kl(_CODES, _RELEVANT, eye, alpha=value))
    found += calls("calibration_kl", "k", COUNTS, lambda _, value: kl(_CODES, _RELEVANT, eye, k=value))
    auc = metrics.user_auc
    found += calls("user_auc", "relevant", VECTORS, lambda _, value: auc(value, np.ones((5, 3))), 5)
    found += calls("user_auc", "scores", VECTORS, lambda _, value: auc(np.eye(5, 3), value), 5)
    return found + calls("user_auc", "average", FLAGS, lambda _, value: auc(eye, eye, average=value))


def _of_list_metric(name, metric):
    found = calls(name, "relevant", RELEVANT, lambda _, value: metric(value, _RANKED))
    found += calls(name, "recommended", RANKED, lambda _, value: metric(_RELEVANT, value))
    sparse = sp.csr_array(np.eye(2, 5))
    found += calls(f"{name} of sparse gains", "recommended", RANKED, lambda _, value: metric(sparse, value))
    found += calls(name, "k", COUNTS, lambda _, value: metric(_RELEVANT, _RANKED, k=value))
    found += calls(name, "average", FLAGS, lambda _, value: metric(_RELEVANT, _RANKED, average=value))
    return found


_OPTIONS = {
    "metrics": NAMES,
    "k": COUNTS,
    "n_bootstrap": COUNTS,
    "n_permutations": COUNTS,
    "confidence": WEIGHTS,
    "random_state": PARAMETERS,
    "relevance_threshold": PARAMETERS,
    "n_history": COUNTS,
    "exclude_seen": FLAGS,
    "candidates": IDS,
    "gain": TEXTS,
    "per": TEXTS,
    "verbose": TEXTS,
    "measure": TEXTS,
    "n_random": COUNTS,
}
_OTHERS = ["auc", "auc_sampled@3", "serendipity@2", "personalisation@2", "neg_popularity_lift@2"]
_NO_RECOMMENDERS = {
    "None": lambda: None,
    "a number": lambda: 3,
    "a string": lambda: "ItemKNN",
    "an empty dict": dict,
    "a list": lambda: [PopularRecommender().fit(IDS_ALONE)],
    "a class": lambda: PopularRecommender,
    "unfitted": lambda: PopularRecommender(),
    "no recommender in a dict": lambda: {"a": 3},
    "a splitter": lambda: TimeSplit(),
    "an object": object,
}


def of_evaluations():
    """``evaluate``, ``compare``, scorers and faithfulness, of a fitted recommender."""
    few = {"n_bootstrap": 10, "random_state": 0}
    evaluations = {
        "evaluate": lambda rec, X=TEST, y=None, **options: metrics.evaluate(rec, X, y, **few | options),
        "compare": lambda rec, X=TEST, y=None, **options: metrics.compare(
            rec, rec, X, y, **few | {"n_permutations": 10} | options
        ),
        "ranking_scorer": lambda rec, X=TEST, y=None, metrics_=("ndcg@5",), **options: metrics.ranking_scorer(
            options.pop("metrics", metrics_), **options
        )(rec, X, y),
    }
    found = []
    for name, call in evaluations.items():
        found += calls(name, "X_test", EVENTS, lambda rec, value, call=call: call(rec, value))
        found += calls(name, "y_test", NUMBERS_PER_EVENT, lambda rec, value, call=call: call(rec, TEST, value), 3)
        found += calls(name, "recommenders", _NO_RECOMMENDERS, lambda _, value, call=call: call(value))
        found += _of_options(name, _parameters_of(getattr(metrics, name)), call)
        found += calls(
            name,
            "item_vectors",
            TABLES,
            lambda rec, value, call=call: call(rec, metrics=["diversity@3"], item_vectors=value),
            np.unique(LOG["item"]).tolist(),
        )
        found += calls(
            name,
            "item_categories",
            TABLES,
            lambda rec, value, call=call: call(rec, metrics=["neg_calibration_kl@3"], item_categories=value),
            np.unique(LOG["item"]).tolist(),
        )
        found += calls(name, "X_test", EVENTS, lambda rec, value, call=call: call(rec, value, metrics=_OTHERS))
    faithfulness = metrics.explanation_faithfulness

    def faithful(rec, **options):
        return faithfulness(rec, rec.explain([0, 1], [0, 10]), **few | {"n_permutations": 10, "n_random": 1} | options)

    name = "explanation_faithfulness"
    found += _of_options(name, _parameters_of(faithfulness), faithful)
    found += calls(name, "explanations", _NO_RECOMMENDERS, faithfulness)
    return found


def _of_options(name, parameters, call):
    found = []
    for option in [option for option in _OPTIONS if option in parameters]:
        found += calls(name, option, _OPTIONS[option], lambda rec, value, option=option: call(rec, **{option: value}))
    return found


# Splitters, search spaces, readers -----------------------------------------------------------------------


def _without(kinds, name):
    return {kind: make for kind, make in kinds.items() if kind != name}


def of_splitters():
    found = []
    for cls in (TimeSplit, LeaveLastOut, LeaveKOut, ColdItemSplit, ColdUserSplit):
        name = cls.__name__
        found += calls(name, "X", EVENTS, lambda _, value, cls=cls: _split(cls(), value))
        for option in _parameters_of(cls.__init__):
            if option == "self":
                continue
            found += calls(
                name, option, PARAMETERS, lambda _, value, cls=cls, option=option: _split(cls(**{option: value}), LOG)
            )
    found += calls("search_space", "estimator", _NO_RECOMMENDERS, lambda _, value: search_space(value))
    found += calls("read_log", "source", _without(EVENTS, "a string"), lambda _, value: read_log(value))
    for option in ("user", "item", "timestamp", "rating", "context", "columns", "encoding", "time_format"):
        found += calls("read_log", option, TEXTS, lambda _, value, option=option: read_log(LOG, **{option: value}))
    found += calls("FeatureTable", "table", TABLES, lambda _, value: FeatureTable(value), [0, 1, 2])
    return found


def _split(splitter, X):
    parts = []
    for part in splitter.split(X):
        parts.append(part)
        if len(parts) == 3:  # as many as it was asked for
            break
    n = len(LOG) if X is LOG else None
    for train, test in parts:
        both = np.concatenate([train, test])
        assert both.dtype.kind == "i"
        assert len(np.unique(both)) == len(both)
        assert n is None or both.max() < n
    return np.array([len(parts)])


# Transformers --------------------------------------------------------------------------------------------


def embedder(**options):
    return LLMTextEmbedder(HashingTextEncoder(8), **options)


TRANSFORMERS = {
    "LLMTextEmbedder": (embedder(), TABLE),
    "LLMTextEmbedder of texts": (embedder(), ["red sea", None, "blue storm"]),
    "KeywordExtractor": (KeywordExtractor(embedder()), TABLE[["title", "genre"]]),
    "ItemTextEnricher": (ItemTextEnricher(lambda messages: "a book", text_encoder=embedder()), TABLE),
    "ContextEncoder": (
        ContextEncoder(text_encoder=embedder(), random_state=0),
        LOG.assign(hour=np.arange(90.0), home=["yes", "no", None] * 30),
    ),
    "ContextEncoder of arrays": (ContextEncoder(random_state=0), np.column_stack([IDS_ALONE, np.arange(90.0)])),
    "UserProfileText": (UserProfileText(text_encoder=embedder()), LOG),
    "NgramTextEncoder": (NgramTextEncoder(n_components=4), TABLE),
    "TextEncoderUnion": (TextEncoderUnion([embedder(), NgramTextEncoder(n_components=4)]), TABLE),
    "TableEncoder": (TableEncoder(embedder()), TABLE),
}
# As long as they are asked to take, or a name of something outside.
_OUTSIDE = {
    "model",
    "cache",
    "base_url",
    "api_key_env",
    "revision",
    "verbose",
    "random_state",
    "max_retries",
    "timeout",
}
_CELLS = {
    "NaN": lambda n: [float("nan")] * n,
    "infinity": lambda n: [float("inf")] * n,
    "1e300": lambda n: [1e300, *[1.0] * (n - 1)],
    "NA": lambda n: pd.array([None] * n, dtype="Int64"),
    "None": lambda n: [None] * n,
    "lists": lambda n: [[1]] * n,
    "dicts": lambda n: [{}] * n,
    "dates": lambda n: pd.date_range("2024-01-01", periods=n),
    "time spans": lambda n: pd.to_timedelta(range(n), unit="s"),
    "complex": lambda n: np.full(n, 1j),
    "bytes": lambda n: [b"garden"] * n,
    "surrogates": lambda n: pd.Series(["lone \ud800"] * n, dtype=object),
    "objects": lambda n: [object()] * n,
    "numbers": lambda n: np.arange(n),
    "numbers in text": lambda n: [str(i) for i in range(n)],
    "booleans": lambda n: [True] * n,
    "categories": lambda n: pd.Categorical(["a"] * n),
    "both kinds": lambda n: pd.Series([1, "a"] * n, dtype=object)[:n],
    "long texts": lambda n: ["garden " * 20_000] * n,
}


def of_transformer(name):
    """Bad tables, cells, texts and parameters, in ``fit`` and in ``transform``."""
    transformer, X = TRANSFORMERS[name]
    found = calls("fit", "X", EVENTS, lambda one, value: one.fit(value))
    found += calls("fit_transform", "X", TEXTS, lambda one, value: one.fit_transform(value))
    found += calls("transform", "X", EVENTS, lambda one, value: one.transform(value))
    found += calls("transform", "X", TEXTS | CONTEXTS, lambda one, value: one.transform(value))
    if isinstance(X, pd.DataFrame):
        column = X.columns[-1]

        def with_cells(value):
            return X.assign(**{column: value})

        found += calls("fit_transform", "X", _CELLS, lambda one, value: one.fit_transform(with_cells(value)), len(X))
        found += calls("transform", "X", _CELLS, lambda one, value: one.transform(with_cells(value)), len(X))
    for method in ("encode", "encode_query", "extract"):
        if hasattr(transformer, method):
            found += calls(method, "texts", TEXTS, lambda one, value, method=method: getattr(one, method)(value))
    if name == "UserProfileText":
        found += calls(
            "fit",
            "item_features",
            TABLES,
            lambda one, value: one.fit(X, item_features=value),
            np.unique(LOG["item"]).tolist(),
        )
    for parameter in transformer.get_params(deep=False):
        if parameter not in _OUTSIDE:
            kinds = _without(PARAMETERS, "None") if "encoder" in parameter else PARAMETERS  # None loads a model
            found += calls("fit", parameter, kinds, partial(_fit_with, transformer, X, parameter))
    return found


def _fit_with(transformer, X, parameter, _, value):
    return clone(transformer).set_params(**{parameter: value}).fit_transform(X)


# Results -------------------------------------------------------------------------------------------------


def wrong_result(result):
    """What is wrong with a result, None where nothing is. NaN is a metric of nothing, or a missing cell."""
    if isinstance(result, numbers.Number):
        return None if np.isreal(result) and not np.isinf(result) else f"the number {result}"
    if sp.issparse(result):
        result = result.data
    if isinstance(result, np.ndarray):
        if result.dtype.kind == "f" and np.isinf(result).any():
            return f"numbers that are not finite: {result[:3]}"
        return None if result.dtype.kind != "c" else "complex numbers"
    frame = nw.from_native(result, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        for name in frame.columns:
            if frame[name].dtype.is_float() and np.isinf(frame[name].to_numpy()).any():
                return f"a column {name!r} with infinity"
    return None
