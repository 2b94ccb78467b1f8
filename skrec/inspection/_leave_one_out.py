"""Explanations of a recommender of which nothing but the public contract is known."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skrec._explain import Explanations, LeaveOneOut, paired, write_reasons
from skrec.interactions import Ids, RecommenderView, check_k, read_items
from skrec.utils import unwrap_recommender


def explain_by_leave_one_out(
    recommender: BaseEstimator, users: Ids, items: Ids, *, n_evidence: int = 3
) -> Explanations:
    """Explain recommendations by how far a score falls when one item leaves the user's history.

    For a recommender that has no ``explain`` of its own. It works with any class that follows the public contract:
    ``items_``, ``users_``, ``seen_items``, and a ``recommend`` that takes ``history``, ``candidates`` and
    ``exclude_seen``. Each history is scored as that of a new user; nothing is fitted again. The cost is one
    ``recommend`` per item in the history.

    Parameters
    ----------
    recommender : recommender, or a Pipeline or search that ends in one
        Fitted. A context is not used.
    users : array-like of n ids
        A single user is paired with all items.
    items : array-like of n ids
        A single item is paired with all users.
    n_evidence : int, default=3
        Most reasons per pair. Reasons weaker than a tenth of the strongest are dropped.

    Returns
    -------
    Explanations
        The evidence is items of the history, with the fall of the score as weight. Of a long history the latest 200
        items are tried. An item that is the whole history counts with the score itself. Where no item raises the
        score, the evidence is the popularity of the recommended item.

    Raises
    ------
    KeyError
        If an item is unknown.
    TypeError
        If the recommender has no ``recommend``.
    ValueError
        If users and items have different lengths, or the recommender has neither ``popularity_`` nor ``seen_items``.

    See Also
    --------
    skrec.metrics.explanation_faithfulness : Test explanations in the same way.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.inspection import explain_by_leave_one_out
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [3, 10], [3, 20], [3, 30], [4, 30], [4, 20]])
    >>> why = explain_by_leave_one_out(ItemKNNRecommender().fit(X), [1], [30])
    >>> [reason.item for reason in why.evidence[0]]
    [20, 10]
    """
    n_evidence = check_k(n_evidence, "n_evidence")
    recommender = unwrap_recommender(recommender)
    if not hasattr(recommender, "recommend"):
        raise TypeError(
            f"{type(recommender).__name__} has no recommend(); pass a recommender, or a Pipeline or a search that "
            "ends in one."
        )
    check_is_fitted(recommender)
    view = RecommenderView(recommender)
    users, items = paired(users, items)
    item_ids, codes = read_items(items, view.item_index)
    left_out = LeaveOneOut(recommender, view.item_index, view.popularity())
    evidence = left_out.evidence(view.seen_items(users), codes, None, n_evidence)
    text = [write_reasons(reasons, explicit=view.feedback == "explicit") for reasons in evidence]
    return Explanations(np.asarray(users), item_ids, text, evidence, ["template"] * len(text))
