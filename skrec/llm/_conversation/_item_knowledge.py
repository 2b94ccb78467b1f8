"""Facts, themes and text vectors of the items of a catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.base import TextSpace, check_text_space, read_encoder, reads_text
from skrec.interactions import Features, IdIndex, encode_features, read_features
from skrec.llm._conversation._constraint_ranking import ConstraintRanking
from skrec.llm._conversation._detection import catalogue_themes
from skrec.llm._conversation._item_facts import ItemFacts, merge_cells, read_cells
from skrec.utils import (
    Matrix,
    Tokenizer,
    WordSplitter,
    align,
    check_array,
    check_kind,
    check_matrix,
    check_splitter,
    refuse_state,
    with_rows,
)


class ItemKnowledge:
    """Facts of items, their themes, and their text vectors.

    Parameters
    ----------
    facts : ItemFacts
    encoder : transformer or None
        Fitted; reads texts.
    matrix : float32 array or CSR array of shape (n_items, d), or None
        The items as encoded.
    """

    def __init__(self, facts: ItemFacts, encoder: Any = None, matrix: Matrix | None = None) -> None:
        self.facts = facts
        self.encoder = encoder
        self.matrix = matrix
        self.themes = catalogue_themes(facts)
        self.space = None if matrix is None else TextSpace(encoder, matrix)

    @property
    def ranking(self) -> ConstraintRanking:
        """Ranks the items by constraints and requests."""
        return ConstraintRanking(self.facts, self.themes, self.space)

    @classmethod
    def read(
        cls,
        item_features: Any,
        index: IdIndex,
        title_column: str | None,
        encoder: Any,
        inner: Any,
        tokenizer: Tokenizer | None = None,
    ) -> ItemKnowledge:
        """Read a feature table.

        Parameters
        ----------
        item_features : table or None
        index : IdIndex
            The catalogue.
        title_column : str or None
        encoder : transformer or None
            Fitted here on the table.
        inner : transformer or None
            A fitted encoder, used where ``encoder`` is None and it reads texts.
        tokenizer : callable or None
            Splits texts into words.

        Raises
        ------
        ValueError
            If there is text and no encoder, or if ``encoder`` does not read texts.
        """
        ids, splitter = index.values.tolist(), WordSplitter(tokenizer)
        if item_features is None:
            return cls(ItemFacts({}, title_column, ids, splitter))
        features, codes, rows = _known_rows(item_features, index)
        facts = ItemFacts(read_cells(features, codes, len(ids), rows), title_column, ids, splitter)
        fitted, matrix = _encode(features, encoder, inner)
        return cls(facts, fitted, None if matrix is None else align(matrix[rows], codes, len(ids)))

    def updated(self, item_features: Any, index: IdIndex) -> ItemKnowledge:
        """The same for an extended catalogue, with the rows of a further table."""
        ids = index.values.tolist()
        cells, codes, new = {}, np.zeros(0, np.int64), None
        if item_features is not None:
            features, codes, rows = _known_rows(item_features, index)
            cells = read_cells(features, codes, len(ids), rows)
            if self.encoder is not None:
                matrix = encode_features(features, self.encoder, "item_features", fit=False)[0]
                new = align(matrix[rows], codes, len(ids))
        merged = merge_cells(self.facts.cells, cells, codes, len(ids))
        facts = ItemFacts(merged, self.facts.title_column, ids, self.facts.splitter)
        grown = None if self.matrix is None else with_rows(self.matrix, new, codes, len(ids))
        return ItemKnowledge(facts, self.encoder, grown)


def check_knowledge(value: object, name: str, n_items: int) -> None:
    """Check loaded facts and text vectors of a catalogue.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, ItemKnowledge)
    assert isinstance(value, ItemKnowledge)
    check_kind(value.facts, f"{name}.facts", ItemFacts)
    check_splitter(value.facts.splitter, f"{name}.facts.splitter")
    if value.facts.n_items != n_items:
        refuse_state(f"{name}.facts", f"facts of {value.facts.n_items} items", f"{n_items}")
    for column, cells in value.facts.cells.items():
        if len(cells) != n_items:
            refuse_state(f"{name}.facts.cells[{column!r}]", f"a list of {len(cells)}", f"{n_items} cells")
    for theme, items in value.themes.items():
        check_array(items, f"{name}.themes[{theme!r}]", (n_items,), kinds="b")
    if value.matrix is not None:
        check_matrix(value.matrix, f"{name}.matrix", (n_items, None))
        check_text_space(value.space, f"{name}.space", n_items)


def codes_of(index: IdIndex, ids: Sequence[Any]) -> list[int]:
    """Codes of the known ids; unknown ones, such as items no longer sold, are skipped."""
    if not len(ids):
        return []
    column = np.empty(len(ids), dtype=object)
    column[:] = ids
    codes = index.codes(column, "ids of the state", check_kind=False)
    return [int(code) for code in codes if code >= 0]


def _known_rows(item_features: Any, index: IdIndex) -> tuple[Features, NDArray[np.int64], NDArray[np.int64]]:
    """The table, with code and row of each of its items that is in the catalogue."""
    features = read_features(item_features, "item_features")
    codes = index.codes(features.ids, "item_features ids")
    rows = np.flatnonzero(codes >= 0)
    return features, codes[rows], rows


def _encode(features: Features, encoder: Any, inner: Any) -> tuple[Any, Matrix | None]:
    """A fitted encoder that reads texts and the (n_rows, d) vectors of the table, or None for both."""
    if encoder is not None:
        matrix, fitted = encode_features(features, read_encoder(encoder), "item_features", fit=True)
        if not reads_text(fitted):
            raise ValueError(
                f"item_encoder={encoder!r} does not read a list of texts, as requests are; pass "
                "LLMTextEmbedder() (from skrec.feature_extraction import LLMTextEmbedder)."
            )
        return fitted, matrix
    if inner is None:
        encode_features(features, None, "item_features", fit=True)  # refuses text without an encoder
        return None, None
    if not reads_text(inner):
        return None, None
    return inner, encode_features(features, inner, "item_features", fit=False)[0]
