"""What a loaded recommender checks of what every recommender keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skrec._explain import ItemTexts, check_item_texts
from skrec.base._fit_data import FeatureSide, check_side
from skrec.interactions import ContextColumns, Histories, IdIndex, check_context, check_histories, check_index
from skrec.utils import PersistenceMixin, check_array, check_choice, check_number

_LIBRARIES = ("pandas", "polars", "pyarrow", None)


class LoadedStateMixin(PersistenceMixin):
    """Checks of catalogue, events, context and feature tables, once after a load."""

    if TYPE_CHECKING:
        _item_index: IdIndex
        _user_index: IdIndex
        _histories: Histories
        _item_side: FeatureSide
        _user_side: FeatureSide
        _context: ContextColumns | None
        _frame_backend: str | None
        item_texts_: ItemTexts | None
        popularity_: NDArray[np.float32]
        n_features_in_: int

    def _check_state(self) -> None:
        """Refuse a state whose parts do not fit together. A subclass calls it, then checks what it has learned."""
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        check_index(self._item_index, "_item_index")
        check_index(self._user_index, "_user_index")
        n_items = len(self._item_index)
        check_histories(self._histories, "_histories", len(self._user_index), n_items)
        check_array(self.popularity_, "popularity_", (n_items,), dtype=np.float32)
        check_side(self._item_side, "_item_side")
        check_side(self._user_side, "_user_side")
        if self.item_texts_ is not None:
            check_item_texts(self.item_texts_, "item_texts_", n_items)
        n_context = 0 if self._context is None else check_context(self._context, "_context")
        check_number(self.n_features_in_, "n_features_in_", 2 + n_context, whole=True)
        check_choice(self._frame_backend, "_frame_backend", _LIBRARIES)
