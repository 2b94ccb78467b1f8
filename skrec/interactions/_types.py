"""What callers may pass, as types."""

from collections.abc import Sequence
from typing import TypeAlias

import scipy.sparse as sp
from narwhals.typing import IntoDataFrame, IntoSeries
from numpy.typing import ArrayLike

Frame: TypeAlias = IntoDataFrame  # of pandas, polars, pyarrow or what else narwhals reads
Ids: TypeAlias = ArrayLike | IntoSeries
Table: TypeAlias = ArrayLike | IntoDataFrame
History: TypeAlias = Table | tuple[Table, ArrayLike]  # events, or (events, y)
CandidateIds: TypeAlias = Ids | Sequence[Ids]  # one list for all queries, or one per query
FeatureMatrix: TypeAlias = ArrayLike | sp.sparray | sp.spmatrix
