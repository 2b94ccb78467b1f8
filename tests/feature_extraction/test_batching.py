"""Packing by tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.feature_extraction._encoders._batching import batched, pack_by_tokens


@given(st.lists(st.integers(0, 60), max_size=80), st.integers(1, 200), st.booleans())
def test_batches_partition_the_texts_within_the_budget(lengths, budget, mix):
    lengths = np.array(lengths, dtype=np.int64)
    batches = list(pack_by_tokens(lengths, budget, mix=mix))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget
        assert (np.diff(lengths[batch]) <= 0).all()
        if not mix:
            assert len(set(lengths[batch])) == 1


def test_rare_lengths_share_a_batch_only_when_mixed():
    lengths = np.arange(1, 11)
    assert len(list(pack_by_tokens(lengths, 1000, mix=True))) == 1
    assert len(list(pack_by_tokens(lengths, 1000, mix=False))) == 10


@pytest.mark.parametrize(("n", "size", "expected"), [(5, 2, [2, 2, 1]), (0, 3, []), (3, 3, [3])])
def test_batched(n, size, expected):
    assert [len(part) for part in batched(["x"] * n, size)] == expected
