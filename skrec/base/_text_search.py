"""``search``: free text as the query."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skrec.base._block_ranking import ScoreBlock, rank
from skrec.interactions import CandidateIds, Candidates, Histories, Recommendations, list_length
from skrec.utils import inner_products, is_zero_row, on_snapshot


class SearchMixin:
    """``search``, for models whose items have vectors: a model gives ``_text_space(texts)``."""

    @on_snapshot
    def search(
        self: Any, texts: str | Sequence[str], k: int = 10, *, candidates: CandidateIds | None = None
    ) -> Recommendations:
        """Rank the catalogue for free text.

        Parameters
        ----------
        texts : str or list of str
        k : int, default=10
        candidates : list of item ids, or one list per text, default=None

        Returns
        -------
        Recommendations
            One row per text; ``users`` holds the texts.

        Raises
        ------
        ValueError
            If the items have no text vectors, or the item encoder does not read text.
        """
        check_is_fitted(self)
        k = list_length(k, len(self._item_index))
        if isinstance(texts, bytes) or not isinstance(texts, Iterable):
            raise TypeError(f"texts must be a string or a list of strings; got {texts!r}.")
        texts = [texts] if isinstance(texts, str) else list(texts)
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise TypeError(f"texts must be a string or a list of strings; got {wrong[0]!r} among them.")
        if not texts:
            raise ValueError("texts is empty; pass a string or a list of at least one.")
        queries, vectors = self._text_space(texts)
        query_names = np.empty(len(texts), dtype=object)
        query_names[:] = texts

        def score_block(start: int, stop: int, columns: NDArray[np.int64] | None) -> NDArray[np.float32]:
            return inner_products(queries[start:stop], vectors, columns)

        empty = is_zero_row(queries)
        return self._nearest(score_block, empty, query_names, Histories.empty(len(texts)), k, candidates, "text")

    def _nearest(
        self: Any,
        similarities: ScoreBlock,
        empty: NDArray[np.bool_],
        query_names: NDArray,
        hidden: Histories,
        k: int,
        candidates: Any,
        name: str,
    ) -> Recommendations:
        eligible = None if candidates is None else Candidates(candidates, self._item_index, len(query_names))

        def score_block(start: int, stop: int, columns: NDArray[np.int64] | None) -> NDArray[np.float32]:
            scores = similarities(start, stop, columns)
            scores[empty[start:stop]] = self._cold_start_scores(columns)
            return scores

        n_jobs = getattr(self, "n_jobs", None)
        codes, scores = rank(score_block, hidden, len(self._item_index), k, eligible=eligible, n_jobs=n_jobs)
        return self._listed(codes, scores, query_names, name)
