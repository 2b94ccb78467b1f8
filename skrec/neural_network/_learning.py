"""``fit`` and ``partial_fit`` of a sequence model, in terms of arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec._training import TrainingResult, rows_to_hold_out
from skrec.interactions import Histories, Interactions
from skrec.neural_network._cold_items import with_like_items
from skrec.neural_network._components import FeatureComponents
from skrec.neural_network._held_out import HeldOut, last_held_out
from skrec.neural_network._numpy_network import NumpyNetwork
from skrec.neural_network._preparation import (
    ContextScale,
    numbers_of_new_events,
    seen_in_training,
    targets_of,
    validation_events,
)
from skrec.neural_network._sequences import START, Sequences, usual_gap
from skrec.neural_network._shape import NetworkShape
from skrec.neural_network._solver import SequenceSolver, published
from skrec.utils import Matrix, is_zero_row, with_rows


class LearningMixin:
    """What a model learns, and keeps to serve from.

    Attributes
    ----------
    _network : NumpyNetwork
    _active : bool array of shape (n_items,)
        Items seen in training.
    _usable : bool array of shape (n_items,)
        Items that are read in a history: those seen in training, or with features.
    _components : FeatureComponents or None
    _item_matrix : matrix of shape (n_items, d), or None
        Encoded features.
    _scale : ContextScale or None
    _gap_unit : float
    _trained : Histories
        The events at the last training.
    _item_vectors, _item_bias : float32 arrays of shape (n_items, n_factors) and (n_items,)
    """

    _network: NumpyNetwork
    _active: NDArray[np.bool_]
    _usable: NDArray[np.bool_]
    _components: FeatureComponents | None
    _item_matrix: Any
    _scale: ContextScale | None
    _gap_unit: float
    _trained: Histories
    _item_vectors: Any
    _item_bias: NDArray[np.float32] | None

    def _sequences(self, histories: Histories) -> Sequences:
        shape = self._network.shape
        unit = self._gap_unit if shape.has_gaps else None
        return Sequences.of(histories, self._usable, has_start=shape.n_context > 0, gap_unit=unit)

    # From scratch ----------------------------------------------------------------------------------

    def _learn(self: Any, data: Interactions, item_matrix: Matrix | None) -> None:
        solver = self._solver()
        rng = np.random.default_rng(solver.trainer.seed)
        histories, n_items = self._histories, data.n_items
        self._read_features(item_matrix, solver.trainer.seed)
        self._gap_unit = usual_gap(histories)
        self._scale, context = None, None
        if data.context is not None:
            self._scale = ContextScale.fit(data.context)
            context = self._scale.transform(data.context[np.argsort(data.users, kind="stable")])
        features = self._item_components()
        shape = NetworkShape(
            self.architecture,
            int(self.n_factors),
            int(self.n_layers),
            int(self.n_heads) if self.architecture == "transformer" else 1,
            int(self.max_length),
            0 if features is None else features.shape[1],
            0 if context is None else context.shape[1],
            bool(self.time_gaps) and histories.timestamp is not None,
        )
        self._network = NumpyNetwork(shape, shape.first_arrays(n_items, rng))
        self._usable = np.ones(n_items, bool)
        self._train_on(self._sequences(histories), context, features, solver, rng)
        self._trained = histories

    def _train_on(
        self: Any,
        sequences: Sequences,
        context: NDArray[np.float32] | None,
        features: NDArray[np.float32] | None,
        solver: SequenceSolver,
        rng: np.random.Generator,
    ) -> None:
        from skrec.neural_network._task import TrainingEvents

        given = self._fit_options.validation_data
        held_out: HeldOut | None = None
        rows = np.zeros(0, np.int64)
        if given is not None:
            lengths = np.diff(sequences.indptr)
            users, relevant, of_later = validation_events(self, given, lengths, lambda y: y > 0).queries()
            held_out = HeldOut(sequences.take(users), relevant, of_later)
        elif self.early_stopping:
            rows = rows_to_hold_out(np.diff(sequences.indptr), float(self.validation_fraction), rng)
            held_out = last_held_out(sequences, rows, context) if len(rows) else None
        events = TrainingEvents(sequences, targets_of(sequences, rows), context)
        self._no_epochs()
        first, n_items = self._network, len(self._usable)
        active = seen_in_training(sequences, events.is_target, n_items)
        if not active.any():
            self._publish(_without_weights(first), active, features)
            return

        def train(**options: Any) -> TrainingResult:
            network, result = solver.train(first, features, active, events, held_out, **options)
            self._publish(network, active, features)
            return result

        def train_on_all(**options: Any) -> TrainingResult:
            every = TrainingEvents(sequences, targets_of(sequences, rows[:0]), context)
            seen = seen_in_training(sequences, every.is_target, n_items)
            network, result = solver.train(first, features, seen, every, **options)
            self._publish(network, seen, features)
            return result

        self._train_epochs(train, train_on_all if len(rows) else None)

    # From where it stands --------------------------------------------------------------------------

    def _partial_fit(self: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        if self._item_matrix is not None:
            self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        features = self._item_components()
        self._network = _grown(self._network, data.n_items)
        active = np.concatenate([self._active, np.zeros(data.n_items - len(self._active), bool)])
        has_features = np.zeros(data.n_items, bool) if features is None else ~is_zero_row(features)
        known = np.zeros(data.n_items, bool)
        known[data.items] = True
        self._usable = active | has_features | known
        before, self._trained = self._trained, self._histories
        if not len(data):
            self._publish(self._network, active, features)
            return
        if not active.any():  # nothing was learned before
            solver = self._solver()
            rng = np.random.default_rng(solver.trainer.seed)
            self._network = replace(self._network, arrays=self._network.shape.first_arrays(data.n_items, rng))
        self._continue(data, before, active, features)

    def _continue(
        self: Any,
        data: Interactions,
        before: Histories,
        active: NDArray[np.bool_],
        features: NDArray[np.float32] | None,
    ) -> None:
        """Train on the users with new events."""
        from skrec.neural_network._task import TrainingEvents

        solver = self._solver()
        rng = np.random.default_rng(solver.trainer.seed)
        changed = np.unique(data.users)
        histories, context, number = self._histories, None, None
        if self._scale is not None:
            number = numbers_of_new_events(before, data)
            context = np.zeros((len(number), self._network.shape.n_context), np.float32)
            ordered = data.context[np.argsort(data.users, kind="stable")]
            context[number >= 0] = self._scale.transform(ordered[number[number >= 0]])
        else:
            others = np.setdiff1d(np.arange(len(histories)), changed)
            changed = np.union1d(changed, rng.choice(others, min(len(others), len(changed)), replace=False))
        sequences = self._sequences(histories).take(changed)
        is_target = sequences.items != START
        if number is not None:
            is_target &= number[sequences.event] >= 0
        seen = seen_in_training(sequences, is_target, data.n_items)
        if not seen.any():
            self._publish(self._network, active, features)
            return
        active = active | seen
        max_iter = -(-int(self.max_iter) // 10)
        events = TrainingEvents(sequences, is_target, context)
        network, result = solver.train(self._network, features, active, events, max_iter=max_iter)
        self._add_epochs(result)
        self._publish(network, active, features)

    # What is kept ----------------------------------------------------------------------------------

    def _read_features(self, item_matrix: Matrix | None, seed: int) -> None:
        n_components: Any = getattr(self, "n_components", 0)
        self._item_matrix, self._components = item_matrix, None
        if item_matrix is not None and item_matrix.shape[1]:
            self._components = FeatureComponents.fit(item_matrix, int(n_components), seed)

    def _item_components(self) -> NDArray[np.float32] | None:
        return None if self._components is None else self._components.transform(self._item_matrix)

    def _publish(
        self: Any, network: NumpyNetwork, active: NDArray[np.bool_], features: NDArray[np.float32] | None
    ) -> None:
        network = published(network, active)
        has_features = np.zeros(len(active), bool) if features is None else ~is_zero_row(features)
        self._network, self._active, self._usable = network, active, active | has_features
        vectors = network.item_vectors(features, active)
        self._item_vectors = with_like_items(vectors, active, self._item_matrix, float(self.cold_smoothing))
        self._item_bias = network.arrays["item_biases"]


def _grown(network: NumpyNetwork, n_items: int) -> NumpyNetwork:
    """The network with rows for new items: no id part yet, and the bias of the others in the mean."""
    arrays = dict(network.arrays)
    n_new = n_items - len(arrays["item_biases"])
    if not n_new:
        return network
    arrays["item_factors"] = np.pad(arrays["item_factors"], ((0, n_new), (0, 0)))
    mean = arrays["item_biases"].mean() if len(arrays["item_biases"]) else 0.0
    arrays["item_biases"] = np.pad(arrays["item_biases"], (0, n_new), constant_values=mean).astype(np.float32)
    return replace(network, arrays=arrays)


def _without_weights(network: NumpyNetwork) -> NumpyNetwork:
    """A network that says nothing: every query is zero, and gets the cold start."""
    return replace(network, arrays={name: np.zeros_like(array) for name, array in network.arrays.items()})
