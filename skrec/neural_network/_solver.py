"""Training of a sequence network: from arrays to arrays, so that torch stays in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skrec._training import (
    Callback,
    LaunchedProcesses,
    Processes,
    Trainer,
    TrainerSettings,
    TrainingResult,
    digest_of,
)
from skrec.neural_network._held_out import HeldOut
from skrec.neural_network._numpy_network import NumpyNetwork
from skrec.utils import resolve_device

if TYPE_CHECKING:
    from skrec.neural_network._task import TrainingEvents


@dataclass(frozen=True)
class SequenceSolver:
    """How a network is trained.

    Attributes
    ----------
    trainer : TrainerSettings
    loss : {"auto", "softmax", "sampled_softmax", "in_batch_softmax", "bce", "bpr"}
    n_negatives, batch_size : int
    dropout, id_dropout : float
    seen_negatives : bool
    device : str or None
    """

    trainer: TrainerSettings
    loss: str
    n_negatives: int
    batch_size: int
    dropout: float
    id_dropout: float
    seen_negatives: bool
    device: str | None

    def train(
        self,
        network: NumpyNetwork,
        features: NDArray[np.float32] | None,
        active: NDArray[np.bool_],
        events: TrainingEvents,
        held_out: HeldOut | None = None,
        *,
        callbacks: Sequence[Callback] = (),
        max_iter: int | None = None,
        checkpoint: str | None = None,
    ) -> tuple[NumpyNetwork, TrainingResult]:
        """Train a network from its arrays on.

        Parameters
        ----------
        network : NumpyNetwork
        features : float32 array of shape (n_items, n_features), or None
        active : bool array of shape (n_items,)
            Items with events to train on.
        events : TrainingEvents
        held_out : HeldOut, default=None
            Its NDCG@10 decides which epoch is kept.
        callbacks : sequence of callables
        max_iter : int, default=None
            Epochs, in place of those of the settings.
        checkpoint : str, default=None

        Returns
        -------
        network : NumpyNetwork
        result : TrainingResult
        """
        import torch

        from skrec.neural_network._ranking_loss import resolve_loss
        from skrec.neural_network._task import NextItemTask
        from skrec.neural_network._torch_network import TorchNetwork

        shape = network.shape
        is_shared = self.device == "accelerate"
        processes = LaunchedProcesses() if is_shared else Processes()
        generator = torch.Generator(processes.device or resolve_device(self.device) or "cpu")
        module = TorchNetwork(shape, network.arrays, features, active, self.dropout, self.id_dropout, generator)
        loss = resolve_loss(self.loss, self.batch_size * shape.max_length, len(active))

        def validate(arrays: dict[str, NDArray[np.float32]]) -> float:
            assert held_out is not None
            trained = published(replace(network, arrays=arrays), active)
            vectors = trained.item_vectors(features, active)
            queries = trained.query_vectors(held_out.sequences, vectors, held_out.context)
            return held_out.ndcg(queries, vectors, trained.arrays["item_biases"])

        task = NextItemTask(
            module,
            events,
            loss=loss,
            n_negatives=self.n_negatives,
            batch_size=self.batch_size,
            seen_negatives=self.seen_negatives,
            validate=None if held_out is None else validate,
        )
        settings = self.trainer.of_run(max_iter, is_validated=held_out is not None, checkpoint=checkpoint)
        if checkpoint is not None or is_shared:
            fingerprint = self._fingerprint(network, loss, features, active, events)
            settings = replace(settings, fingerprint=fingerprint | {"n_processes": processes.n})
        result = Trainer(settings, callbacks, processes).run(task)
        return published(replace(network, arrays=module.arrays()), active), result

    def _fingerprint(
        self,
        network: NumpyNetwork,
        loss: str,
        features: NDArray[np.float32] | None,
        active: NDArray[np.bool_],
        events: TrainingEvents,
    ) -> dict[str, Any]:
        sequences = events.sequences
        arrays = [sequences.indptr, sequences.items, sequences.gaps, events.is_target, events.context, active, features]
        names = ("batch_size", "dropout", "id_dropout", "seen_negatives")
        options: dict[str, Any] = {"loss": loss} | {name: getattr(self, name) for name in names}
        if loss != "softmax":
            options["n_negatives"] = self.n_negatives
        return {**asdict(network.shape), **options, "data": digest_of(arrays)}


def published(network: NumpyNetwork, active: NDArray[np.bool_]) -> NumpyNetwork:
    """The network with zero factors and a mean bias for items that it has not seen."""
    arrays = dict(network.arrays)
    mean = arrays["item_biases"][active].mean() if active.any() else 0.0
    arrays["item_biases"] = np.where(active, arrays["item_biases"], mean).astype(np.float32)
    arrays["item_factors"] = arrays["item_factors"] * active[:, None]
    return replace(network, arrays=arrays)
