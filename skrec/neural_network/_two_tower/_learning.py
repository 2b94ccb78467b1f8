"""``fit`` and ``partial_fit`` of two towers, in terms of arrays."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec._training import RankedEvents, TrainingResult
from skrec.interactions import Histories, Interactions, Queries
from skrec.neural_network._cold_items import with_like_items
from skrec.neural_network._components import FeatureComponents
from skrec.neural_network._preparation import ContextScale, LaterEvents, numbers_of_new_events, validation_events
from skrec.neural_network._two_tower._calibration import fit_calibrator
from skrec.neural_network._two_tower._events import (
    has_both_classes,
    held_out_events,
    is_positive,
)
from skrec.neural_network._two_tower._network import TowerNetwork, latest
from skrec.neural_network._two_tower._shape import TowerShape
from skrec.neural_network._two_tower._solver import SideComponents, TowerSolver
from skrec.utils import Matrix, is_zero_row, unit_rows, with_rows


class TowerLearningMixin:
    """What two towers learn, and keep to serve from.

    Attributes
    ----------
    _network : TowerNetwork
    _active_users, _active : bool arrays of shape (n_users,) and (n_items,)
        Those with events in training.
    _usable : bool array of shape (n_items,)
        Items that say something of who chose them: active ones, and those with features.
    _item_parts, _user_parts : FeatureComponents or None
    _item_matrix, _user_matrix : matrices of encoded features in catalogue order, or None
    _user_components : float32 array of shape (n_users, n_user_features), or None
    _scale : ContextScale or None
    _trained : Histories
        The events at the last training.
    _calibrator : LogisticRegression, IsotonicRegression or None
    _item_vectors : float32 array of shape (n_items, n_outputs)
    _item_bias : float32 array of shape (n_items,)
    _history_vectors : float32 array of shape (n_items, n_factors), or None
    """

    _network: TowerNetwork
    _active_users: NDArray[np.bool_]
    _active: NDArray[np.bool_]
    _usable: NDArray[np.bool_]
    _item_parts: FeatureComponents | None
    _user_parts: FeatureComponents | None
    _item_matrix: Any
    _user_matrix: Any
    _user_components: NDArray[np.float32] | None
    _scale: ContextScale | None
    _trained: Histories
    _calibrator: Any
    _item_vectors: Any
    _item_bias: NDArray[np.float32] | None  # as VectorRecommender types it
    _history_vectors: NDArray[np.float32] | None

    # From scratch ----------------------------------------------------------------------------------

    def _learn(self: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        solver: TowerSolver = self._solver()
        rng = np.random.default_rng(solver.trainer.seed)
        n_components, seed = int(self.n_components), solver.trainer.seed
        self._item_matrix, self._item_parts = _fit_parts(item_matrix, n_components, seed)
        self._user_matrix, self._user_parts = _fit_parts(user_matrix, n_components, seed)
        features = self._side_components()
        self._scale, context = None, None
        if data.context is not None:
            if self.loss == "multinomial":
                raise ValueError(
                    f"loss='multinomial' tells all events of a user at once, and X has {data.context.shape[1]} context "
                    "columns, which differ between them. Pass loss='softmax', or X without these columns."
                )
            self._scale = ContextScale.fit(data.context)
            context = self._scale.transform(data.context[np.argsort(data.users, kind="stable")])
        shape = TowerShape(
            int(self.n_factors),
            tuple(int(size) for size in self.hidden_layer_sizes),
            self.interaction,
            float(self.temperature),
            bool(self.use_history),
            0 if features.users is None else features.users.shape[1],
            0 if features.items is None else features.items.shape[1],
            0 if context is None else context.shape[1],
        )
        self._network = TowerNetwork(shape, shape.first_arrays(data.n_users, data.n_items, rng))
        self._trained = self._histories
        self._train(solver, context, features, rng)

    def _train(
        self: Any,
        solver: TowerSolver,
        context: NDArray[np.float32] | None,
        features: SideComponents,
        rng: np.random.Generator,
    ) -> None:
        histories: Histories = self._histories
        positive = is_positive(histories.y, self.threshold)
        held = np.zeros(len(positive), bool)
        is_calibrated = self.calibration is not None and has_both_classes(positive)
        later = self._later_events()
        ranked_later: RankedEvents | None = None
        if later is not None:
            users, relevant, of_queries = later.queries()
            ranked_later = RankedEvents(users, histories.take(users), relevant, of_queries)
        elif self.early_stopping or is_calibrated:
            held = held_out_events(histories, float(self.validation_fraction), rng, of_all=is_calibrated)
            ranked_later = RankedEvents.of(histories, held, positive, context) if self.early_stopping else None
        self._no_epochs()
        self._calibrator = None
        first, active = self._network, self._active_in(~held, positive)
        if not (positive & ~held).any():
            self._publish(first.published(active[0] & False, active[1] & False), features, *active)
            return

        def train(**options: Any) -> TrainingResult:
            events = self._events(~held, positive, context)
            network, result = solver.train(first, features, events, ranked_later, active=active, **options)
            self._publish(network, features, *active)
            if is_calibrated:
                self._calibrate(self._held_out(held, positive, context) if later is None else later, held)
            return result

        def train_on_all(**options: Any) -> TrainingResult:
            everything = np.ones(len(held), bool)
            seen, events = self._active_in(everything, positive), self._events(everything, positive, context)
            network, result = solver.train(first, features, events, active=seen, **options)
            self._publish(network, features, *seen)
            return result

        self._train_epochs(train, train_on_all if held.any() else None)

    def _later_events(self: Any) -> LaterEvents | None:
        """Those of ``validation_data``."""
        given = self._fit_options.validation_data
        if given is None:
            return None
        return validation_events(self, given, self._histories.lengths, partial(is_positive, threshold=self.threshold))

    def _held_out(
        self: Any, held: NDArray[np.bool_], positive: NDArray[np.bool_], context: NDArray[np.float32] | None
    ) -> LaterEvents:
        rows, items = self._histories.row_of_event()[held], self._histories.items[held].astype(np.int64)
        return LaterEvents(rows, items, positive[held], None if context is None else context[held])

    def _calibrate(self: Any, later: LaterEvents, held: NDArray[np.bool_]) -> None:
        """Learn probabilities from the scores of later events, made from the events before."""
        known = later.items >= 0
        users, items, labels = later.users[known], later.items[known], later.is_positive[known]
        if not has_both_classes(labels):
            return
        before, context = self._histories.where(~held), later.context
        if context is None:
            distinct, row = np.unique(users, return_inverse=True)
        else:
            distinct, row, context = users, np.arange(len(users)), context[known]
        vectors = self._vectors_of(Queries(distinct, before.take(distinct)), context)
        self._calibrator = fit_calibrator(self._pair_scores(vectors, row, items), labels, self.calibration)

    def _active_in(
        self: Any, mask: NDArray[np.bool_], positive: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Users and items with events in a mask; where only positive events are trained on, those with one."""
        used = np.flatnonzero(mask if self._loss_reads_negatives() else mask & positive)
        rows, items = self._histories.row_of_event()[used], self._histories.items[used]
        n_users, n_items = len(self._user_index), len(self._item_index)
        return np.bincount(rows, minlength=n_users) > 0, np.bincount(items, minlength=n_items) > 0

    def _loss_reads_negatives(self: Any) -> bool:
        return self.loss == "bce" or (self.loss == "auto" and self.interaction == "additive")

    def _events(
        self: Any,
        mask: NDArray[np.bool_],
        positive: NDArray[np.bool_],
        context: NDArray[np.float32] | None,
    ) -> Any:
        from skrec.neural_network._two_tower._task import TowerEvents

        histories, used = self._histories, np.flatnonzero(mask)
        return TowerEvents(
            histories.row_of_event()[used],
            histories.items[used].astype(np.int64),
            positive[used],
            latest(histories.where(mask & positive), int(self.max_length)),
            None if context is None else context[used],
        )

    # From where it stands --------------------------------------------------------------------------

    def _partial_fit(self: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        if self._item_matrix is not None:
            self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        if self._user_matrix is not None:
            self._user_matrix = with_rows(self._user_matrix, user_matrix, data.user_rows, data.n_users)
        features = self._side_components()
        was_active = self._active_users.any()
        active_users = _longer(self._active_users, data.n_users)
        active = _longer(self._active, data.n_items)
        number = numbers_of_new_events(self._trained, data)
        self._trained = self._histories
        positive = is_positive(self._histories.y, self.threshold)
        solver: TowerSolver = self._solver()
        rng = np.random.default_rng(solver.trainer.seed)
        network = self._network.grown(data.n_users, data.n_items)
        if not was_active:
            network = TowerNetwork(network.shape, network.shape.first_arrays(data.n_users, data.n_items, rng))
        mask, context = number >= 0, None
        if self._scale is not None:
            context = np.zeros((len(number), self._network.shape.n_context), np.float32)
            ordered = data.context[np.argsort(data.users, kind="stable")]
            context[mask] = self._scale.transform(ordered[number[mask]])
        else:  # as many old events, so that these are not forgotten
            old = np.flatnonzero(~mask)
            mask[rng.choice(old, min(len(old), int(mask.sum())), replace=False)] = True
        if not (mask & positive).any():
            self._publish(network, features, active_users, active)
            return
        of_users, of_items = self._active_in(mask, positive)
        active_users, active = active_users | of_users, active | of_items
        events, max_iter = self._events_in_whole(mask, positive, context), -(-int(self.max_iter) // 10)
        network, result = solver.train(network, features, events, max_iter=max_iter, active=(active_users, active))
        self._add_epochs(result)
        self._publish(network, features, active_users, active)

    def _events_in_whole(
        self: Any, mask: NDArray[np.bool_], positive: NDArray[np.bool_], context: NDArray[np.float32] | None
    ) -> Any:
        """Some events, to be predicted from all the others of their users."""
        pooled = latest(self._histories.where(positive), int(self.max_length))
        return replace(self._events(mask, positive, context), histories=pooled)

    # What is kept ----------------------------------------------------------------------------------

    def _side_components(self) -> SideComponents:
        items = None if self._item_parts is None else self._item_parts.transform(self._item_matrix)
        self._user_components = None if self._user_parts is None else self._user_parts.transform(self._user_matrix)
        return SideComponents(items, self._user_components)

    def _publish(
        self: Any,
        network: TowerNetwork,
        features: SideComponents,
        active_users: NDArray[np.bool_],
        active: NDArray[np.bool_],
    ) -> None:
        has_features = np.zeros(len(active), bool) if features.items is None else ~is_zero_row(features.items)
        self._network, self._active_users, self._active = network, active_users, active
        self._usable = active | has_features
        vectors = network.item_vectors(features.items)
        if self.cold_smoothing:
            vectors = with_like_items(vectors, active, self._item_matrix, float(self.cold_smoothing))
            vectors = unit_rows(vectors) if self.interaction == "cosine" else vectors
        self._item_vectors = vectors
        self._item_bias = network.arrays["item_biases"]
        self._history_vectors = network.history_vectors(features.items)


def _fit_parts(matrix: Matrix | None, n_components: int, seed: int) -> tuple[Matrix | None, FeatureComponents | None]:
    if matrix is None or not matrix.shape[1]:
        return None, None
    return matrix, FeatureComponents.fit(matrix, n_components, seed)


def _longer(mask: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    return np.concatenate([mask, np.zeros(n - len(mask), bool)])
