"""Two recommenders of one's own: the code of the page "How to write your own recommender"."""

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from skrec.base import ItemGraphRecommender, VectorRecommender
from skrec.testing import check_recommender


class TogetherRecommender(ItemGraphRecommender):
    """Recommend what others have had together with a user's items.

    Parameters
    ----------
    n_min : int, default=1
        Pairs met by fewer users are forgotten.
    """

    _parameter_constraints: ClassVar = {"n_min": [int]}

    def __init__(self, n_min=1):
        self.n_min = n_min

    def _fit(self, data, item_matrix, user_matrix):
        seen = data.to_csr().sign()
        together = sp.csr_array(seen.T @ seen)
        together.setdiag(0)
        together.data[together.data < self.n_min] = 0
        together.eliminate_zeros()
        self._set_graph(together.astype(np.float32))


class SVDRecommender(VectorRecommender):
    """Recommend by the largest singular vectors of the interactions.

    Parameters
    ----------
    n_factors : int, default=8
    """

    _parameter_constraints: ClassVar = {"n_factors": [int]}

    def __init__(self, n_factors=8):
        self.n_factors = n_factors

    def _fit(self, data, item_matrix, user_matrix):
        n_factors = min(self.n_factors, data.n_users, data.n_items)
        _, _, rows = randomized_svd(data.to_csr(), n_factors, random_state=0)
        self._item_vectors = np.ascontiguousarray(rows.T, dtype=np.float32)

    def _query_vectors(self, queries):
        return queries.histories.to_csr(len(self.items_)) @ self._item_vectors


if __name__ == "__main__":
    check_recommender(TogetherRecommender())
    check_recommender(SVDRecommender(n_factors=4))
    print("Both keep the contract.")
