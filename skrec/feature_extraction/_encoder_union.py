"""Vectors of several text encoders side by side, each with the same say."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, clone
from sklearn.pipeline import _name_estimators
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from skrec.feature_extraction._ngrams import NgramTextEncoder
from skrec.feature_extraction._reading import read_texts
from skrec.feature_extraction._text_embedder import LLMTextEmbedder
from skrec.feature_extraction._text_transformer import TextTransformer, plain_texts
from skrec.interactions import Table
from skrec.utils import Text, Transformer, check_array, check_kind, check_number, fit_context, plain_output


class TextEncoderUnion(ClassNamePrefixFeaturesOutMixin, TextTransformer):
    """Put the vectors of several text encoders side by side.

    What a language model makes of a text and which words it shares with others find different things: side by side they
    find more than either. Each encoder's vectors are centred, since those of language models share a large
    common part, and scaled to length 1, so that each has the same say; a whole row has length 1.

    It stands wherever an :class:`LLMTextEmbedder` does, and is what ``item_encoder="auto"`` makes of texts that the
    installed model reads.

    Parameters
    ----------
    encoders : sequence of transformers, default=None
        Each reads a list of texts. None is ``[LLMTextEmbedder(), NgramTextEncoder()]``.
    columns : sequence of str, default=None
        The columns of X to write out; all by default.
    template : str, default=None
        Wording of a row, such as ``"{title} by {author}"``, as in :class:`LLMTextEmbedder`.

    Attributes
    ----------
    encoders_ : list of transformers
        Fitted.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names, where X had names.
    n_features_out_ : int
        Length of a whole row.

    See Also
    --------
    sklearn.pipeline.FeatureUnion : Neither centres nor scales, and reads a search as it does an item.

    Examples
    --------
    ``TextEncoderUnion()`` takes a real model; here a stand-in that needs no weights:

    >>> from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, NgramTextEncoder, TextEncoderUnion
    >>> union = TextEncoderUnion([LLMTextEmbedder(HashingTextEncoder(16)), NgramTextEncoder()])
    >>> union.fit_transform(["storms at sea", "a storm", None, "gardens"]).shape
    (4, 19)

    A search reaches the parameters of each encoder by its name:

    >>> union.set_params(ngramtextencoder__n_components=2).fit_transform(["storms at sea", "a storm", "gardens"]).shape
    (3, 18)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "encoders": ["array-like", None],
        "columns": ["array-like", None],
        "template": [str, None],
    }

    def __init__(
        self,
        encoders: Sequence[Transformer] | None = None,
        *,
        columns: Sequence[str] | None = None,
        template: str | None = None,
    ) -> None:
        self.encoders = encoders
        self.columns = columns
        self.template = template

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.feature_extraction._hashing import HashingTextEncoder

        return [cls([LLMTextEmbedder(model=HashingTextEncoder()), NgramTextEncoder(n_components=8)])]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, and those of the encoders.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list the encoders, by their class names in lower case as
            :func:`~sklearn.pipeline.make_union` names them, and their parameters.

        Returns
        -------
        dict of str to object
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for name, encoder in self._named_encoders().items():
                nested = encoder.get_params(deep=True) if hasattr(encoder, "get_params") else {}
                params |= {name: encoder, **{f"{name}__{key}": value for key, value in nested.items()}}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, encoders and their parameters.

        Parameters
        ----------
        **params
            As :meth:`get_params` names them: ``ngramtextencoder__n_components=64``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        if "encoders" in params:
            super().set_params(encoders=params.pop("encoders"))
        named, nested = self._named_encoders(), defaultdict[str, dict[str, Any]](dict)
        for key in [key for key in params if key.partition("__")[0] in named]:
            name, _, inner = key.partition("__")
            if inner:
                nested[name][inner] = params.pop(key)
            else:
                named[name] = params.pop(key)
                self.encoders = list(named.values())
        if nested and self.encoders is None:
            self.encoders = list(named.values())
        for name, values in nested.items():
            named[name].set_params(**values)
        super().set_params(**params)
        return self

    def _named_encoders(self) -> dict[str, Any]:
        """The encoders by name; none where ``fit`` would refuse them."""
        try:
            return dict(_name_estimators(self._given_encoders()))
        except TypeError:
            return {}

    def fit(self, X: Table, y: Any = None) -> Self:
        """Fit every encoder, and learn the centre of its vectors.

        Parameters
        ----------
        X : array-like or dataframe
            As in :meth:`LLMTextEmbedder.fit`: texts, or rows to be written out as text.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self.fit_transform(X)
        return self

    @fit_context(prefer_skip_nested_validation=False, restore_on_failure=True)
    @plain_output()
    def fit_transform(self, X: Table, y: Any = None) -> NDArray[np.float32]:
        """Fit and encode.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float32
        """
        texts = read_texts(self, X, reset=True)
        self.encoders_ = [clone(encoder) for encoder in self._given_encoders()]
        present = [text for text in texts if text is not None] or [""]
        blocks = [_dense(encoder.fit_transform(present)) for encoder in self.encoders_]
        self._centers = [_center(block) for block in blocks]
        self.n_features_out_ = sum(block.shape[1] for block in blocks)
        return self._spread(texts, blocks)

    @plain_output()
    def transform(self, X: Table) -> NDArray[np.float32]:
        """Encode the texts, or the rows written out as text.

        Parameters
        ----------
        X : array-like or dataframe
            As in :meth:`fit`, with the same columns.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float32
            A missing text gives a row of zeros.
        """
        check_is_fitted(self)
        return self._encode(read_texts(self, X, reset=False), ("transform",))

    @plain_output()
    def encode(self, texts: Iterable[str | None]) -> NDArray[np.float32]:
        """Encode plain texts: neither ``columns`` nor ``template`` applies.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_features_out), float32
        """
        check_is_fitted(self)
        return self._encode(plain_texts(texts), ("encode", "transform"))

    @plain_output()
    def encode_query(self, texts: Iterable[str | None]) -> NDArray[np.float32]:
        """Encode what is searched for, by each encoder's own way to do so where it has one.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_features_out), float32
        """
        check_is_fitted(self)
        return self._encode(plain_texts(texts), ("encode_query", "encode", "transform"))

    def _given_encoders(self) -> list[Any]:
        if self.encoders is None:
            return [LLMTextEmbedder(), NgramTextEncoder()]
        can_encode = HasMethods(["fit_transform", "transform"])
        wrong = [encoder for encoder in self.encoders if not can_encode.is_satisfied_by(encoder)]
        if wrong or not len(self.encoders):
            raise TypeError(
                "encoders must be transformers that read texts, such as [LLMTextEmbedder(), NgramTextEncoder()]; got "
                f"{wrong[0] if wrong else 'none'!r}."
            )
        return list(self.encoders)

    def _encode(self, texts: Sequence[Text], methods: tuple[str, ...]) -> NDArray[np.float32]:
        present = [text for text in texts if text is not None]
        if not present:
            return np.zeros((len(texts), self.n_features_out_), np.float32)
        blocks = []
        for encoder in self.encoders_:
            name = next(name for name in methods if hasattr(encoder, name))
            blocks.append(_dense(getattr(encoder, name)(present)))
        return self._spread(texts, blocks)

    def _spread(self, texts: Sequence[Text], blocks: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Centred unit rows of each block side by side, over the rows that have a text."""
        is_present = np.array([text is not None for text in texts], dtype=bool)
        rows = np.zeros((len(texts), self.n_features_out_), np.float32)
        if is_present.any():
            units = [_unit(block, center) for block, center in zip(blocks, self._centers, strict=True)]
            rows[is_present] = np.hstack(units) / np.sqrt(np.float32(len(units)))
        return rows

    @property
    def _n_features_out(self) -> int:
        return self.n_features_out_

    def _check_state(self) -> None:
        super()._check_state()
        if hasattr(self, "encoders_"):
            check_kind(self.encoders_, "encoders_", list)
            for j, center in enumerate(self._centers):
                check_array(center, f"center {j}", (None,))
            width = sum(map(len, self._centers))
            check_number(self.n_features_out_, "n_features_out_", width, width, whole=True)


def _center(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of what has a vector; zeros where all have the same, which would be its own centre."""
    vectors = vectors[vectors.any(axis=1)]
    if not len(vectors) or (vectors == vectors[0]).all():
        return np.zeros(vectors.shape[1], np.float32)
    return np.asarray(vectors.mean(axis=0), dtype=np.float32)


def _unit(vectors: NDArray[np.float32], center: NDArray[np.float32]) -> NDArray[np.float32]:
    centered = np.where(vectors.any(axis=1, keepdims=True), vectors - center, np.float32(0))
    norms = np.linalg.norm(centered, axis=1, keepdims=True)
    return np.divide(centered, norms, out=np.zeros_like(centered), where=norms > 1e-6)


def _dense(vectors: Any) -> NDArray[np.float32]:
    return np.asarray(vectors.toarray() if sp.issparse(vectors) else vectors, dtype=np.float32)
