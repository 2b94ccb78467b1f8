"""Arguments of a request, as the steps before the recommender leave them."""

from typing import Any

import narwhals as nw

from skrec.interactions import TIMESTAMP, EventTemplate, ids_first, read_events, split_history


class StepsMixin:
    """Context and history of a request, encoded by the steps. A subclass sets ``_template`` when it meets events."""

    steps: Any
    _template: EventTemplate | None = None

    def _through_steps(self, X: Any) -> Any:
        for _, step in self.steps[:-1]:
            if step not in (None, "passthrough"):
                X = step.transform(X)
        return X

    def _encoded_context(self, users: Any, context: Any) -> Any:
        """The context columns as the steps leave them."""
        if self._template is None or not self._template.has_context:
            return context
        if not len(users):
            return None
        encoded = self._through_steps(self._template.rebuild(users, context))
        frame = nw.from_native(encoded, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame):
            return encoded[:, 2:]
        columns = [j for j, name in enumerate(frame.columns) if name != TIMESTAMP]
        return frame[:, columns[2:]].to_native()

    def _context_values(self, users: Any, context: Any) -> dict[str, list[Any]]:
        """What the context columns hold, in the words of the step that encodes them; nothing where none has words."""
        if self._template is None or not self._template.has_context or not len(users):
            return {}
        X = self._template.rebuild(users, context)
        for _, step in self.steps[:-1]:
            if hasattr(step, "context_values"):
                found: dict[str, list[Any]] = step.context_values(X)
                return found
            if step not in (None, "passthrough"):
                X = step.transform(X)
        return {}

    def _ids_first(self, history: Any) -> Any:
        """The history with its id columns where X had them, if it is a frame with the names of X."""
        if history is None or self._template is None:
            return history
        events = ids_first(split_history(history)[0], self._template.id_names or None, "history")
        return (events, history[1]) if isinstance(history, tuple) else events

    def _encoded_history(self, history: Any) -> Any:
        if history is None or self._template is None:
            return history
        given = events_of(history)
        events = read_events(given, what="history")
        n_columns = 2 if events.context is None else 2 + events.context.shape[1]
        if n_columns == 2 or len(self.steps) == 1:
            return history
        if n_columns != self._template.n_columns:
            raise ValueError(
                f"history has {n_columns} columns and X had {self._template.n_columns} in fit (timestamp not "
                "counted); pass all of them, or user, item and timestamp alone."
            )
        encoded = self._through_steps(self._template.in_fitted_order(given))
        return (encoded, history[1]) if isinstance(history, tuple) else encoded


def events_of(history: Any) -> Any:
    """The events of a history that is a table, or a pair (events, y)."""
    return history[0] if isinstance(history, tuple) else history
