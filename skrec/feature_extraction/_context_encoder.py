"""Context columns as numbers."""

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skrec.feature_extraction._context_cells import SECONDS
from skrec.feature_extraction._context_parts import (
    CYCLES,
    Categories,
    Numbers,
    Places,
    Texts,
    Times,
    check_parts,
)
from skrec.feature_extraction._context_roles import find_roles
from skrec.feature_extraction._context_table import EventColumns, distinct_names, join
from skrec.feature_extraction._context_words import values_in_words
from skrec.feature_extraction._encoding import default_encoder
from skrec.feature_extraction._event_transformer import EventTransformer
from skrec.interactions import TIMESTAMP, Column, Table
from skrec.utils import Tokenizer, Transformer, check_width, fit_context, plain_output

_Part = Times | Places | Categories | Numbers | Texts


class ContextEncoder(EventTransformer):
    """Encode the context columns of an event log as numbers, and leave its ids alone.

    User, item and ``timestamp`` come first and unchanged; each context column after them becomes one or more
    float32 columns by what it is:

    - *date-times*: hour, weekday, month and season as points on a circle (sine and cosine);
    - *latitude and longitude*, found by names such as ``home_lat`` and ``home_lon``: the point on the sphere
      and its distances in kilometres to ``n_centers`` learned centres, standardised;
    - *categories*: one-hot, the rarest grouped above ``max_categories``. What was not in fit falls into that
      group, or is all zeros where there is none, with an :class:`~skrec.exceptions.UnseenCategoryWarning`;
    - *numbers* and booleans: standardised;
    - *free text*, which has more than two words per distinct value on average, and in scripts without spaces more
      than 14 signs, or 7 where values seldom repeat: embedded by ``text_encoder``, each distinct value once, and
      reduced to ``text_components`` by PCA.

    A missing value gives zeros, which after scaling is the mean of training; a missing category is a category
    of its own where fit had it.

    Parameters
    ----------
    roles : dict, default=None
        Roles that do not follow from the types, by column name or position in X: "datetime", "latitude" and
        "longitude" (paired in order), "category", "number", "text", or "drop".
    timestamp_features : sequence of {"hour", "weekday", "month", "season"}, default=()
        What to take from the column ``timestamp``. It must then be in X, and in the ``context`` of a
        pipeline's ``recommend``.
    datetime_features : sequence of {"hour", "weekday", "month", "season"}, default=all four
        What to take from other date-times. Seasons begin in December, March, June and September.
    time_unit : {"D", "h", "m", "s", "ms", "us", "ns"}, default="s"
        Unit of times that are numbers; they count from 1970 in UTC.
    tz : str, default=None
        Time zone of hours and weekdays, such as ``"Europe/Berlin"``; date-times without a zone are then
        taken to be in UTC. None reads date-times as they are written, and numbers in UTC.
    max_categories : int, default=30
        Most indicators per category column; None means no limit.
    n_centers : int, default=8
        Centres that distances are taken to; 0 for none.
    text_encoder : transformer, default=None
        From a column of texts to vectors; None means :class:`~skrec.feature_extraction.LLMTextEmbedder`.
    text_components : int, default=32
        Principal components kept of each text column (fewer where it has fewer distinct values); None
        keeps the vectors as they are.
    fusion : {"concat", "dense"}, default="concat"
        "dense" replaces all features by principal components of their standardised concatenation.
    n_components : int or float, default=32
        For ``fusion="dense"``: most components, or the share of variance to keep.
    random_state : int, RandomState instance or None, default=None
        Seed of centres and components.
    tokenizer : callable, default=None
        From a text to its words, which are counted to tell free text from categories. None follows the rules of
        Unicode, and the dictionaries of the extra ``cjk``.

    Attributes
    ----------
    roles_ : dict of str to str
        The role of each context column.
    text_encoders_ : dict of str to transformer
        The fitted encoder of each text column.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame with text as names.

    See Also
    --------
    skrec.pipeline.make_pipeline : Chain the encoder and a recommender.

    Notes
    -----
    Frame in, the same kind of frame out (or that of ``set_output``), ids with their types. Array in, array out:
    of floats, where the array was numeric. An integer id that a float cannot hold is then an error.

    It is built on OneHotEncoder, StandardScaler, KMeans and PCA of scikit-learn. A plain ColumnTransformer changes
    the kind of table, moves the ids or turns them into floats, and takes 5 ms for a single row.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.feature_extraction import ContextEncoder
    >>> X = pd.DataFrame({
    ...     "user": ["ann", "bob", "ann"],
    ...     "item": ["b1", "b2", "b3"],
    ...     "at": pd.to_datetime(["2024-05-01 06:00", "2024-05-01 18:00", "2024-05-04 12:00"]),
    ...     "device": ["phone", "desktop", "phone"],
    ... })
    >>> ContextEncoder(datetime_features=["hour"]).fit_transform(X).round(2)
      user item  at_hour_sin  at_hour_cos  device_desktop  device_phone
    0  ann   b1          1.0          0.0             0.0           1.0
    1  bob   b2         -1.0         -0.0             1.0           0.0
    2  ann   b3          0.0         -1.0             0.0           1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "roles": [dict, None],
        "timestamp_features": ["array-like"],
        "datetime_features": ["array-like"],
        "time_unit": [StrOptions(set(SECONDS))],
        "tz": [str, None],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "n_centers": [Interval(Integral, 0, None, closed="left")],
        "text_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "text_components": [Interval(Integral, 1, None, closed="left"), None],
        "fusion": [StrOptions({"concat", "dense"})],
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            Options(type(None), {None}),
        ],
        "random_state": ["random_state"],
        "tokenizer": [callable, None],
    }

    def __init__(
        self,
        *,
        roles: Mapping[str | int, str] | None = None,
        timestamp_features: Iterable[str] = (),
        datetime_features: Iterable[str] = CYCLES,
        time_unit: str = "s",
        tz: str | None = None,
        max_categories: int | None = 30,
        n_centers: int = 8,
        text_encoder: Transformer | None = None,
        text_components: int | None = 32,
        fusion: str = "concat",
        n_components: float | None = 32,
        random_state: int | np.random.RandomState | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self.roles = roles
        self.timestamp_features = timestamp_features
        self.datetime_features = datetime_features
        self.time_unit = time_unit
        self.tz = tz
        self.max_categories = max_categories
        self.n_centers = n_centers
        self.text_encoder = text_encoder
        self.text_components = text_components
        self.fusion = fusion
        self.n_components = n_components
        self.random_state = random_state
        self.tokenizer = tokenizer

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        return [cls(random_state=0)]

    def fit(self, X: Table, y: Any = None) -> Self:
        """Learn scales, categories, centres and components.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, then context columns; a frame column named ``timestamp`` stands anywhere.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a latitude or longitude is out of range, a number is infinite, date-times with and without a
            time zone are mixed, or ``timestamp_features`` are asked for and there is no ``timestamp``.
        """
        self.fit_transform(X)
        return self

    @fit_context(prefer_skip_nested_validation=True, restore_on_failure=True)
    def fit_transform(self, X: Table, y: Any = None) -> Any:
        """Fit and encode; each distinct text is embedded once for both.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.

        Returns
        -------
        frame or ndarray of shape (n_events, n_features_out)
        """
        self._check_times()
        events = EventColumns.read(X, self, reset=True)
        self.roles_ = find_roles(events.context, self.roles, self.tokenizer)
        self._has_timestamp = events.timestamp is not None
        self._parts = self._make_parts()
        return self._join(events, self._fit_parts(events))

    @plain_output()
    def _fit_parts(self, events: EventColumns) -> NDArray[np.float32]:
        matrices = [part.fit_transform(self._columns_of(events, inputs)) for inputs, part in self._parts]
        matrix = _concatenate(matrices, len(events))
        self._fusion: Pipeline | None = None
        if self.fusion == "dense" and matrix.shape[1]:
            n_components = self.n_components
            if isinstance(n_components, Integral):
                n_components = min(n_components, *matrix.shape)
            reduce = PCA(n_components, random_state=self.random_state)
            self._fusion = make_pipeline(StandardScaler(), reduce)
            matrix = self._fusion.fit_transform(matrix)
        return matrix

    def transform(self, X: Table) -> Any:
        """Encode.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            With the columns of fit; ``timestamp`` is needed only for ``timestamp_features``.

        Returns
        -------
        frame or ndarray of shape (n_events, n_features_out)
        """
        check_is_fitted(self)
        events = EventColumns.read(X, self, reset=False)
        return self._join(events, self._transform_parts(events))

    @plain_output()
    def _transform_parts(self, events: EventColumns) -> NDArray[np.float32]:
        matrices = [part.transform(self._columns_of(events, inputs)) for inputs, part in self._parts]
        matrix = _concatenate(matrices, len(events))
        return matrix if self._fusion is None else self._fusion.transform(matrix)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the columns that come out.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, where it had none.

        Returns
        -------
        ndarray of str
            The ids, ``timestamp`` where fit had it, and the features.
        """
        check_is_fitted(self)
        ids = _check_feature_names_in(self, input_features)[:2].tolist()
        return np.asarray(ids + [TIMESTAMP] * self._has_timestamp + self._feature_names(ids), dtype=object)

    def context_values(self, X: Table) -> dict[str, list[Any]]:
        """What the context columns hold, as an explanation names it.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            As in :meth:`transform`.

        Returns
        -------
        dict from column to list of n_events str, datetime64 or None
            Date-times in the time zone ``tz``: to the minute where hours are encoded, else to the day or the month.
            None for missing values, and for latitudes and longitudes.
        """
        check_is_fitted(self)
        events = EventColumns.read(X, self, reset=False)
        return values_in_words(
            (inputs, part, self._columns_of(events, inputs))
            for inputs, part in self._parts
            if not isinstance(part, Places)
        )

    @property
    def text_encoders_(self) -> dict[str, Any]:
        """The fitted encoder of each text column."""
        check_is_fitted(self)
        return {part.name: part.encoder for _, part in self._parts if isinstance(part, Texts)}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_state(self) -> None:
        super()._check_state()
        if "_parts" in vars(self):
            check_parts(self._parts, "_parts")
            if self._fusion is not None:
                check_width(self._fusion[-1].n_components_, "_fusion.n_components_")

    # Parts -------------------------------------------------------------------------------------------

    def _check_times(self) -> None:
        for parameter in ("timestamp_features", "datetime_features"):
            unknown = [cycle for cycle in getattr(self, parameter) if cycle not in CYCLES]
            if unknown:
                raise ValueError(f"{parameter} has {unknown[0]!r}; choose from {', '.join(CYCLES)}.")
        if self.tz is not None:
            try:
                ZoneInfo(self.tz)
            except (KeyError, ValueError):
                raise ValueError(f"tz={self.tz!r} is no time zone; pass a name such as 'Europe/Berlin'.") from None

    def _make_parts(self) -> list[tuple[list[str], _Part]]:
        """What encodes which columns, in the order that the features come out."""
        by_role: dict[str, list[str]] = {}
        for name, role in self.roles_.items():
            by_role.setdefault(role, []).append(name)
        parts: list[tuple[list[str], _Part]] = []
        if len(list(self.timestamp_features)):
            parts.append(([TIMESTAMP], Times(TIMESTAMP, self.timestamp_features, self.time_unit, self.tz)))
        for name in by_role.get("datetime", []):
            parts.append(([name], Times(name, self.datetime_features, self.time_unit, self.tz)))
        for pair in zip(by_role.get("latitude", []), by_role.get("longitude", []), strict=True):
            parts.append((list(pair), Places(*pair, self.n_centers, self.random_state)))
        for name in by_role.get("category", []):
            parts.append(([name], Categories(name, self.max_categories)))
        if "number" in by_role:
            parts.append((by_role["number"], Numbers(by_role["number"])))
        for name in by_role.get("text", []):
            parts.append(
                ([name], Texts(name, default_encoder(self.text_encoder), self.text_components, self.random_state))
            )
        return parts

    def _columns_of(self, events: EventColumns, inputs: list[str]) -> list[Column]:
        if inputs != [TIMESTAMP] or TIMESTAMP in events.context:
            return [events.context[name] for name in inputs]
        if events.timestamp is None:
            raise ValueError(
                f"timestamp_features={tuple(self.timestamp_features)} need a column named 'timestamp' in X, and in "
                "the context of recommend; add it, or pass timestamp_features=()."
            )
        return [events.timestamp]

    def _feature_names(self, ids: list[str]) -> list[str]:
        if self._fusion is not None:
            names = [f"context{j}" for j in range(self._fusion[-1].n_components_)]
        else:
            names = [name for _, part in self._parts for name in part.names]
        return distinct_names(names, taken={*ids, TIMESTAMP})

    def _join(self, events: EventColumns, matrix: NDArray) -> Any:
        names = self._feature_names([str(name) for name in events.id_names])
        return join(events, matrix.astype(np.float32, copy=False), names, self._chosen_kind())


def _concatenate(matrices: list[NDArray[np.float32]], n_events: int) -> NDArray[np.float32]:
    return np.hstack(matrices) if matrices else np.zeros((n_events, 0), np.float32)
