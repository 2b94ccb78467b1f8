"""Missing texts of items, written from the other columns of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skrec.feature_extraction._reading import read_table, used_columns
from skrec.feature_extraction._text_transformer import TextTransformer
from skrec.feature_extraction._written_texts import LanguageModel, WrittenTextsMixin
from skrec.interactions import Table
from skrec.utils import Matrix, Text, Transformer, as_object_array, check_width, column_texts, fit_context, write_rows

if TYPE_CHECKING:
    from skrec._chat import TextWriter, Usage


def _encoder_has(name: str) -> Any:
    def check(enricher: ItemTextEnricher) -> bool:
        return hasattr(getattr(enricher, "text_encoder_", None) or enricher.text_encoder, name)

    return check


class ItemTextEnricher(WrittenTextsMixin, TextTransformer):
    """Fill in missing descriptions, or missing tags, from the other columns of an item.

    The table is returned with the column ``target`` filled, or added. A language model writes what is missing.
    Without a model, or where it gives no usable answer, the other columns are written out instead, so that every
    row has a text. As a step before :class:`~skrec.feature_extraction.LLMTextEmbedder` it makes rows
    with little text comparable to those with much.

    No text is requested twice: it is kept with the estimator by everything that decides it, so that a later call,
    or a later ``fit`` on a longer table, asks only for new and changed rows. A client with a ``cache`` also keeps
    it for other estimators.

    Parameters
    ----------
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to text. None writes out the other columns.
    target : str, default="description"
        The column to fill. One that X lacks is added; then every row gets a text. In an array, columns are
        called x0, x1 and so on.
    kind : {"description", "tags"}, default="description"
        Sentences, or a list with commas.
    columns : sequence of str, default=None
        The columns to write from; by default all but ``target``. The model sees these columns: name them if X
        contains an id.
    template : str, default=None
        Wording of the other columns instead, such as ``"{title} by {author}"``.
    language : str, default=None
        Of what is written, as in "German"; None is that of the row.
    max_words : int, default=60
        Most words, or tags, that the model is asked for.
    max_chars : int, default=1000
        Characters of a cell that the model is shown.
    max_tokens : int, default=256
        Most tokens of an answer. One that is cut off there is not used.
    prompt : str, default=None
        Another prompt: a system message, a line ``---``, and a template with ``{item}``, and ``{target}``,
        ``{language}`` and ``{max_words}`` where wanted. A template alone keeps the system message. None is the
        file ``item_KIND-v1.txt`` of :mod:`skrec.llm`.
    text_encoder : transformer, default=None
        Replaces the filled table by what this makes of it, as a pipeline would.

    Attributes
    ----------
    report_ : dict
        Of the last fit: ``n_rows``, of which ``n_kept`` had a text and ``n_unknown`` are empty; ``n_written`` texts
        of this call and ``n_reused`` of earlier ones; ``n_failed`` rows that show the other columns instead;
        ``n_cached`` answers; ``n_cut`` cells; ``usage``, ``errors`` and ``prompts``. It contains no text of an item.
    text_encoder_ : transformer or None
        The fitted encoder.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Names of the columns of X, where it had some.

    See Also
    --------
    UserProfileText : A text about each user.

    Notes
    -----
    A model may make things up. Use what it writes to find and compare items, and read it before you show it. The
    other columns are marked in the prompt as data, so that no text in them is read as an instruction.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.feature_extraction import ItemTextEnricher
    >>> books = pd.DataFrame({"title": ["Emma", "Dracula"], "description": ["A matchmaker errs.", None]})
    >>> def model(messages):  # stands for a language model
    ...     return "A count from Transylvania comes to England."
    >>> enricher = ItemTextEnricher(model)
    >>> enricher.estimate_cost(books).n_calls
    1
    >>> enricher.fit_transform(books)["description"].tolist()
    ['A matchmaker errs.', 'A count from Transylvania comes to England.']
    >>> enricher.report_["n_written"], enricher.transform(books)["description"][1] is None
    (1, False)

    Without a model:

    >>> ItemTextEnricher(template="A book called {title}").fit_transform(books)["description"][1]
    'A book called Dracula'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "llm": [callable, HasMethods("complete"), None],
        "target": [str],
        "kind": [StrOptions({"description", "tags"})],
        "columns": ["array-like", None],
        "template": [str, None],
        "language": [str, None],
        "max_words": [Interval(Integral, 1, None, closed="left")],
        "max_chars": [Interval(Integral, 20, None, closed="left")],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "prompt": [str, None],
        "text_encoder": [HasMethods(["fit_transform", "transform"]), None],
    }

    def __init__(
        self,
        llm: LanguageModel | None = None,
        *,
        target: str = "description",
        kind: str = "description",
        columns: Sequence[str] | None = None,
        template: str | None = None,
        language: str | None = None,
        max_words: int = 60,
        max_chars: int = 1000,
        max_tokens: int = 256,
        prompt: str | None = None,
        text_encoder: Transformer | None = None,
    ) -> None:
        self.llm = llm
        self.target = target
        self.kind = kind
        self.columns = columns
        self.template = template
        self.language = language
        self.max_words = max_words
        self.max_chars = max_chars
        self.max_tokens = max_tokens
        self.prompt = prompt
        self.text_encoder = text_encoder

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec._chat import repeat_data
        from skrec.feature_extraction._hashing import HashingTextEncoder
        from skrec.feature_extraction._text_embedder import LLMTextEmbedder

        return [cls(repeat_data, text_encoder=LLMTextEmbedder(model=HashingTextEncoder()))]

    def fit(self, X: Table, y: Any = None) -> Self:
        """Check the table and the model, and write what X lacks.

        Parameters
        ----------
        X : array-like or frame
            The item table without its id: a frame, an array of shape (n_items, n_columns), or a list of texts.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        self.fit_transform(X)
        return self

    @fit_context(prefer_skip_nested_validation=True, restore_on_failure=True)
    def fit_transform(self, X: Table, y: Any = None) -> Any:
        """Fit, and fill the table.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.

        Returns
        -------
        table of shape (n_items, n_features_out)
            As of :meth:`transform`.

        Raises
        ------
        ValueError
            If ``columns``, ``template`` or ``prompt`` name an unknown column or field, or X has no other column.
        TypeError
            If ``llm`` is no model.
        """
        table = read_table(self, X, reset=True)
        self._names = list(table)
        # What an earlier fit wrote is found by all that decides it; what this table has no use for goes.
        filled, self.report_ = self._fill(X, table, forget=True)
        self.text_encoder_ = None if self.text_encoder is None else clone(self.text_encoder)
        if self.text_encoder_ is None:
            return filled
        vectors = self.text_encoder_.fit_transform(filled)
        self._n_vectors = vectors.shape[1]
        return vectors

    def transform(self, X: Table, *, return_report: bool = False) -> Any:
        """Fill a table, asking for what is new in it.

        Parameters
        ----------
        X : array-like or frame
            As in :meth:`fit`, with the same columns.
        return_report : bool, default=False
            Also return what ``report_`` is of the fit, of this call.

        Returns
        -------
        table of shape (n_items, n_features_out)
            The kind of table that X is; an array for a list. An empty row keeps a missing ``target``.
            With ``text_encoder``, its vectors.
        report : dict
            With ``return_report``.

        Warns
        -----
        LanguageModelWarning
            If the model gave no usable answer.
        """
        check_is_fitted(self)
        filled, report = self._fill(X, read_table(self, X, reset=False), forget=False)
        made = filled if self.text_encoder_ is None else self.text_encoder_.transform(filled)
        return (made, report) if return_report else made

    def estimate_cost(self, X: Table) -> Usage:
        """What filling a table would take at most, without asking the model.

        Parameters
        ----------
        X : array-like or frame
            As in :meth:`fit`; the estimator need not be fitted.

        Returns
        -------
        skrec.llm.Usage
            ``n_calls`` for what neither this estimator nor the cache of the client has; about as many
            ``prompt_tokens``; ``completion_tokens``, ``max_tokens`` for each; ``cost``, by the ``prices`` of the
            client.
        """
        self._validate_params()
        _, facts, _, missing = self._read(read_table(clone(self), X, reset=True))
        return self._estimate(self._writer(), [facts[row] for row in missing if facts[row]])

    @available_if(_encoder_has("encode"))
    def encode(self, texts: Iterable[str]) -> Matrix:
        """Vectors of plain texts by ``text_encoder``, for ``search``.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        matrix of shape (n_texts, n_features_out)
        """
        check_is_fitted(self)
        encoder: Any = self.text_encoder_
        return encoder.encode(texts)

    @available_if(_encoder_has("encode_query"))
    def encode_query(self, texts: Iterable[str]) -> Matrix:
        """As :meth:`encode`, for what is searched for.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        matrix of shape (n_texts, n_features_out)
        """
        check_is_fitted(self)
        encoder: Any = self.text_encoder_
        return encoder.encode_query(texts)

    @property
    def fills_rows(self) -> bool:
        """Whether a pipeline that reads a free text has to skip this step."""
        return self.text_encoder is None

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
        names = _check_feature_names_in(self, input_features).tolist()
        if self.text_encoder_ is not None:
            names = [f"{self.target}_{j}" for j in range(self._n_vectors)]
        elif self.target not in self._names:
            names = [*names, self.target]
        return np.asarray(names, dtype=object)

    def _check_state(self) -> None:
        super()._check_state()
        if "_n_vectors" in vars(self):
            check_width(self._n_vectors, "_n_vectors")

    # Rows ------------------------------------------------------------------------------------------------

    def _fill(self, X: Any, table: dict[str, Any], *, forget: bool) -> tuple[Any, dict[str, Any]]:
        """X with the column ``target`` filled, and what was done."""
        texts, facts, fallback, missing = self._read(table)
        writer, asked = self._writer(), [row for row in missing if facts[row]]
        counts: dict[str, Any] = {"n_rows": len(texts), "n_kept": len(texts) - len(missing)}
        counts["n_unknown"] = len(missing) - len(asked)
        kept: dict[str, str] = {}
        for row in missing:
            texts[row] = fallback[row]
        if writer is not None:
            written, kept, report = writer.write([facts[row] for row in asked], self._written)
            counts = report | counts
            for row, text in zip(asked, written, strict=True):
                texts[row] = text or fallback[row]
        self._remember(kept, forget=forget)
        return _with_column(X, table, self.target, texts), counts

    def _read(self, table: dict[str, Any]) -> tuple[list[Text], list[list[str]], list[Text], list[int]]:
        """Texts of ``target``; facts of each row, and the same as one text; rows without a text."""
        used = [name for name in used_columns(self, list(table)) if name != self.target]
        if not used:
            raise ValueError(
                f"There is nothing to write {self.target!r} from: X has the columns {list(table)}; pass a table with "
                "others, and name those to be read in columns or template."
            )
        cells = {name: column_texts(table[name]) for name in used}
        fallback = write_rows(cells, self.template)
        n_rows = len(fallback)
        if self.template is not None:
            facts = [[text] if text else [] for text in fallback]
        else:
            facts = [
                [f"{name}: {text}" for name, texts in cells.items() if (text := texts[row])] for row in range(n_rows)
            ]
        texts = column_texts(table[self.target]) if self.target in table else [None] * n_rows
        return list(texts), facts, fallback, [row for row, text in enumerate(texts) if text is None]

    def _writer(self) -> TextWriter | None:
        return self._make_writer(f"item_{self.kind}-v1", "item", as_list=self.kind == "tags", target=self.target)


def _with_column(X: Any, table: dict[str, Any], name: str, texts: list[Text]) -> Any:
    """X with a column of texts in its place or, where there is none, behind the others."""
    frame = nw.from_native(as_object_array(X) if isinstance(X, list | tuple) else X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        column = nw.new_series(name, texts, nw.String(), backend=frame.implementation)
        if frame.implementation.is_pandas():
            column.to_native().index = frame.to_native().index  # or rows would be matched by their labels
        return frame.with_columns(column).to_native()
    columns = {**table, name: texts}
    array = np.empty((len(texts), len(columns)), dtype=object)
    for j, values in enumerate(columns.values()):
        array[:, j] = list(values)
    return array
