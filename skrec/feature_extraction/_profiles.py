"""A user as a text, written from their history."""

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skrec.feature_extraction._context_table import EventColumns, join
from skrec.feature_extraction._encoding import encode_column
from skrec.feature_extraction._event_transformer import EventTransformer
from skrec.feature_extraction._profile_histories import ItemWordings, UserHistories
from skrec.feature_extraction._written_texts import LanguageModel, WrittenTextsMixin
from skrec.interactions import EventTable, FeatureSource, Table, read_events
from skrec.utils import Text, Transformer, fit_context

if TYPE_CHECKING:
    from skrec._chat import TextWriter, Usage


class UserProfileText(WrittenTextsMixin, EventTransformer):
    """Write a text about each user from what they chose, by a template or by a language model.

    Events come in, a table for ``user_features`` goes out: one row per user, in order of first appearance, with
    the id and the text; an :class:`~skrec.feature_extraction.LLMTextEmbedder` as ``user_encoder`` reads it.

    Other transformers return one row per row of X; this one returns one row per user. To score a recommender with
    profiles, write them from the training events alone.

    With ``llm``, a language model reads the texts of the latest items and writes what the user likes; where it
    gives no usable answer, the template is used. A profile is kept with the estimator by everything that decides
    it: a later call, or a later ``fit``, asks only for new users and for those whose latest items have changed.

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
        Replaces the text by its vector, in float32 columns. None leaves the text.
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to text. It reads items as ``item_template``
        writes them, and no id: without ``item_features`` it is not asked.
    language : str, default=None
        Of what the model writes, as in "German"; None is that of the items.
    max_words : int, default=60
        The most words that the model is asked for.
    max_chars : int, default=300
        Characters of an item that the model is shown.
    max_tokens : int, default=256
        Most tokens of an answer. One that is cut off there is not used.
    prompt : str, default=None
        Another prompt: a system message, a line ``---``, and a template with ``{history}``, and ``{language}`` and
        ``{max_words}`` where wanted. A template alone keeps the system message. None is the file
        ``profile-v1.txt`` of :mod:`skrec.llm`.

    Attributes
    ----------
    report_ : dict
        Of the last fit: ``n_rows``, of which ``n_unknown`` chose no item with a text. With ``llm`` also
        ``n_written`` profiles of this call and ``n_reused`` of earlier ones; ``n_failed`` users who got the template
        instead; ``n_cached`` answers; ``n_cut`` items; ``usage``, ``errors`` and ``prompts``. It contains no text of
        a user.
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

    With a language model, for which a function stands here:

    >>> writer.set_params(llm=lambda messages: "Old novels, lately dark ones.")
    UserProfileText(...)
    >>> writer.estimate_cost(X, item_features=books).n_calls
    2
    >>> writer.fit_transform(X, item_features=books)["profile"][0]
    'Old novels, lately dark ones.'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "template": [str],
        "item_template": [str, None],
        "max_items": [Interval(Integral, 1, None, closed="left")],
        "max_values": [Interval(Integral, 1, None, closed="left")],
        "text_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "llm": [callable, HasMethods("complete"), None],
        "language": [str, None],
        "max_words": [Interval(Integral, 1, None, closed="left")],
        "max_chars": [Interval(Integral, 20, None, closed="left")],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "prompt": [str, None],
    }
    __metadata_request__fit: ClassVar = {"item_features": True}

    def __init__(
        self,
        template: str = "Chose, latest first: {items}.",
        *,
        item_template: str | None = None,
        max_items: int = 20,
        max_values: int = 5,
        text_encoder: Transformer | None = None,
        llm: "LanguageModel | None" = None,
        language: str | None = None,
        max_words: int = 60,
        max_chars: int = 300,
        max_tokens: int = 256,
        prompt: str | None = None,
    ) -> None:
        self.template = template
        self.item_template = item_template
        self.max_items = max_items
        self.max_values = max_values
        self.text_encoder = text_encoder
        self.llm = llm
        self.language = language
        self.max_words = max_words
        self.max_chars = max_chars
        self.max_tokens = max_tokens
        self.prompt = prompt

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec._chat import repeat_data
        from skrec.feature_extraction._hashing import HashingTextEncoder
        from skrec.feature_extraction._text_embedder import LLMTextEmbedder

        return [
            cls(text_encoder=LLMTextEmbedder(model=HashingTextEncoder())),
            cls(llm=repeat_data, text_encoder=LLMTextEmbedder(model=HashingTextEncoder())),
        ]

    def fit(self, X: Table, y: Any = None, *, item_features: FeatureSource | None = None) -> Self:
        """Keep what there is to say about items.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id; a frame column named ``timestamp`` gives the order, else the rows do.
        y : None
            Ignored.
        item_features : frame, pair (ids, matrix) or FeatureTable, default=None
            One row per item. Without it, items are written as their ids; an item without a row is skipped.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a template names an unknown field.
        """
        self.fit_transform(X, item_features=item_features)
        return self

    @fit_context(prefer_skip_nested_validation=True, restore_on_failure=True)
    def fit_transform(self, X: Table, y: Any = None, *, item_features: FeatureSource | None = None) -> Any:
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
        self._items = ItemWordings.read(item_features, self.template, self.item_template)
        # What an earlier fit wrote is found by all that decides it; profiles of nobody in X go.
        users, texts, self.report_ = self._profiles(X, events, forget=True)
        self.text_encoder_ = None if self.text_encoder is None else clone(self.text_encoder)
        return self._join(users, texts, fit=True)

    def transform(self, X: Table, *, return_report: bool = False) -> Any:
        """Write the profiles of the users of X.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
        return_report : bool, default=False
            Also return what ``report_`` is of the fit, of this call.

        Returns
        -------
        frame or ndarray of shape (n_users, n_features_out)
            The kind of table that X is, or that ``set_output`` chose. The user id comes first; a user of whom
            there is nothing to say has None, or a vector of zeros. Rows of pandas have the label of the first
            event of the user.
        report : dict
            With ``return_report``.
        """
        check_is_fitted(self)
        events = read_events(X, estimator=self, reset=False)
        users, texts, report = self._profiles(X, events, forget=False)
        joined = self._join(users, texts, fit=False)
        return (joined, report) if return_report else joined

    def estimate_cost(self, X: Table, *, item_features: FeatureSource | None = None) -> "Usage":
        """What writing the profiles of the users of X would take at most, without asking the model.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
        item_features : frame, pair (ids, matrix) or FeatureTable, default=None
            As in :meth:`fit`; None is what was fitted.

        Returns
        -------
        skrec.llm.Usage
            ``n_calls`` for what neither this estimator nor the cache of the client has; about as many
            ``prompt_tokens``; ``completion_tokens``, ``max_tokens`` for each; ``cost``, by the ``prices`` of the
            client.
        """
        self._validate_params()
        items = getattr(self, "_items", None)
        if item_features is not None or items is None:
            items = ItemWordings.read(item_features, self.template, self.item_template)
        facts = self._facts(UserHistories.read(read_events(X, estimator=clone(self), reset=True), items), items)
        return self._estimate(self._writer(), list(filter(None, facts)))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True  # ids are written out as text
        tags.transformer_tags.preserves_dtype = []
        return tags

    # Profiles --------------------------------------------------------------------------------------------

    def _profiles(self, X: Any, events: EventTable, *, forget: bool) -> tuple[Any, list[Text], dict[str, Any]]:
        """User ids as they stand in X, in order of first appearance, their texts, and what was done."""
        read = UserHistories.read(events, self._items)
        texts = read.by_template(self.template, self.max_items, self._items.values, self.max_values)
        kept: dict[str, str] = {}
        counts: dict[str, Any] = {}
        if (writer := self._writer()) is not None:
            facts = self._facts(read, self._items)
            asked = [user for user, some in enumerate(facts) if some]
            written, kept, report = writer.write([facts[user] for user in asked], self._written)
            counts.update(report)
            for user, text in zip(asked, written, strict=True):
                texts[user] = text or texts[user]
        counts.update(n_rows=len(texts), n_unknown=sum(text is None for text in texts))
        self._remember(kept, forget=forget)
        return _rows_of_first_column(X, read.first), texts, counts

    def _facts(self, read: UserHistories, items: ItemWordings) -> list[list[str]]:
        """What a model is shown of each user: texts of items, since no id leaves."""
        return [[]] * len(read.users) if items.index is None else read.listed(self.max_items)

    def _writer(self) -> "TextWriter | None":
        return self._make_writer("profile-v1", "history")

    def _join(self, users: Any, texts: list[Text], *, fit: bool) -> Any:
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
        return join(table, body, self._profile_names, self._chosen_kind())

    def _vectors(self, texts: list[Text], *, fit: bool) -> NDArray[np.float32]:
        present = [text for text in texts if text is not None]
        if not present:
            if fit:
                raise ValueError("No user has an item with a text to be embedded; item_features must cover some of X.")
            return np.zeros((len(texts), len(self._profile_names)), np.float32)
        vectors = encode_column(self.text_encoder_, present, "profiles", fit=fit)
        spread = np.zeros((len(texts), vectors.shape[1]), np.float32)
        rows = [row for row, text in enumerate(texts) if text is not None]
        spread[rows] = vectors.toarray() if isinstance(vectors, sp.csr_array) else vectors
        return spread


def _rows_of_first_column(X: Any, rows: NDArray[np.int64]) -> Any:
    """The user ids of some rows, as a table of one column of the kind of X."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        position = next(j for j, name in enumerate(frame.columns) if name != "timestamp")
        return frame[rows.tolist(), [position]]
    return np.asarray(read_events(X).users)[rows][:, None]
