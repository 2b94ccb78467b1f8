"""Encoders of single context columns: fitted by ``fit_transform``, float32 out, zeros for what is missing."""

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_random_state, resample

from skrec.exceptions import UnseenCategoryWarning
from skrec.feature_extraction._context_cells import check_same_kind, distinct, numbers, wall_clock
from skrec.feature_extraction._encoding import encode_column
from skrec.interactions import Column
from skrec.utils import caller_level, check_kind, check_width, column_texts, is_missing_value

EARTH_RADIUS_KM = 6371.0088
CYCLES = ("hour", "weekday", "month", "season")

_DAY = 86400
_MAX_KMEANS_ROWS = 20_000


class Times:
    """A column of times, as points on circles of hours, weekdays, months and seasons.

    Parameters
    ----------
    name : str
    cycles : sequence of {"hour", "weekday", "month", "season"}
    unit : str
        Of numbers, as in :func:`wall_clock`.
    tz : str or None
    """

    def __init__(self, name: str, cycles: Any, unit: str, tz: str | None) -> None:
        self.name, self.cycles, self.unit, self.tz = name, tuple(cycles), unit, tz

    @property
    def names(self) -> list[str]:
        return [f"{self.name}_{cycle}_{part}" for cycle in self.cycles for part in ("sin", "cos")]

    def fit_transform(self, columns: list[Column]) -> NDArray[np.float32]:
        seconds, self.kind = wall_clock(columns[0], self.name, self.unit, self.tz)
        if self.kind == "date":
            self.cycles = tuple(cycle for cycle in self.cycles if cycle != "hour")
        return self._on_circles(seconds)

    def transform(self, columns: list[Column]) -> NDArray[np.float32]:
        seconds, kind = wall_clock(columns[0], self.name, self.unit, self.tz)
        check_same_kind(kind, self.kind, self.name)
        return self._on_circles(seconds)

    def _on_circles(self, seconds: NDArray[np.float64]) -> NDArray[np.float32]:
        encoded = np.zeros((len(seconds), 2 * len(self.cycles)), np.float32)
        known = ~np.isnan(seconds)
        for j, cycle in enumerate(self.cycles):
            angle = 2 * np.pi * phase(seconds[known], cycle)
            encoded[known, 2 * j], encoded[known, 2 * j + 1] = np.sin(angle), np.cos(angle)
        return encoded


def phase(seconds: NDArray[np.float64], cycle: str) -> NDArray[np.float64]:
    """How much of a cycle has passed, in [0, 1): from midnight, Monday, January, or winter (December)."""
    if cycle == "hour":
        return seconds % _DAY / _DAY
    if cycle == "weekday":
        return (seconds // _DAY + 3) % 7 / 7  # 1970 began on a Thursday
    month = np.floor(seconds).astype("M8[s]").astype("M8[M]").astype(np.int64) % 12
    return month / 12 if cycle == "month" else (month + 1) % 12 // 3 / 4


class Places:
    """Latitude and longitude, as a point on the sphere and its distances to learned centres, standardised.

    Parameters
    ----------
    latitude, longitude : str
        Names of the columns, in degrees.
    n_centers : int
    random_state : int, RandomState instance or None
    """

    def __init__(self, latitude: str, longitude: str, n_centers: int, random_state: Any) -> None:
        self.latitude, self.longitude = latitude, longitude
        self.n_centers, self.random_state = n_centers, random_state
        self.scaler = StandardScaler()
        self.centers: KMeans | None = None

    @property
    def names(self) -> list[str]:
        n_centers = 0 if self.centers is None else len(self.centers.cluster_centers_)
        stem = f"{self.latitude}_{self.longitude}"
        return [f"{stem}_{axis}" for axis in "xyz"] + [f"{stem}_center{j}_km" for j in range(n_centers)]

    def fit_transform(self, columns: list[Column]) -> NDArray[np.float32]:
        points = self._on_sphere(columns)
        known = points[~np.isnan(points[:, 0])]
        if len(known) and self.n_centers:
            rng = check_random_state(self.random_state)
            sample = resample(known, replace=False, n_samples=min(len(known), _MAX_KMEANS_ROWS), random_state=rng)
            n_centers = min(self.n_centers, len(np.unique(sample, axis=0)))
            self.centers = KMeans(n_centers, n_init=1, random_state=rng).fit(sample)
        return _fit_scaler(self.scaler, self._with_distances(points))

    def transform(self, columns: list[Column]) -> NDArray[np.float32]:
        return _zero_where_missing(self.scaler.transform(self._with_distances(self._on_sphere(columns))))

    def _on_sphere(self, columns: list[Column]) -> NDArray[np.float64]:
        latitude = _degrees(columns[0], self.latitude, 90)
        longitude = _degrees(columns[1], self.longitude, 180)
        return (
            np.column_stack(
                [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
            )
            + np.where(np.isnan(latitude) | np.isnan(longitude), np.nan, 0)[:, None]
        )

    def _with_distances(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.centers is None:
            return points
        # KMeans leaves its centres inside the sphere; the distance is along the ground to the point above.
        centers = self.centers.cluster_centers_
        centers = centers / np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), 1e-12)
        chord = np.sqrt(np.clip(2 - 2 * points @ centers.T, 0, None))
        return np.hstack([points, 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2, 0, 1))])


def _degrees(column: Column, name: str, limit: int) -> NDArray[np.float64]:
    degrees = numbers(column, name)
    outside = np.abs(degrees) > limit
    if outside.any():
        raise ValueError(
            f"column {name!r} contains {degrees[outside][0]:g}, outside of -{limit} to {limit} degrees; latitude and "
            f"longitude may have changed places (if it is no such thing: roles={{{name!r}: 'number'}})."
        )
    return np.radians(degrees)


class Categories:
    """A column of categories, one-hot; the rarest share one indicator, with what was not in fit.

    Parameters
    ----------
    name : str
    max_categories : int or None
    """

    def __init__(self, name: str, max_categories: int | None) -> None:
        self.name = name
        self.encoder = OneHotEncoder(
            max_categories=max_categories,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
            dtype=np.float32,
        )

    @property
    def names(self) -> list[str]:
        return self.encoder.get_feature_names_out([self.name]).tolist()

    def fit_transform(self, columns: list[Column]) -> NDArray[np.float32]:
        values, inverse = distinct(columns[0], self.name)
        try:
            self.encoder.fit(_as_cells(values)[inverse])
        except TypeError as error:
            raise TypeError(f"column {self.name!r} has categories of several types: {error}") from None
        return self.encoder.transform(_as_cells(values))[inverse]

    def transform(self, columns: list[Column]) -> NDArray[np.float32]:
        values, inverse = distinct(columns[0], self.name)
        self._check_kind(values)
        self._warn_of_unseen(values, inverse)
        return self.encoder.transform(_as_cells(values))[inverse]

    def _warn_of_unseen(self, values: list[Any], inverse: NDArray[np.int64]) -> None:
        """Count rows that become zeros; where rare categories are grouped, an unseen one is simply one of them."""
        if self.encoder.max_categories and self.encoder.infrequent_categories_[0] is not None:
            return
        known = set(self.encoder.categories_[0].tolist())
        unseen = [at for at, value in enumerate(values) if value not in known and not is_missing_value(value)]
        if not unseen:
            return
        n_rows = int(np.isin(inverse, unseen).sum())
        warnings.warn(
            f"column {self.name!r} has a category that was not in fit in {n_rows} of {len(inverse)} rows, such as "
            f"{values[unseen[0]]!r}; it is encoded as zeros. Fit again with such events, or silence "
            "UnseenCategoryWarning.",
            UnseenCategoryWarning,
            stacklevel=caller_level(),
        )

    def _check_kind(self, values: list[Any]) -> None:
        """Refuse numbers where fit had text, and the reverse: all of them would be unknown, in silence."""
        (fitted,) = self.encoder.categories_
        kinds = [{isinstance(value, str) for value in side if not is_missing_value(value)} for side in (fitted, values)]
        if all(len(kind) == 1 for kind in kinds) and kinds[0] != kinds[1]:
            found, expected = (f"{side[0]!r}" for side in (values, fitted))
            raise ValueError(
                f"column {self.name!r} has categories such as {found}, but such as {expected} in fit; convert it, "
                f"as with astype({'str' if kinds[0] == {True} else 'float'})."
            )


def _as_cells(values: list[Any]) -> NDArray:
    cells = np.empty((len(values), 1), dtype=object)
    cells[:, 0] = values
    return cells


class Numbers:
    """Columns of numbers, standardised.

    Parameters
    ----------
    names : list of str
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.scaler = StandardScaler()

    def fit_transform(self, columns: list[Column]) -> NDArray[np.float32]:
        return _fit_scaler(self.scaler, self._stack(columns))

    def transform(self, columns: list[Column]) -> NDArray[np.float32]:
        values = self._stack(columns)
        scaled = self.scaler.transform(values)
        beyond = np.argwhere(np.abs(scaled) > np.finfo(np.float32).max)
        if len(beyond):
            row, j = beyond[0]
            raise ValueError(
                f"column {self.names[j]!r} contains {values[row, j]:g}, "
                f"which is {scaled[row, j]:.0e} standard deviations "
                "from the mean of fit, beyond the range of float32; check its unit, or pass NaN for missing."
            )
        return _zero_where_missing(scaled)

    def _stack(self, columns: list[Column]) -> NDArray[np.float64]:
        return np.column_stack([numbers(column, name) for column, name in zip(columns, self.names, strict=True)])


class Texts:
    """A column of free text: each distinct value embedded once, reduced by PCA.

    Components are divided by the standard deviation of the first, which keeps their proportions.

    Parameters
    ----------
    name : str
    encoder : transformer
    n_components : int or None
    random_state : int, RandomState instance or None
    """

    def __init__(self, name: str, encoder: Any, n_components: int | None, random_state: Any) -> None:
        self.name, self.encoder = name, clone(encoder)
        self.n_components, self.random_state = n_components, random_state
        self.pca: PCA | None = None

    @property
    def names(self) -> list[str]:
        return [f"{self.name}_{j}" for j in range(self.n_features)]

    def fit_transform(self, columns: list[Column]) -> NDArray[np.float32]:
        texts, inverse = _distinct_texts(columns[0])
        if not texts:
            self.n_features = 0
            return np.zeros((len(inverse), 0), np.float32)
        vectors = encode_column(self.encoder, texts, f"column {self.name!r}", fit=True)
        if self.n_components is None:
            self.n_features = vectors.shape[1]
        else:
            most = min(len(texts) - 1, vectors.shape[1] - sp.issparse(vectors))
            self.n_features = min(self.n_components, most)
        if self.n_components is not None and self.n_features:
            self.pca = PCA(self.n_features, random_state=self.random_state).fit(vectors)
        return self._spread(vectors, inverse)

    def transform(self, columns: list[Column]) -> NDArray[np.float32]:
        texts, inverse = _distinct_texts(columns[0])
        if not self.n_features or not texts:
            return np.zeros((len(inverse), self.n_features), np.float32)
        return self._spread(encode_column(self.encoder, texts, f"column {self.name!r}"), inverse)

    def _spread(self, vectors: Any, inverse: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of the distinct texts to the rows of X; -1 is a missing text."""
        if self.pca is not None:
            scale = np.sqrt(self.pca.explained_variance_[0]) or 1.0
            vectors = self.pca.transform(vectors) / scale
        elif sp.issparse(vectors):
            vectors = vectors.toarray()
        vectors = np.asarray(vectors[:, : self.n_features], dtype=np.float32)
        return np.vstack([vectors, np.zeros((1, vectors.shape[1]), np.float32)])[inverse]


def check_parts(parts: Any, name: str) -> None:
    """Check the loaded encoders of columns: as many features of texts as there are names and numbers for.

    Raises
    ------
    DamagedStateError
    """
    for j, (_, part) in enumerate(parts):
        check_kind(part, f"{name}[{j}]", (Times, Places, Categories, Numbers, Texts))
        if isinstance(part, Texts):
            check_width(part.n_features, f"{name}[{j}].n_features")


def _distinct_texts(column: Column) -> tuple[list[str], NDArray[np.int64]]:
    number: dict[str, int] = {}
    texts = column_texts(column)
    inverse = [-1 if text is None else number.setdefault(text, len(number)) for text in texts]
    return list(number), np.array(inverse, dtype=np.int64)


def _fit_scaler(scaler: StandardScaler, values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore"):  # a column may be missing altogether
        return _zero_where_missing(scaler.fit_transform(values))


def _zero_where_missing(scaled: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.nan_to_num(scaled, copy=False, nan=0.0).astype(np.float32)
