"""Looks into any recommender by its public contract alone: plots, importance of columns, reasons, counterfactuals."""

from skrec.inspection._context_effect import ContextDisplay
from skrec.inspection._counterfactual import Counterfactual, counterfactual
from skrec.inspection._embedding_map import EmbeddingDisplay
from skrec.inspection._explanation_bars import ExplanationDisplay
from skrec.inspection._leave_one_out import explain_by_leave_one_out
from skrec.inspection._long_tail import LongTailDisplay
from skrec.inspection._model_comparison import MetricAtKDisplay, ModelComparisonDisplay, TradeOffDisplay
from skrec.inspection._permutation_importance import permutation_importance
from skrec.inspection._plot_labels import PlotLabels, plot_labels
from skrec.inspection._quality_by_group import QualityByGroupDisplay
from skrec.inspection._training_curve import TrainingCurveDisplay

__all__ = [
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
]
