"""What a model is shown of a request, as texts without any id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec._chat import Message, Prompt, content_rng, delimited
from skrec.interactions import TIMESTAMP, Histories, check_rows
from skrec.utils import Text, as_object_array, as_text, table_cells, template_fields

_NOTHING = "(nothing is known)"
_WIDEST_CONTEXT = 32
LONGER = 4
"""How much longer than an item a request, a user and a context may be."""


@dataclass(frozen=True)
class PromptContext:
    """One request and its candidates.

    Attributes
    ----------
    candidates : list of str
        Texts, in base order.
    history : list of str
        Texts of what the user chose, the latest first.
    user, context, request : str or None
    """

    candidates: list[str]
    history: list[str] = field(default_factory=list)
    user: Text = None
    context: Text = None
    request: Text = None

    @property
    def about(self) -> list[Text]:
        """All texts but those of the candidates."""
        return [self.user, *self.history, self.context, self.request]


@dataclass(frozen=True)
class PromptWriter:
    """Writes situations into a prompt.

    Attributes
    ----------
    prompt : Prompt
        With the fields ``candidates`` and, where wanted, ``user``, ``history``, ``context`` and ``request``.
    seed : int
    max_chars : int
        An item's text is cut there; the user, the context and the request get four times as much.
    """

    prompt: Prompt
    seed: int
    max_chars: int

    def write(self, situation: PromptContext, shown: Sequence[int]) -> tuple[list[Message], dict[str, int]]:
        """The messages that show some candidates, and the candidate of each token."""
        texts = [situation.candidates[candidate] for candidate in shown]
        rng = content_rng(self.seed, *situation.about, *texts)
        fields = {
            name: self._block(name, [text], rng, LONGER * self.max_chars)
            for name, text in (("user", situation.user), ("context", situation.context), ("request", situation.request))
        }
        fields["history"] = self._block("history", situation.history, rng, self.max_chars)
        fields["candidates"], tokens = delimited("candidates", texts, rng, max_chars=self.max_chars)
        return self.prompt.write(**fields), dict(zip(tokens, shown, strict=True))

    def n_cut(self, situation: PromptContext) -> int:
        """Texts that are too long to be shown whole."""
        short = sum(len(text) > self.max_chars for text in [*situation.candidates, *situation.history])
        others = (situation.user, situation.context, situation.request)
        return short + sum(len(text or "") > LONGER * self.max_chars for text in others)

    @staticmethod
    def _block(name: str, texts: Sequence[Text], rng: np.random.Generator, max_chars: int) -> str:
        known = [text for text in texts if text]
        return delimited(name, known, rng, max_chars=max_chars)[0] if known else _NOTHING


def check_prompt(prompt: Prompt) -> None:
    """Refuse a prompt that shows no candidates, or names a field that there is not.

    Raises
    ------
    ValueError
    """
    prompt.write(**dict.fromkeys(("user", "history", "context", "request", "candidates"), ""))
    if "candidates" not in [field for _, field in template_fields(prompt.template)]:
        raise ValueError(f"The prompt {prompt.name!r} shows no candidates; its template must hold {{candidates}}.")


def latest_texts(
    histories: Histories, text_of: Callable[[NDArray], list[Text]], n_latest: int, *, with_y: bool
) -> list[list[str]]:
    """Texts of the latest items of each history, the latest first; of an item chosen twice, the last time counts.

    Parameters
    ----------
    histories : Histories of n rows
    text_of : callable from item codes to texts
        Items without a text are passed over.
    n_latest : int
    with_y : bool
        Whether y is a rating, to be told with the text.
    """
    latest: list[list[str]] = []
    codes = np.unique(histories.items)
    told = dict(zip(codes.tolist(), text_of(codes), strict=True))
    for start, stop in zip(histories.indptr[:-1], histories.indptr[1:], strict=True):
        found: dict[int, str] = {}
        for at in range(stop - 1, start - 1, -1):
            if len(found) == n_latest:
                break
            item = int(histories.items[at])
            text, y = told[item], histories.y[at]
            if text and item not in found and (with_y or y > 0):  # implicit feedback of 0 is no choice
                found[item] = f"rated {y:g}: {text}" if with_y else text
        latest.append(list(found.values()))
    return latest


def context_texts(context: Any, names: Sequence[Any] | None, n_queries: int) -> list[Text]:
    """Each row of context columns as ``"device: phone; place: home"``; a ``timestamp`` is left out.

    Parameters
    ----------
    context : frame or array-like of n_queries rows, or of one for all, or None
    names : sequence of str or None
        Names of the context columns, for a context without any.
    n_queries : int
    """
    if context is None:
        return [None] * n_queries
    check_rows(context, n_queries)
    frame = nw.from_native(context, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        cells = table_cells(context)
    else:
        matrix = context if isinstance(context, np.ndarray) else as_object_array(list(context))
        if matrix.dtype.kind in "iufb" and matrix.shape[1] > _WIDEST_CONTEXT:
            return [None] * n_queries
        given = names if names is not None and len(names) == matrix.shape[1] else None
        cells = {str(given[j]) if given is not None else f"x{j}": list(matrix[:, j]) for j in range(matrix.shape[1])}
    columns = {name: column for name, column in cells.items() if name != TIMESTAMP}
    rows = zip(*columns.values(), strict=True)
    texts = [
        "; ".join(f"{name}: {text}" for name, cell in zip(columns, row, strict=True) if (text := as_text(cell))) or None
        for row in rows
    ]
    return texts * n_queries if len(texts) == 1 else texts
