"""Friends as reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from skrec._explain import Evidence
from skrec.base import DelegatingMixin, Explanations
from skrec.graph._friends import entries
from skrec.interactions import IdIndex, UserLinks
from skrec.utils import one_line


class ExplainFriendsMixin(DelegatingMixin):
    """``explain`` of a wrapper that knows links, in ``_links``, ``_public`` and ``_chosen``."""

    _links: UserLinks
    _public: sp.csr_array
    _chosen: sp.csr_array
    _item_index: IdIndex

    def _explain(self, users: Any, items: Any, options: dict[str, Any]) -> Explanations:
        """Friends who chose an item, where the link to them is not private, before the reasons of the recommender."""
        found = super()._explain(users, items, options)
        rows = self._links.user_index.codes(found.user, "users", check_kind=False)
        codes = self._item_index.codes(found.item, "items", check_kind=False)
        texts, evidence = list(found.text), [list(reasons) for reasons in found.evidence]
        for at, (row, code) in enumerate(zip(rows.tolist(), codes.tolist(), strict=True)):
            friends = self._public_friends_who_chose(row, code)[: options["n_evidence"]]
            if friends:
                names = ", ".join(one_line(reason.name) for reason in friends)
                texts[at] = f"Chosen by your friends: {names}. {texts[at]}".strip()
                evidence[at] = [*friends, *evidence[at]]
        return found.rewritten(texts, evidence, found.method)

    def _public_friends_who_chose(self, user: int, item: int) -> list[Evidence]:
        """Evidence of friends who chose an item, by links that are not private; the strongest first."""
        if user < 0 or item < 0:
            return []
        own = self._public[[user]].tocoo()
        friends = own.coords[1]
        weights = own.data * entries(self._chosen, friends, np.full(len(friends), item))
        order = [at for at in np.argsort(-weights, kind="stable").tolist() if weights[at] > 0]
        ids = self._links.user_index.values[friends].tolist()
        return [Evidence("friends", float(weights[at]), name=str(ids[at])) for at in order]
