"""Training of two towers: from arrays to arrays, so that torch stays in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skrec._training import Callback, RankedEvents, Trainer, TrainerSettings, TrainingResult, TrainingTask, digest_of
from skrec.neural_network._two_tower._network import TowerNetwork, latest
from skrec.utils import resolve_device

if TYPE_CHECKING:
    from skrec.neural_network._two_tower._task import TowerEvents


@dataclass(frozen=True)
class SideComponents:
    """What the towers read of the feature tables.

    Attributes
    ----------
    items : float32 array of shape (n_items, n_item_features), or None
    users : float32 array of shape (n_users, n_user_features), or None
    """

    items: NDArray[np.float32] | None
    users: NDArray[np.float32] | None


@dataclass(frozen=True)
class TowerSolver:
    """How towers are trained.

    Attributes
    ----------
    trainer : TrainerSettings
    loss : {"auto", "softmax", "multinomial", "sampled_softmax", "in_batch_softmax", "bce"}
    n_negatives, batch_size, max_length : int
    dropout, id_dropout : float
    device : str or None
    """

    trainer: TrainerSettings
    loss: str
    n_negatives: int
    batch_size: int
    max_length: int
    dropout: float
    id_dropout: float
    device: str | None

    def train(
        self,
        network: TowerNetwork,
        features: SideComponents,
        events: TowerEvents,
        held_out: RankedEvents | None = None,
        *,
        active: tuple[NDArray[np.bool_], NDArray[np.bool_]],
        callbacks: Sequence[Callback] = (),
        max_iter: int | None = None,
        checkpoint: str | None = None,
    ) -> tuple[TowerNetwork, TrainingResult]:
        """Train towers from their arrays on.

        Parameters
        ----------
        network : TowerNetwork
        features : SideComponents
        events : TowerEvents
        held_out : RankedEvents, default=None
            Its NDCG@10 decides which epoch is kept.
        active : pair of bool arrays
            The users and items with events to train on.
        callbacks : sequence of callables
        max_iter : int, default=None
            Epochs, in place of those of the settings.
        checkpoint : str, default=None

        Returns
        -------
        network : TowerNetwork
            Its id parts are zero where nothing was learned.
        result : TrainingResult
        """
        import torch

        from skrec.neural_network._ranking_loss import resolve_loss
        from skrec.neural_network._two_tower._history_task import HistoryTask
        from skrec.neural_network._two_tower._task import TowerTask
        from skrec.neural_network._two_tower._torch_towers import TorchTowers

        module = TorchTowers(
            network,
            features.items,
            features.users,
            active[1],
            dropout=self.dropout,
            id_dropout=self.id_dropout,
            generator=torch.Generator(resolve_device(self.device) or "cpu"),
        )

        def validate(arrays: dict[str, NDArray[np.float32]]) -> float:
            assert held_out is not None
            return self._ndcg(replace(network, arrays=arrays).published(*active), features, events, held_out)

        loss = self.loss
        if loss == "auto" and network.shape.interaction == "additive":
            loss = "bce"  # the user part does not change any order, so that a softmax cannot learn it
        loss = resolve_loss(loss, self.batch_size, len(active[1]))
        options: dict[str, Any] = {"batch_size": self.batch_size, "validate": None if held_out is None else validate}
        task: TrainingTask
        if loss == "multinomial":
            task = HistoryTask(module, events, **options)
        else:
            task = TowerTask(module, events, loss=loss, n_negatives=self.n_negatives, **options)
        settings = self.trainer.of_run(max_iter, is_validated=held_out is not None, checkpoint=checkpoint)
        if checkpoint is not None:
            settings = replace(settings, fingerprint=self._fingerprint(network, loss, features, events, active))
        result = Trainer(settings, callbacks).run(task)
        return replace(network, arrays=module.arrays()).published(*active), result

    def _fingerprint(
        self,
        network: TowerNetwork,
        loss: str,
        features: SideComponents,
        events: TowerEvents,
        active: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    ) -> dict[str, Any]:
        pooled = events.histories
        arrays = [events.users, events.items, events.is_positive, events.context, pooled.indptr, pooled.items]
        options = {"loss": loss, "batch_size": self.batch_size, "dropout": self.dropout, "id_dropout": self.id_dropout}
        if loss in ("sampled_softmax", "bce"):
            options["n_negatives"] = self.n_negatives
        data = digest_of([*arrays, features.items, features.users, *active])
        return {**asdict(network.shape), **options, "data": data}

    def _ndcg(
        self, network: TowerNetwork, features: SideComponents, events: TowerEvents, held_out: RankedEvents
    ) -> float:
        users = held_out.users
        queries = network.query_vectors(
            users,
            latest(events.histories.take(users), self.max_length),
            network.history_vectors(features.items),
            None if features.users is None else features.users[users],
            held_out.context,
        )
        return held_out.ndcg(queries, network.item_vectors(features.items), network.arrays["item_biases"])
