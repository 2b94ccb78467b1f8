"""The last events of some users, held out to see when training should stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skrec._training import ndcg
from skrec.interactions import Histories
from skrec.neural_network._sequences import Sequences


@dataclass(frozen=True)
class HeldOut:
    """Queries of validation.

    Attributes
    ----------
    sequences : Sequences
        What is known of each query.
    relevant : Histories
        The items that were chosen next; codes of -1 are outside the catalogue.
    context : float32 array of shape (n_queries, n_context), or None
    """

    sequences: Sequences
    relevant: Histories
    context: NDArray[np.float32] | None = None

    def ndcg(
        self, queries: NDArray[np.float32], item_vectors: NDArray[np.float32], item_biases: NDArray[np.float32]
    ) -> float:
        """Mean NDCG@10 of the whole catalogue less the items of each query's own sequence."""
        return ndcg(queries, item_vectors, item_biases, self.sequences.indptr, self.sequences.items, self.relevant)


def last_held_out(sequences: Sequences, rows: NDArray[np.int64], context: NDArray[np.float32] | None) -> HeldOut:
    """The last event of each row, to be predicted from those before it."""
    last = sequences.indptr[rows + 1] - 1
    items = sequences.items[last].astype(np.int32)
    relevant = Histories(np.arange(len(rows) + 1), items, np.ones(len(rows), np.float32))
    of_last = None if context is None else context[sequences.event[last]]
    return HeldOut(sequences.take(rows, n_fewer=1), relevant, of_last)
