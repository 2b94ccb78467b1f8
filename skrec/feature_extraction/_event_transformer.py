"""What the transformers that read an event log have in common."""

from typing import Any, Self

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._set_output import _get_output_config

from skrec.utils import PersistenceMixin


class EventTransformer(PersistenceMixin, TransformerMixin, BaseEstimator):
    """A transformer of an event log. It returns the kind of table it reads, unless ``set_output`` chose another."""

    def __init_subclass__(cls, **options: Any) -> None:
        # scikit-learn's own wrapping of outputs knows two kinds of table, and would lose the types of ids.
        super().__init_subclass__(auto_wrap_output_keys=None, **options)

    def set_output(self, *, transform: str | None = None) -> Self:
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

    def _chosen_kind(self) -> str | None:
        """What was chosen; None is the kind that came in."""
        config: str = _get_output_config("transform", self)["dense"]
        return None if config == "default" else config

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags
