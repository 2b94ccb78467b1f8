"""What an editor knows of the library: mypy reads this file in ``test_import.py``, nothing runs it."""

from typing import assert_type

import numpy as np

import skrec
from skrec import HybridMFRecommender, ItemKNNRecommender, Recommendations

X = np.array([[1, 10], [2, 20]])
rec = ItemKNNRecommender(n_neighbors=5)
rec.fit(X)
assert_type(rec.recommend([1, 2], k=3, exclude_seen=False), Recommendations)
assert_type(rec.similar_items([10], k=1), Recommendations)
items, scores = rec.recommend()
assert_type(skrec.__version__, str)

HybridMFRecommender(n_factors="eight")  # error: arg-type
rec.recommend([1], count=3)  # error: call-arg
misspelt = skrec.HybridMFRecomender  # error: attr-defined
