"""Training of vectors over a graph: from arrays to arrays, so that torch stays in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._training import Callback, RankedEvents, Trainer, TrainerSettings, TrainingResult, digest_of
from skrec.graph._adjacency import Graph
from skrec.graph._node_vectors import NodeVectors
from skrec.utils import resolve_device

if TYPE_CHECKING:
    from skrec.graph._torch_graph import GraphLoss

_MOST_CELLS = 50_000_000


@dataclass(frozen=True)
class GraphSolver:
    """How vectors are trained over a graph (LightGCN).

    Attributes
    ----------
    trainer : TrainerSettings
        Its ``regularization`` is that of the optimiser.
    loss : {"auto", "softmax", "sampled_softmax", "bpr"}
    n_layers, n_negatives, batch_size : int
    regularization, contrastive_weight, noise : float
    device : str or None
    """

    trainer: TrainerSettings
    loss: str
    n_layers: int
    n_negatives: int
    batch_size: int
    regularization: float
    contrastive_weight: float
    noise: float
    device: str | None

    def train(
        self,
        vectors: NodeVectors,
        graph: Graph,
        held_out: RankedEvents | None = None,
        *,
        callbacks: Sequence[Callback] = (),
        max_iter: int | None = None,
        checkpoint: str | None = None,
    ) -> tuple[NodeVectors, TrainingResult]:
        """Train vectors from their arrays on.

        Parameters
        ----------
        vectors : NodeVectors
        graph : Graph
            Without held-out events; not normalised.
        held_out : RankedEvents, default=None
            Their NDCG@10 decides which epoch is kept.
        callbacks : sequence of callables
        max_iter : int, default=None
            Epochs, in place of those of the settings.
        checkpoint : str, default=None
        """
        import torch

        from skrec.graph._torch_graph import GraphLoss, GraphTask, TorchGraph

        events = graph.events
        loss = GraphLoss(self._resolved_loss(events), self.n_negatives, self.regularization, self.contrastive_weight)
        active = np.diff(events.indptr) > 0, np.bincount(events.indices, minlength=events.shape[1]) > 0
        start = vectors.of_active(*active)
        generator = torch.Generator(resolve_device(self.device) or "cpu")
        edges = graph.normalised().whole()
        module = TorchGraph(
            edges,
            start.users,
            start.items,
            np.concatenate(active),
            n_layers=self.n_layers,
            noise=self.noise,
            generator=generator,
        )

        def validate(users: NDArray[np.float32], items: NDArray[np.float32]) -> float:
            assert held_out is not None
            return held_out.ndcg(users[held_out.users], items)

        task = GraphTask(
            module,
            events,
            loss=loss,
            batch_size=self.batch_size,
            validate=None if held_out is None else validate,
        )
        settings = self.trainer.of_run(max_iter, is_validated=held_out is not None, checkpoint=checkpoint)
        if checkpoint is not None:
            settings = replace(settings, fingerprint=self._fingerprint(loss, start, edges))
        result = Trainer(settings, callbacks).run(task)
        learned = (value.detach().cpu().numpy().copy() for value in (module.users, module.items))
        return NodeVectors(*learned).of_active(*active), result

    def _resolved_loss(self, events: sp.csr_array) -> str:
        """What "auto" means: the whole catalogue where the scores of a batch of users fit in memory."""
        if self.loss != "auto":
            return self.loss
        n_active = max(1, int((np.diff(events.indptr) > 0).sum()))
        per_batch = self.batch_size * n_active / max(1, events.nnz)
        return "softmax" if per_batch * events.shape[1] <= _MOST_CELLS else "sampled_softmax"

    def _fingerprint(self, loss: GraphLoss, start: NodeVectors, edges: sp.csr_array) -> dict[str, object]:
        digest = digest_of([start.users, start.items, edges.indptr, edges.indices, edges.data])
        options = {"n_layers": self.n_layers, "noise": self.noise, "batch_size": self.batch_size}
        return {**asdict(loss), **options, "data": digest}
