"""A tiny deterministic text encoder, for tests and examples that should load no model."""

import zlib
from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from skrec.utils import Tokenizer, WordPattern, WordSplitter

_TOKEN = WordPattern(r"\w+")
_MOST_FEATURES = 1 << 16
_SPLITTER = WordSplitter(use_libraries=False)
"""Gives the same words in every process."""


class HashingTextEncoder:
    """Encode texts as a signed, normalised bag of hashed words.

    This is not a language model: it knows which words two texts share and nothing of what they mean. It
    needs no weights, takes microseconds a text and gives the same vectors in every process, which makes it
    the encoder of tests, of doctests and of the estimator checks.

    Parameters
    ----------
    n_features : int, default=32
        Length of the vectors, 65,536 at most.
    tokenizer : callable, default=None
        From a text, in lower case, to its words. None takes the words between spaces and marks, and pairs of
        neighbouring signs in scripts without spaces.

    Attributes
    ----------
    fingerprint : str or None
        Names the function that is computed, so that its vectors can be cached on disk; None with a tokenizer.

    See Also
    --------
    sklearn.feature_extraction.text.HashingVectorizer : The sparse transformer, with n-grams and more.

    Examples
    --------
    >>> from skrec.feature_extraction import HashingTextEncoder
    >>> vectors = HashingTextEncoder(n_features=8).encode(["a quiet film", "A quiet film!"])
    >>> vectors.shape, bool((vectors[0] == vectors[1]).all())
    ((2, 8), True)
    """

    def __init__(self, n_features: int = 32, *, tokenizer: Tokenizer | None = None) -> None:
        self.n_features = n_features
        self.tokenizer = tokenizer

    @property
    def fingerprint(self) -> str | None:
        return None if self.tokenizer is not None else f"hashing-text-encoder-2-{self.n_features}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts.

        Parameters
        ----------
        texts : sequence of str of length n

        Returns
        -------
        ndarray of shape (n, n_features), float32
            Rows of length 1; a text without a word gives a row of zeros.

        Raises
        ------
        ValueError
            If ``n_features`` is no whole number from 1 to 65,536.
        """
        n = self.n_features
        if isinstance(n, bool) or not isinstance(n, Integral) or not 1 <= n <= _MOST_FEATURES:
            raise ValueError(
                f"HashingTextEncoder(n_features={n!r}): expected a whole number from 1 to {_MOST_FEATURES}."
            )
        vectors: NDArray[np.float32] = np.zeros((len(texts), self.n_features), dtype=np.float32)
        splitter = _SPLITTER if self.tokenizer is None else WordSplitter(self.tokenizer)
        for row, text in zip(vectors, texts, strict=True):
            for token in splitter.words(text.lower(), _TOKEN):
                # The low bit is the sign, the rest the column: independent, so collisions cancel on average.
                code = zlib.crc32(token.encode("utf-8", "replace"))
                row[(code >> 1) % self.n_features] += 1 if code & 1 else -1
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(norms > 0, norms, 1)
        return vectors

    def __repr__(self) -> str:
        return f"HashingTextEncoder(n_features={self.n_features})"
