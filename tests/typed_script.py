"""What an editor knows of the library: mypy reads this file in ``test_import.py``, nothing runs it."""

from typing import assert_type

import numpy as np

import skrec
from skrec import EASERecommender, HybridMFRecommender, ItemKNNRecommender, Recommendations

X = np.array([[1, 10], [2, 20]])
assert_type(HybridMFRecommender(n_factors=8).fit(X), HybridMFRecommender)
assert_type(EASERecommender().fit(X).partial_fit(X), EASERecommender)
rec = ItemKNNRecommender(n_neighbors=5).fit(X)
assert_type(rec, ItemKNNRecommender)
assert_type(rec.recommend([1, 2], k=3, exclude_seen=False), Recommendations)
assert_type(rec.similar_items([10], k=1), Recommendations)
items, scores = rec.recommend()
assert_type(skrec.__version__, str)

HybridMFRecommender(n_factors="eight")  # error: arg-type
rec.recommend([1], count=3)  # error: call-arg
misspelt = skrec.HybridMFRecomender  # error: attr-defined
