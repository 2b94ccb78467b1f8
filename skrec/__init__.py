"""skrec: scikit-learn for recommender systems in the age of language models.

Names are imported on first use (:pep:`562`), so that ``import skrec`` loads neither torch, numba,
transformers nor implicit.
"""

from importlib import import_module

__version__ = "0.1.0"

_SUBMODULES = [
    "base",
    "datasets",
    "decomposition",
    "dummy",
    "exceptions",
    "feature_extraction",
    "interactions",
    "linear_model",
    "llm",
    "metrics",
    "model_selection",
    "neighbors",
    "persistence",
    "pipeline",
    "testing",
]

__all__ = [*_SUBMODULES, "__version__"]


def __getattr__(name: str):
    if name in _SUBMODULES:
        return import_module(f"skrec.{name}")
    raise AttributeError(f"module 'skrec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
