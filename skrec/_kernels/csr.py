"""CSR matrices as kernels take them."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


class Csr(NamedTuple):
    """The arrays of a CSR matrix, as kernels take them."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.floating]


def csr_arrays(matrix: sp.csr_array) -> Any:
    """The arrays of a CSR matrix, as kernels take them."""
    from skrec._kernels.csr import Csr

    return Csr(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)
