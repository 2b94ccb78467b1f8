"""A user as a text, written from their history."""

from collections import Counter
from numbers import Integral
from typing import Any, ClassVar

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skrec._columns import factorize
from skrec._features import as_unique_ids
from skrec._histories import Histories
from skrec._ids import IdIndex
from skrec._persistence import PersistenceMixin
from skrec.feature_extraction._context_table import EventColumns, join
from skrec.feature_extraction._encoding import encode_column
from skrec.feature_extraction._rendering import Text, as_text, table_cells, template_fields, write_rows
from skrec.interactions import EventTable, read_events, read_features

_LISTS = (list, tuple, set, frozenset, np.ndarray)


class UserProfileText(
    PersistenceMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Write a text about each user from what they chose.

    Events come in, a table for ``user_features`` goes out: one row a user, in order of first appearance, with
    the id and the text; an :class:`~skrec.feature_extraction.LLMTextEmbedder` as ``user_encoder`` reads it.

    Unlike most transformers it returns one row a user, and not one a row of X. To score a recommender with
    profiles, write them from the training events alone.

    Parameters
    ----------
    template : str, default="Chose, latest first: {items}."
        Wording of a profile. Fields are ``{items}``, the latest ones as ``item_template`` writes them;
        ``{n_events}``; ``{user}``, the id; and any column of ``item_features``, for its most frequent values
        in the history (a list in a cell counts as its members).
    item_template : str, default=None
        Wording of an item, by columns of ``item_features``, as in ``"{title} ({year})"``. None writes
        all columns as ``"title: …; genres: …"``, or the only one bare.
    max_items : int, default=20
        Most items written out; of an item chosen twice, the last time counts.
    max_values : int, default=5
        Most values of a column; ties go to the later ones.
    text_encoder : transformer, default=None
        Replaces the text by its vector, one float32 column a number. None leaves the text.

    Attributes
    ----------
    text_encoder_ : transformer or None
        The fitted encoder.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.feature_extraction import UserProfileText
    >>> X = pd.DataFrame({"user": ["ann", "bob", "ann"], "item": [1, 2, 2], "timestamp": [10, 20, 30]})
    >>> books = pd.DataFrame({"item": [1, 2], "title": ["Emma", "Dracula"], "genre": ["novel", "horror"]})
    >>> writer = UserProfileText("Likes {genre}. Read {items}.", item_template="{title}")
    >>> writer.fit_transform(X, item_features=books)["profile"].tolist()
    ['Likes horror, novel. Read Dracula, Emma.', 'Likes horror. Read Dracula.']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "template": [str],
        "item_template": [str, None],
        "max_items": [Interval(Integral, 1, None, closed="left")],
        "max_values": [Interval(Integral, 1, None, closed="left")],
        "text_encoder": [HasMethods(["fit_transform", "transform"]), None],
    }
    __metadata_request__fit: ClassVar = {"item_features": True}

    def __init__(
        self,
        template: str = "Chose, latest first: {items}.",
        *,
        item_template: str | None = None,
        max_items: int = 20,
        max_values: int = 5,
        text_encoder: Any = None,
    ) -> None:
        self.template = template
        self.item_template = item_template
        self.max_items = max_items
        self.max_values = max_values
        self.text_encoder = text_encoder

    def fit(self, X: Any, y: Any = None, *, item_features: Any = None) -> "UserProfileText":
        """Keep what there is to say about items.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id; a frame column named ``timestamp`` gives the order, else the rows do.
        y : None
            Ignored.
        item_features : frame, pair (ids, matrix) or FeatureTable, default=None
            One row an item. Without it, items are written as their ids; an item without a row is passed over.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a template names a field that there is not.
        """
        self.fit_transform(X, item_features=item_features)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None, *, item_features: Any = None) -> Any:
        """Fit, and write the profiles of the users of X.

        Parameters
        ----------
        X, y, item_features
            As in :meth:`fit`.

        Returns
        -------
        frame or ndarray of shape (n_users, n_features_out)
        """
        events = read_events(X, estimator=self, reset=True)
        self._read_items(item_features)
        users, texts = self._profiles(X, events)
        self.text_encoder_ = None if self.text_encoder is None else clone(self.text_encoder)
        return self._join(users, texts, fit=True)

    def transform(self, X: Any) -> Any:
        """Write the profiles of the users of X.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        frame or ndarray of shape (n_users, n_features_out)
            The kind of table that X is, or that ``set_output`` chose. The user id comes first; a user of whom
            there is nothing to say has None, or a vector of zeros. Rows of pandas have the label of the first
            event of the user.
        """
        check_is_fitted(self)
        users, texts = self._profiles(X, read_events(X, estimator=self, reset=False))
        return self._join(users, texts, fit=False)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the columns that come out.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, where it had none.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        user = _check_feature_names_in(self, input_features)[:1].tolist()
        return np.asarray(user + self._profile_names, dtype=object)

    def set_output(self, *, transform: str | None = None) -> "UserProfileText":
        """Choose the kind of table that comes out.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None
            "default" is the kind that went in; None changes nothing.

        Returns
        -------
        self : object
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = True  # ids are written out as text
        tags.transformer_tags.preserves_dtype = []
        return tags

    # Items -----------------------------------------------------------------------------------------------

    def _read_items(self, item_features: Any) -> None:
        """One text an item, and the values of the columns that the template names."""
        named = {field for _, field in template_fields(self.template) if field is not None}
        columns: dict[str, list[Any]] = {}
        self._items: IdIndex | None = None
        self._item_texts: list[Text] = []
        if item_features is not None:
            features = read_features(item_features, "item_features")
            self._items = IdIndex(as_unique_ids(features))
            columns = table_cells(features.values)
            written = {name: [as_text(cell) for cell in cells] for name, cells in columns.items()}
            self._item_texts = write_rows(written, self.item_template)
        unknown = named - {"items", "n_events", "user"} - set(columns)
        if unknown:
            raise ValueError(
                f"template={self.template!r} names {sorted(unknown)}; the fields are items, n_events, user, and the "
                f"columns of item_features: {list(columns)}."
            )
        self._values = {name: [_members(cell) for cell in columns[name]] for name in named & set(columns)}

    # Profiles --------------------------------------------------------------------------------------------

    def _profiles(self, X: Any, events: EventTable) -> tuple[Any, list[Text]]:
        """User ids as they stand in X, in order of first appearance, and their texts."""
        uniques, codes = factorize(events.users, "user ids")
        first = np.full(len(uniques), len(codes))
        np.minimum.at(first, codes, np.arange(len(codes)))
        order = np.argsort(first)
        row_of_user = np.empty(len(order), np.int64)
        row_of_user[order] = np.arange(len(order))
        if self._items is None:
            ids, items = factorize(events.items, "item ids")
            texts = [as_text(item) for item in ids.tolist()]
        else:
            items, texts = self._items.codes(events.items, "item ids"), self._item_texts
        at = np.arange(len(codes)) if events.timestamp is None else np.argsort(events.timestamp, kind="stable")
        at = at[items[at] >= 0]
        told = Histories.group(row_of_user[codes[at]], items[at], np.ones(len(at)), None, len(uniques))
        lengths = np.bincount(row_of_user[codes], minlength=len(uniques))
        written = self._write(told, uniques[order].tolist(), lengths.tolist(), texts)
        return _rows_of_first_column(X, first[order]), written

    def _write(self, told: Histories, users: list, lengths: list[int], texts: list[Text]) -> list[Text]:
        histories = [told.items[a:b][::-1].tolist() for a, b in zip(told.indptr[:-1], told.indptr[1:], strict=True)]
        fields: dict[str, list[Text]] = {
            "items": [self._listed(list(dict.fromkeys(latest)), texts) for latest in histories],
            "n_events": [str(length) for length in lengths],
            "user": [as_text(user) for user in users],
        }
        for name, values in self._values.items():
            fields[name] = [self._most_frequent(latest, values) for latest in histories]
        written = write_rows(fields, self.template)
        return [text if latest else None for text, latest in zip(written, histories, strict=True)]

    def _listed(self, latest: list[int], texts: list[Text]) -> Text:
        return ", ".join(text for item in latest[: self.max_items] if (text := texts[item])) or None

    def _most_frequent(self, latest: list[int], values: list[list[str]]) -> Text:
        counts = Counter(value for item in latest for value in values[item])
        return ", ".join(value for value, _ in counts.most_common(self.max_values)) or None

    def _join(self, users: Any, texts: list[Text], *, fit: bool) -> Any:
        config = _get_output_config("transform", self)["dense"]
        body: NDArray = np.empty((len(texts), 1), dtype=object)
        body[:, 0] = texts
        if self.text_encoder_ is not None:
            body = self._vectors(texts, fit=fit)
        if fit:
            width = body.shape[1]
            one = self.text_encoder_ is None
            self._profile_names = ["profile"] if one else [f"profile_{j}" for j in range(width)]
        names = getattr(self, "feature_names_in_", ["x0"])
        table = EventColumns(users, [str(names[0])], None, {})
        return join(table, body, self._profile_names, None if config == "default" else config)

    def _vectors(self, texts: list[Text], *, fit: bool) -> NDArray[np.float32]:
        told = [text for text in texts if text is not None]
        if not told:
            if fit:
                raise ValueError("No user has an item with a text to be embedded; item_features must cover some of X.")
            return np.zeros((len(texts), len(self._profile_names)), np.float32)
        vectors = encode_column(self.text_encoder_, told, "profiles", fit=fit)
        spread = np.zeros((len(texts), vectors.shape[1]), np.float32)
        known = [row for row, text in enumerate(texts) if text is not None]
        spread[known] = vectors.toarray() if isinstance(vectors, sp.csr_array) else vectors
        return spread


def _rows_of_first_column(X: Any, rows: NDArray[np.int64]) -> Any:
    """The user ids of some rows, as a table of one column of the kind of X."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        position = next(j for j, name in enumerate(frame.columns) if name != "timestamp")
        return frame[rows.tolist(), [position]]
    return np.asarray(read_events(X).users)[rows][:, None]


def _members(cell: Any) -> list[str]:
    cells = list(cell) if isinstance(cell, _LISTS) else [cell]
    return [text for member in cells if (text := as_text(member)) is not None]
