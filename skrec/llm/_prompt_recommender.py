"""What the wrappers have in common that show texts of users and items to a language model."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from skrec.base import MetaRecommender, uses_features
from skrec.exceptions import FeatureCoverageWarning
from skrec.llm._row_texts import RowTexts, check_row_texts
from skrec.utils import caller_level, template_fields

PROMPT_CONSTRAINTS: dict[str, list[Any]] = {
    "item_template": [str, None],
    "user_template": [str, None],
    "max_chars": [Interval(Integral, 20, None, closed="left")],
    "prompt": [str, None],
    "max_tokens": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}
"""Constraints of the parameters that all of them have."""


class PromptRecommender(MetaRecommender):
    """A recommender around another whose language model reads the rows of the feature tables.

    A subclass has the parameters of ``PROMPT_CONSTRAINTS`` and ``llm``, and says in ``_effect_of_no_text`` what
    happens without item texts.
    """

    item_template: str | None
    user_template: str | None
    random_state: Any
    llm: Any
    _effect_of_no_text: ClassVar[str]
    _item_rows: RowTexts
    _user_rows: RowTexts

    def _check_state(self) -> None:
        super()._check_state()
        for name in ("_item_rows", "_user_rows"):
            if name in self.__dict__:
                check_row_texts(getattr(self, name), name)

    def _check_templates(self) -> None:
        for template in (self.item_template, self.user_template):
            if template is not None:
                template_fields(template)

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self._item_rows, self._user_rows = self._read_rows(item_features, user_features)
        if self.llm is not None and not len(self._item_rows):
            warnings.warn(
                f"No item has a text, so the language model has nothing to read and {self._effect_of_no_text}; pass "
                "item_features with text columns.",
                FeatureCoverageWarning,
                stacklevel=caller_level(),
            )

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        items, users = self._read_rows(item_features, user_features)
        self._item_rows, self._user_rows = self._item_rows.updated(items), self._user_rows.updated(users)

    def _read_rows(self, item_features: Any, user_features: Any) -> tuple[RowTexts, RowTexts]:
        items = RowTexts.read(item_features, "item_features", self.item_template)
        return items, RowTexts.read(user_features, "user_features", self.user_template)

    def _read_given(self, user_features: Any) -> tuple[Any, RowTexts]:
        """A table of users that came with a call, with its ids first, and their texts."""
        table = self._tables_in_front(None, user_features)[1]
        return table, RowTexts.read(table, "user_features", self.user_template)

    def _uses_user_features(self) -> bool:
        """Whether the recommender inside has a use of its own for ``user_features``."""
        return uses_features(self.recommender_, "user")

    def _prompt_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _context_names(self) -> Any:
        """Names of the context columns of X; None where X had no names."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else names[2:]
