"""CSR matrices as kernels take them."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


class Csr(NamedTuple):
    """The arrays of a CSR matrix, as kernels take them."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.floating]


def csr_arrays(matrix: sp.csr_array) -> Csr:
    """The arrays of a CSR matrix, as kernels take them."""
    # A request must not copy the indices of a whole graph.
    indptr, indices = matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int32, copy=False)
    return Csr(indptr, indices, matrix.data)
