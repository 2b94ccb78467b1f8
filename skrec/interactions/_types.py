"""What callers may pass, as types."""

from typing import TypeAlias

import scipy.sparse as sp
from narwhals.typing import IntoDataFrame, IntoSeries
from numpy.typing import ArrayLike

Frame: TypeAlias = IntoDataFrame  # of pandas, polars, pyarrow or what else narwhals reads
Ids: TypeAlias = ArrayLike | IntoSeries
Table: TypeAlias = ArrayLike | IntoDataFrame
History: TypeAlias = Table | tuple[Table, ArrayLike]  # events, or (events, y)
FeatureMatrix: TypeAlias = ArrayLike | sp.sparray | sp.spmatrix
