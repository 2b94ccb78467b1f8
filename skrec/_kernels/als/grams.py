"""Gram matrices of factors, and what one side is regressed on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_GRAM_ROWS = 8192


@dataclass(frozen=True)
class GramBlocks:
    """``F'F`` over the active rows, block by block: a change of few rows costs the blocks that they are in.

    The blocks are added up one after the other, so that the sum does not depend on the number of threads.

    Attributes
    ----------
    blocks : float32 array of shape (n_blocks, width, width)
    """

    blocks: NDArray[np.float32]

    @classmethod
    def of(cls, factors: NDArray[np.float32], active: NDArray[np.bool_]) -> GramBlocks:
        """The blocks of factors of shape (n_rows, width); ``active`` has shape (n_rows,)."""
        return cls(np.zeros((0, factors.shape[1], factors.shape[1]), np.float32)).updated(
            factors, active, np.zeros(0, np.int64)
        )

    def updated(
        self, factors: NDArray[np.float32], active: NDArray[np.bool_], changed: NDArray[np.int64]
    ) -> GramBlocks:
        """The blocks once some rows have changed, and others have joined at the end."""
        n_blocks = -(-len(factors) // _GRAM_ROWS)
        stale = np.ones(n_blocks, bool)
        stale[: len(self.blocks)] = False
        stale[changed // _GRAM_ROWS] = True
        blocks = np.empty((n_blocks, *self.blocks.shape[1:]), np.float32)
        blocks[: len(self.blocks)] = self.blocks
        everyone = active.all()
        for at in np.flatnonzero(stale).tolist():
            rows = slice(at * _GRAM_ROWS, (at + 1) * _GRAM_ROWS)
            block = factors[rows] if everyone else factors[rows][active[rows]]
            blocks[at] = block.T @ block
        return GramBlocks(blocks)

    def total(self) -> NDArray[np.float32]:
        """The Gram matrix."""
        gram = np.zeros(self.blocks.shape[1:])
        for block in self.blocks:
            gram += block
        return gram.astype(np.float32)


def factor_gram(factors: NDArray[np.float32], active: NDArray[np.bool_]) -> NDArray[np.float32]:
    """``F'F`` over the active rows of factors of shape (n_rows, width)."""
    return GramBlocks.of(factors, active).total()
