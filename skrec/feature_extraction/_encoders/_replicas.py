"""One model on several devices, which share the texts of a chunk."""

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._encoders._local_encoder import LocalModel, Pending, in_order
from skrec.feature_extraction._encoders._tokens import Tokens


class ReplicatedModel(LocalModel):
    """The model of a :class:`LocalModel`, copied to further devices.

    Parameters
    ----------
    first : LocalModel
        Computes on the first device, and reads the texts for all.
    devices : sequence of str
        All devices, that of ``first`` included. A device named twice has one copy and two batches at a time.
    """

    def __init__(self, first: LocalModel, devices: Sequence[str]):
        super().__init__(first.model, first.always_mask)
        copies = {devices[0]: first}
        for device in devices[1:]:
            if device not in copies:
                copies[device] = LocalModel(copy.deepcopy(first.model).to(device), first.always_mask)
        self.replicas = [copies[device] for device in devices]

    @property
    def is_asynchronous(self) -> bool:
        return True

    def start(self, tokens: Tokens, token_budget: int | None) -> Pending:
        """Embed what was read, each device its share. Returns when the work of all is queued."""
        n_texts = len(tokens.texts) if tokens.ids is None else len(tokens.lengths)
        by_length = np.arange(n_texts) if tokens.ids is None else np.argsort(-tokens.lengths, kind="stable")
        shares = [share for i in range(len(self.replicas)) if len(share := by_length[i :: len(self.replicas)])]
        with ThreadPoolExecutor(len(shares), "skrec-device") as pool:
            started = [
                pool.submit(replica.start, tokens.take(share), token_budget)
                for replica, share in zip(self.replicas, shares, strict=False)
            ]
        return Gathered([future.result() for future in started], np.concatenate(shares), tokens.n_truncated)


@dataclass
class Gathered:
    """Vectors of several devices."""

    parts: list[Pending]
    order: NDArray[np.intp]
    n_truncated: int

    def result(self) -> tuple[NDArray[np.float32], int]:
        rows: Any = np.concatenate([part.result()[0] for part in self.parts])
        return in_order(rows, self.order), self.n_truncated
