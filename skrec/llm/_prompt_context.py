"""What a prompt shows about a query, as texts without ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec._chat import Message, Prompt, content_rng, delimited
from skrec.interactions import TIMESTAMP, Histories, as_frame, check_rows, errors_name, plain_array
from skrec.utils import Text, as_object_array, as_text, table_cells, template_fields

_NOTHING = "(nothing is known)"
_WIDEST_CONTEXT = 32
LONGER = 4
"""Factor on ``max_chars`` for the texts of a request, a user and a context."""


@dataclass(frozen=True)
class PromptContext:
    """The texts of one query and of its candidates.

    Attributes
    ----------
    candidates : list of str
        Texts of the candidates, in base order.
    history : list of str
        Texts of the items that the user chose, the latest first.
    user, context, request : str or None
    """

    candidates: list[str]
    history: list[str] = field(default_factory=list)
    user: Text = None
    context: Text = None
    request: Text = None

    @property
    def about(self) -> list[Text]:
        """All texts except those of the candidates."""
        return [self.user, *self.history, self.context, self.request]


@dataclass(frozen=True)
class PromptWriter:
    """Writes prompt contexts into a prompt.

    Attributes
    ----------
    prompt : Prompt
        Has the field ``candidates`` and, optionally, ``user``, ``history``, ``context`` and ``request``.
    seed : int
    max_chars : int
        The text of an item is truncated there; the user, the context and the request at four times as many.
    """

    prompt: Prompt
    seed: int
    max_chars: int

    def write(self, prompt_context: PromptContext, shown: Sequence[int]) -> tuple[list[Message], dict[str, int]]:
        """Messages that show the given candidates, and the candidate of each token."""
        texts = [prompt_context.candidates[candidate] for candidate in shown]
        rng = content_rng(self.seed, *prompt_context.about, *texts)
        fields = {
            name: self._block(name, [text], rng, LONGER * self.max_chars)
            for name, text in (
                ("user", prompt_context.user),
                ("context", prompt_context.context),
                ("request", prompt_context.request),
            )
        }
        fields["history"] = self._block("history", prompt_context.history, rng, self.max_chars)
        fields["candidates"], tokens = delimited("candidates", texts, rng, max_chars=self.max_chars)
        return self.prompt.write(**fields), dict(zip(tokens, shown, strict=True))

    def n_cut(self, prompt_context: PromptContext) -> int:
        """Number of texts that are truncated."""
        short = sum(len(text) > self.max_chars for text in [*prompt_context.candidates, *prompt_context.history])
        others = (prompt_context.user, prompt_context.context, prompt_context.request)
        return short + sum(len(text or "") > LONGER * self.max_chars for text in others)

    @staticmethod
    def _block(name: str, texts: Sequence[Text], rng: np.random.Generator, max_chars: int) -> str:
        known = [text for text in texts if text]
        return delimited(name, known, rng, max_chars=max_chars)[0] if known else _NOTHING


def check_prompt(prompt: Prompt) -> None:
    """Refuse a prompt that shows no candidates, or that names an unknown field.

    Raises
    ------
    ValueError
    """
    prompt.write(**dict.fromkeys(("user", "history", "context", "request", "candidates"), ""))
    if "candidates" not in [field for _, field in template_fields(prompt.template)]:
        raise ValueError(f"The prompt {prompt.name!r} shows no candidates; its template must contain {{candidates}}.")


def latest_texts(
    histories: Histories, text_of: Callable[[NDArray], list[Text]], n_latest: int, *, with_y: bool
) -> list[list[str]]:
    """Texts of the latest items of each history, the latest first. A repeated item counts at its last event.

    Parameters
    ----------
    histories : Histories of n rows
    text_of : callable from item codes to texts
        Items without a text are skipped.
    n_latest : int
    with_y : bool
        Whether y is a rating that is written with the text.
    """
    latest: list[list[str]] = []
    codes = np.unique(histories.items)
    texts = dict(zip(codes.tolist(), text_of(codes), strict=True))
    for start, stop in zip(histories.indptr[:-1], histories.indptr[1:], strict=True):
        found: dict[int, str] = {}
        for at in range(stop - 1, start - 1, -1):
            if len(found) == n_latest:
                break
            item = int(histories.items[at])
            text, y = texts[item], histories.y[at]
            if text and item not in found and (with_y or y > 0):  # implicit feedback of 0 is not a choice
                found[item] = f"rated {y:g}: {text}" if with_y else text
        latest.append(list(found.values()))
    return latest


def context_texts(context: Any, names: Sequence[Any] | None, n_queries: int) -> list[Text]:
    """Write each row of context columns as ``"device: phone; place: home"``, without ``timestamp``.

    Parameters
    ----------
    context : frame or array-like of n_queries rows, or of one row for all, or None
    names : sequence of str or None
        Names of the context columns, for a context without names.
    n_queries : int
    """
    if context is None:
        return [None] * n_queries
    check_rows(context, n_queries)
    if as_frame(context, "context") is not None:
        cells = table_cells(context)
    else:
        with errors_name("context"):
            matrix = context if hasattr(context, "dtype") else as_object_array(list(context))
        if not isinstance(matrix, np.ndarray):
            raise TypeError(f"context is of type {type(context).__name__}; pass a frame, an array or a list of rows.")
        matrix = plain_array(matrix, "context")
        if matrix.dtype.kind in "iufb" and matrix.shape[1] > _WIDEST_CONTEXT:
            return [None] * n_queries
        given = names if names is not None and len(names) == matrix.shape[1] else None
        cells = {str(given[j]) if given is not None else f"x{j}": list(matrix[:, j]) for j in range(matrix.shape[1])}
    columns = {name: column for name, column in cells.items() if name != TIMESTAMP}
    if not columns:
        return [None] * n_queries
    rows = zip(*columns.values(), strict=True)
    with errors_name("context"):
        texts = [
            "; ".join(f"{name}: {text}" for name, cell in zip(columns, row, strict=True) if (text := as_text(cell)))
            or None
            for row in rows
        ]
    return texts * n_queries if len(texts) == 1 else texts
