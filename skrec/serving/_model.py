"""What answers: a recommender that nothing changes, its version, and what its catalogue is called."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils.validation import check_is_fitted

from skrec.base import typed_request_weight
from skrec.interactions import IdIndex, RecommenderView
from skrec.serving._errors import ServiceError
from skrec.serving._times import TimeScale
from skrec.utils import unwrap_recommender

_MOST_NAMES = 100_000
"""Names that near ones are looked for in: an index of them is made at the first unknown item."""
_VERSION = re.compile(r"[\w.+-]{1,100}", re.ASCII)
_LEAST_SIMILARITY = 0.3
_LONGEST_NAME = 50


class Catalogue:
    """Items by code, with titles.

    Parameters
    ----------
    index : IdIndex
    titles : list of n_items str or None
    """

    def __init__(self, index: IdIndex, titles: Sequence[str | None]) -> None:
        self.index = index
        self.titles = titles

    @classmethod
    def of(cls, recommender: Any) -> Catalogue:
        """That of a fitted recommender, with titles from wherever inside it keeps some."""
        index = IdIndex(np.asarray(recommender.items_))
        titles: list[str | None] = [None] * len(index)
        for part in _parts(recommender):
            texts = getattr(part, "item_texts_", None)
            if texts is None:
                continue
            codes = index.codes(part.items_, "items", check_kind=False)
            for code, name in zip(codes.tolist(), texts.names, strict=False):
                if code >= 0 and titles[code] is None:
                    titles[code] = name
        return cls(index, titles)

    def __len__(self) -> int:
        return len(self.index)

    def entry(self, code: int) -> dict[str, Any]:
        """An item as answers name it."""
        return {"item": plain(self.index.values[code]), "title": self.titles[code]}

    def check_items(self, items: Sequence[Any]) -> None:
        """Refuse unknown items.

        Raises
        ------
        ServiceError
            404, with near ids and titles; 422 for what is no id, as a float that stands for several integers.
        """
        try:
            codes = self.index.codes(items, "items", check_kind=False)
        except (ValueError, TypeError) as error:
            raise ServiceError(422, "refused", str(error)[:1000]) from error
        if (codes >= 0).all():
            return
        unknown = [item for item, code in zip(items, codes.tolist(), strict=True) if code < 0]
        example = plain(self.index.values[0]) if len(self) else None
        raise ServiceError(
            404,
            "unknown_item",
            f"{len(unknown)} items are not in the catalogue, as {str(unknown[0])[:100]!r}; ids look like {example!r}.",
            items=unknown[:10],
            near=self.near(str(unknown[0])),
        )

    def near(self, text: str, n: int = 5) -> list[dict[str, Any]]:
        """Items whose title or id is written like a text, the nearest first."""
        codes, matrix = self._names
        similarity = (matrix @ _written([text[:200]]).T).toarray().ravel()
        order = np.argsort(-similarity, kind="stable")[: 2 * n]
        found = [codes[at] for at in order.tolist() if similarity[at] >= _LEAST_SIMILARITY]
        return [self.entry(code) for code in dict.fromkeys(found)][:n]

    @cached_property
    def _names(self) -> tuple[list[int], Any]:
        names = [(code, str(value)) for code, value in enumerate(self.index.values[:_MOST_NAMES].tolist())]
        names += [(code, title) for code, title in enumerate(self.titles[:_MOST_NAMES]) if title]
        return [code for code, _ in names], _written([name for _, name in names])

    def find(self, text: str, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """How many items have a text in their title or id, and some of them; all for an empty text."""
        wanted = text.casefold()
        ids = self.index.values
        codes: Sequence[int] = range(len(self))
        if wanted:
            codes = [
                code
                for code, (item, title) in enumerate(zip(ids.tolist(), self.titles, strict=True))
                if wanted in str(item).casefold() or (title is not None and wanted in title.casefold())
            ]
        return len(codes), [self.entry(code) for code in codes[offset : offset + limit]]


def _written(names: list[str]) -> Any:
    return HashingVectorizer(analyzer="char_wb", ngram_range=(2, 3), n_features=2**18, alternate_sign=False).transform(
        names
    )


def _parts(recommender: Any) -> Iterator[Any]:
    """A recommender and those inside it."""
    recommender = unwrap_recommender(recommender)
    yield recommender
    if hasattr(recommender, "recommender_"):
        yield from _parts(recommender.recommender_)
    for part in getattr(recommender, "recommenders_", ()):
        yield from _parts(part)


@dataclass(frozen=True)
class ServedModel:
    """One published version: a request reads one of these from beginning to end.

    Attributes
    ----------
    name : str
        What answers call it; the same for all its versions.
    recommender : fitted recommender
        Never changed once it is here.
    version : str
        Digest of the file, then ``+`` and the number of the last event of feedback in it.
    catalogue : Catalogue
    modified : float or None
        When the file was written, in seconds since 1970.
    times : TimeScale or None
        How it counts time, where it was fitted with times.
    """

    name: str
    recommender: Any
    version: str
    catalogue: Catalogue
    modified: float | None = None
    times: TimeScale | None = None

    @classmethod
    def of(cls, recommender: Any, version: str, modified: float | None = None, name: str | None = None) -> ServedModel:
        """A fitted recommender, under a name (None takes its class) and a version."""
        if not hasattr(recommender, "recommend"):
            raise TypeError(
                f"A service needs a recommender; got {type(recommender).__name__}, which has no recommend(). Pass a "
                "fitted recommender of skrec, or a skrec.pipeline.Pipeline that ends in one."
            )
        check_is_fitted(recommender)
        if not _VERSION.fullmatch(version):
            raise ValueError(f"version must be letters, digits and any of . + - _; got {version!r:.100}.")
        if name is not None and not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
            raise ValueError(f"The name of a model is 1 to {_LONGEST_NAME} printable characters; got {name!r:.100}.")
        name = _class_name(recommender) if name is None else name
        return cls(name, recommender, version, Catalogue.of(recommender), modified, TimeScale.of(recommender))

    def updated(self, recommender: Any, last_event: int) -> ServedModel:
        """The same model after feedback."""
        version = f"{self.version.partition('+')[0]}+{last_event}"
        same = self.catalogue.index.has_values(np.asarray(recommender.items_))
        catalogue = self.catalogue if same else Catalogue.of(recommender)
        return replace(self, recommender=recommender, version=version, catalogue=catalogue)

    @property
    def kind(self) -> str:
        """Class of the recommender, without the pipeline around it."""
        return _class_name(self.recommender)

    @property
    def named(self) -> dict[str, str]:
        """What each answer begins with."""
        return {"model": self.name, "version": self.version}

    def can(self, method: str) -> bool:
        """Whether the recommender has a method."""
        return hasattr(self.recommender, method)

    @cached_property
    def request_weight(self) -> float | None:
        """Weight of a search that somebody types, where a request names none."""
        return typed_request_weight(self.recommender)

    @property
    def context_columns(self) -> list[str]:
        """Names of the context columns, where it was fitted to a frame with some."""
        names = getattr(self.recommender, "feature_names_in_", None)
        return [] if names is None else [str(name) for name in names[2:]]

    @property
    def numeric_users(self) -> bool:
        """Whether ids of users are numbers, for a page that has texts alone."""
        return np.asarray(self.recommender.users_).dtype.kind in "iuf"

    @property
    def n_context(self) -> int:
        """How many context columns it was fitted to."""
        return max(int(getattr(self.recommender, "n_features_in_", 2)) - 2, 0)

    def find_users(self, text: str, offset: int, limit: int) -> tuple[int, list[Any]]:
        """How many users have an id that begins with a text, and some of them in the order of their ids."""
        written, users = self._written_users
        wanted = text.casefold()
        first = bisect_left(written, wanted)
        end = bisect_left(written, wanted + chr(sys.maxunicode))
        return end - first, [plain(user) for user in users[first:end][offset : offset + limit]]

    @cached_property
    def _written_users(self) -> tuple[list[str], NDArray]:
        users = np.asarray(self.recommender.users_)
        written = [str(user).casefold() for user in users.tolist()]
        order = sorted(range(len(written)), key=written.__getitem__)
        return [written[at] for at in order], users[np.array(order, dtype=np.intp)]

    def known_users(self, users: Sequence[Any]) -> list[bool]:
        """Which users have events in the model."""
        seen = RecommenderView(unwrap_recommender(self.recommender)).seen_items(users)
        return (seen.lengths > 0).tolist()


class Publisher:
    """The version that new requests get; replaced in one assignment."""

    def __init__(self, model: ServedModel) -> None:
        self.current = model


def _class_name(recommender: Any) -> str:
    return type(unwrap_recommender(recommender)).__name__


def plain(value: Any) -> Any:
    """An id as JSON has it."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
