"""Feature tables of items and users, read the same way by ``fit`` and ``partial_fit``."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec._explain import ItemTexts
from skrec.exceptions import UnsupportedArgumentError
from skrec.interactions import (
    Features,
    IdIndex,
    as_unique_ids,
    encode_features,
    feature_names,
    ids_in_front,
    read_features,
    read_fit_features,
    warn_of_missing_rows,
)
from skrec.utils import Matrix, Tokenizer, align, check_choice, check_flag, check_kind, check_number, unwrap_recommender


def read_encoder(encoder: Any) -> Any:
    """The encoder of a parameter: ``"auto"`` encodes each column by its type."""
    if not (isinstance(encoder, str) and encoder == "auto"):
        return encoder
    from skrec.feature_extraction import TableEncoder

    return TableEncoder()


def _tokenizer_of(encoder: Any) -> Tokenizer | None:
    """The tokenizer of an encoder of this library; elsewhere an attribute of this name may be another thing."""
    return getattr(encoder, "tokenizer", None) if type(encoder).__module__.startswith("skrec.") else None


@dataclass(frozen=True)
class FeatureSide:
    """What a model keeps of the feature table of its items, or of its users.

    Attributes
    ----------
    name : "item" or "user"
    is_used : bool
        Whether the model has an encoder parameter for this side; otherwise only the ids of the table count.
    encoder : transformer or None
        Fitted.
    n_features : int or None
        Columns of the encoded table; None where ``fit`` got no table, or the model does not use it.
    id_name : str or None
        Name of the id column in the X of ``fit``.
    id_column : str or None
        Name of the id column in the table of ``fit``, where that was a frame.
    columns : tuple of str or None
        Names of its other columns.
    """

    name: str
    is_used: bool = False
    encoder: Any = None
    n_features: int | None = None
    id_name: str | None = None
    id_column: str | None = None
    columns: tuple[str, ...] | None = None

    @property
    def argument(self) -> str:
        """Name of the argument that takes the table."""
        return f"{self.name}_features"

    @classmethod
    def fit(
        cls,
        name: str,
        table: Any,
        index: IdIndex,
        n_events: int,
        *,
        is_used: bool,
        encoder: Any,
        id_name: str | None = None,
    ) -> SideTable:
        """Read the table of ``fit`` and fit the encoder to it.

        Ids that only the table has join the catalogue of every model.
        """
        side = cls(name, is_used, id_name=id_name)
        if table is None:
            return SideTable(side, index)
        features, index, n_missing = read_fit_features(table, side.argument, index, n_events, id_name)
        if not is_used:
            return SideTable(side, index, features)
        warn_of_missing_rows(n_missing, side.argument)
        matrix, fitted = encode_features(features, read_encoder(encoder), side.argument, fit=True)
        names = feature_names(features)
        side = cls(name, True, fitted, matrix.shape[1], id_name, names[0] if names else None, names[1:] or None)
        return SideTable(side, index, features, matrix)

    def read(self, table: Any, index: IdIndex) -> SideTable:
        """Read a table of ``partial_fit``, encoded by the encoder that was fitted before.

        Raises
        ------
        ValueError
            If ``fit`` got no such table, or one of another width.
        """
        if table is None:
            return SideTable(self, index)
        features = self.split(table, index)
        index = index.extended(as_unique_ids(features))
        if not self.is_used:
            return SideTable(self, index, features)
        if self.n_features is None:
            raise UnsupportedArgumentError(
                f"{self.argument} was not given to fit, so partial_fit cannot use it; call fit with {self.argument}.",
                self.argument,
            )
        return SideTable(self, index, features, self.encode(features))

    def split(self, table: Any, index: IdIndex) -> Features:
        """Ids and values of a later table, with its ids where ``fit`` had them, or found by name."""
        table = ids_in_front(table, self.argument, index, self.id_name, known_as=self.id_column)
        return read_features(table, self.argument)

    def encode(self, features: Features) -> Matrix:
        """Rows of a later table by the encoder that was fitted before.

        Raises
        ------
        ValueError
            If the columns are not those of ``fit``.
        """
        names = feature_names(features)[1:]
        if names and self.columns and names != self.columns:
            features = self._in_fitted_order(features, names)
        matrix, _ = encode_features(features, self.encoder, self.argument, fit=False)
        if matrix.shape[1] != self.n_features:
            raise ValueError(
                f"{self.argument} has {matrix.shape[1]} feature columns, but fit had {self.n_features}; pass the "
                "columns of fit."
            )
        return matrix

    def _in_fitted_order(self, features: Features, names: tuple[str, ...]) -> Features:
        assert self.columns is not None
        if set(names) == set(self.columns):
            frame = nw.from_native(features.values, eager_only=True)
            order = [names.index(name) for name in self.columns]
            return Features(features.ids, frame[:, order].to_native(), features.is_bare_frame)
        if self.encoder is None and len(names) == len(self.columns):
            raise ValueError(
                f"{self.argument} has the feature columns {list(names)}, and those of fit were {list(self.columns)}; "
                "pass the columns of fit."
            )
        return features  # an encoder may need some of them only; it says what is missing


def uses_features(recommender: Any, side: str) -> bool:
    """Whether a fitted recommender, or one inside of it, has learned from the features of users or of items.

    Parameters
    ----------
    recommender : fitted recommender
        In a pipeline, a search, a wrapper or a composite, too. One that is not of this library has learned from them
        if its ``user_encoder_`` (``item_encoder_``) is not None.
    side : {"item", "user"}
    """
    inner = unwrap_recommender(recommender)
    parts = getattr(inner, "named_recommenders_", None)
    if parts is not None:
        return any(uses_features(part, side) for part in parts.values())
    wrapped = getattr(inner, "recommender_", None)
    if wrapped is not None:
        return uses_features(wrapped, side)
    kept = vars(inner).get(f"_{side}_side")
    if isinstance(kept, FeatureSide):
        return kept.n_features is not None
    return getattr(inner, f"{side}_encoder_", None) is not None


def check_side(value: object, name: str) -> None:
    """Check what a loaded model keeps of a feature table.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, FeatureSide)
    assert isinstance(value, FeatureSide)
    check_choice(value.name, f"{name}.name", ("item", "user"))
    check_flag(value.is_used, f"{name}.is_used")
    check_kind(value.id_name, f"{name}.id_name", (str, NoneType))
    if value.n_features is not None:
        check_number(value.n_features, f"{name}.n_features", 0, whole=True)


@dataclass(frozen=True)
class SideTable:
    """One feature table as read beside the events of ``fit`` or ``partial_fit``.

    Attributes
    ----------
    side : FeatureSide
    index : IdIndex
        The catalogue, with the new ids of the table behind those of the events.
    features : Features or None
        The table as given, None where there is none.
    encoded : matrix or None
        Its rows, encoded, in the order of the table.
    """

    side: FeatureSide
    index: IdIndex
    features: Features | None = None
    encoded: Matrix | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Codes that the rows of the table stand for."""
        assert self.features is not None
        return self.index.codes(self.features.ids, self.side.argument)

    @property
    def matrix(self) -> Matrix | None:
        """Encoded rows in catalogue order, zero rows for ids without one; None where the model uses no table."""
        return None if self.encoded is None else align(self.encoded, self.rows, len(self.index))

    def texts(self, known: ItemTexts | None = None) -> ItemTexts | None:
        """Names and texts of the catalogue: ``known`` ones, replaced where the table has later ones."""
        n_items = len(self.index)
        if self.features is None:
            return None if known is None else known.grown(n_items)
        rows = self.rows
        later = ItemTexts.read(self.features, rows, n_items, _tokenizer_of(self.side.encoder))
        if known is None or later is None:
            return later if known is None else known.grown(n_items)
        return known.grown(n_items).replaced(later, rows)
