"""skrec: scikit-learn for recommender systems in the age of language models.

Every public name can be had from here: ``from skrec import HybridMFRecommender``. Names are imported on first use
(:pep:`562`), so that ``import skrec`` loads neither torch, numba, transformers nor implicit. What an editor completes
is in ``__init__.pyi``.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "base": (
        "BaseRecommender",
        "Evidence",
        "Explanations",
        "ItemGraphRecommender",
        "PartialFitMixin",
        "Queries",
        "Recommendations",
        "RecommenderMixin",
        "RecommenderTags",
        "SampleWeightMixin",
        "VectorRecommender",
        "is_recommender",
    ),
    "cli": (),
    "compilation": ("warm_up",),
    "compose": (
        "CascadeRecommender",
        "BudgetRule",
        "CapRule",
        "DiversityReranker",
        "FallbackRecommender",
        "FilterRule",
        "FusionRecommender",
        "Omissions",
        "ReservedPlacesReranker",
        "RuleRecommender",
        "SwitchRecommender",
    ),
    "datasets": (
        "clear_data_home",
        "fetch_amazon_reviews",
        "fetch_movielens",
        "fetch_social",
        "get_data_home",
        "load_bookshop",
        "make_context_choices",
        "make_interactions",
    ),
    "decomposition": (
        "BPRRecommender",
        "HybridMFRecommender",
        "LogisticMFRecommender",
    ),
    "dummy": (
        "PopularRecommender",
        "RandomRecommender",
    ),
    "exceptions": (
        "AdditiveInteractionWarning",
        "BelowPopularityWarning",
        "ColdStartWarning",
        "DamagedStateError",
        "DatesAsTextWarning",
        "ExternalAccessError",
        "FeatureCoverageWarning",
        "FormatVersionError",
        "LanguageModelWarning",
        "MissingGlyphWarning",
        "PartFailureWarning",
        "RatingsAsContextWarning",
        "SuspiciousDataWarning",
        "TemplateLanguageWarning",
        "TemporalLeakWarning",
        "TimeAsContextWarning",
        "TrainingWarning",
        "TruncationWarning",
        "UnparsedLanguageWarning",
        "UnreadableTextWarning",
        "UnseenCategoryWarning",
        "UnsupportedArgumentError",
        "UntrainedRankerWarning",
        "UnusedEncoderWarning",
    ),
    "feature_extraction": (
        "ContextEncoder",
        "HashingTextEncoder",
        "ItemTextEnricher",
        "KeywordExtractor",
        "LLMTextEmbedder",
        "NgramTextEncoder",
        "TextCleaner",
        "TextEncoderUnion",
        "UserProfileText",
        "describe_text",
        "memory_cache",
    ),
    "graph": ("GraphRecommender", "SocialRecommender", "UserRecommendations"),
    "inspection": (
        "ContextDisplay",
        "Counterfactual",
        "EmbeddingDisplay",
        "ExplanationDisplay",
        "LongTailDisplay",
        "MetricAtKDisplay",
        "ModelComparisonDisplay",
        "PlotLabels",
        "QualityByGroupDisplay",
        "TradeOffDisplay",
        "TrainingCurveDisplay",
        "counterfactual",
        "explain_by_leave_one_out",
        "permutation_importance",
        "plot_labels",
    ),
    "interactions": (
        "EventLog",
        "EventTable",
        "FeatureTable",
        "Features",
        "Histories",
        "IdIndex",
        "Interactions",
        "LinkTable",
        "LogReport",
        "check_target_size",
        "read_events",
        "read_features",
        "read_log",
        "read_target",
        "read_timestamp",
    ),
    "linear_model": ("EASERecommender",),
    "llm": (
        "BaseChat",
        "Budget",
        "CallableChat",
        "ChatCache",
        "ChatResult",
        "ConversationState",
        "ConversationalRecommender",
        "HeuristicChat",
        "LLMExplainer",
        "LLMReranker",
        "OpenAICompatibleChat",
        "QuerySuggester",
        "Scrubber",
        "TransformersChat",
        "Turn",
        "Usage",
        "personalise",
    ),
    "metrics": (
        "RankingScorer",
        "average_precision_at_k",
        "calibration_kl",
        "catalogue_coverage",
        "compare",
        "evaluate",
        "explanation_faithfulness",
        "f1_at_k",
        "gini_index",
        "hit_rate_at_k",
        "intra_list_diversity",
        "mean_popularity",
        "ndcg_at_k",
        "novelty",
        "personalisation",
        "popularity_lift",
        "precision_at_k",
        "ranking_scorer",
        "recall_at_k",
        "reciprocal_rank_at_k",
        "serendipity_at_k",
        "user_auc",
    ),
    "model_selection": (
        "ColdItemSplit",
        "ColdUserSplit",
        "LeaveKOut",
        "LeaveLastOut",
        "TimeSplit",
        "TunedRecommender",
        "search_space",
    ),
    "neighbors": (
        "EmbeddingKNNRecommender",
        "ItemKNNRecommender",
        "UserKNNRecommender",
    ),
    "neural_network": ("SequentialRecommender", "TwoTowerRecommender"),
    "persistence": (
        "allow_external",
        "external_access",
        "skops_trusted_types",
    ),
    "pipeline": (
        "Pipeline",
        "as_recommender",
        "make_pipeline",
    ),
    "serving": (
        "ModelFileError",
        "ServiceLimits",
        "load_recommender",
        "make_app",
        "serve",
    ),
    "testing": (
        "all_estimators",
        "check_recommender",
        "public_estimators",
        "recommender_checks",
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [*_NAMES, *_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return import_module(f"skrec.{name}")
    if name in _HOME:
        value = getattr(import_module(f"skrec.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skrec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
