"""What the transformers that read rows as text have in common."""

from collections.abc import Iterable
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from skrec.utils import PersistenceMixin, Text, as_text


class TextTransformer(PersistenceMixin, TransformerMixin, BaseEstimator):
    """A transformer that writes out rows as text, numbers included."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = True  # numbers are written out as text
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def plain_texts(texts: Iterable[Any]) -> list[Text]:
    """A list of texts, with None for what is missing.

    Raises
    ------
    TypeError
        If ``texts`` is one text, or no list.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of texts; got one text: write [{texts!r:.60}].")
    if not isinstance(texts, Iterable):
        raise TypeError(f"texts must be a list of texts; got {texts!r:.60}.")
    return [as_text(text) for text in texts]
