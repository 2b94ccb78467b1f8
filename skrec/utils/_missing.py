"""What counts as a missing value in a cell."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_missing_value(cell: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pandas' NA."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):  # a comparison with NA has no truth value
        return True
    return isinstance(cell, float | np.generic) and bool(cell != cell)


def missing_cells(cells: NDArray) -> NDArray[np.bool_]:
    """Where an array of objects is missing."""
    return np.fromiter(map(is_missing_value, cells.tolist()), bool, len(cells))
