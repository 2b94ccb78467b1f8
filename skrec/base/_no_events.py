"""``fit`` and ``partial_fit`` with feature tables and without events."""

from typing import Any


def check_without_events(model: Any, y: Any, item_features: Any) -> None:
    """Check that a model can be fitted with ``X=None``.

    Raises
    ------
    ValueError
        If it learns from events, if there is no table of items, or if there are targets without events.
    """
    name = type(model).__name__
    if not model._fits_without_events:
        raise ValueError(
            f"X is None, and {name} learns from events: pass X, one row per event. A catalogue without events can be "
            "fitted by EmbeddingKNNRecommender(item_encoder=...), which ranks by text and features."
        )
    if item_features is None:
        raise ValueError(f"X and item_features are None, so {name} has nothing to rank; pass at least item_features.")
    _check_no_target(y)


def check_tables_alone(y: Any, item_features: Any, user_features: Any) -> None:
    """Check the arguments of ``partial_fit`` with ``X=None``.

    Raises
    ------
    ValueError
        If there is no feature table, or if there are targets without events.
    """
    if item_features is None and user_features is None:
        raise ValueError(
            "X, item_features and user_features are None, so nothing is new; pass new events as X, or new rows of a "
            "feature table."
        )
    _check_no_target(y)


def _check_no_target(y: Any) -> None:
    if y is not None:
        raise ValueError("y was given, and X is None: y holds one value per event, so leave it out.")
