"""How a cascade learns: retrievers on what comes before, a ranker on what was held out."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing

from skrec.compose._cascade._columns import SideColumns, context_columns, numeric_columns
from skrec.compose._cascade._hook import fit_hook, hook_columns
from skrec.compose._cascade._item_log import ItemLog
from skrec.compose._cascade._loaded_trees import check_trees
from skrec.compose._cascade._pairs import Pairs
from skrec.compose._cascade._rankers import fill_values, fit_ranker, kind_of_ranker, new_ranker, takes_missing
from skrec.compose._cascade._serving import CascadeServing
from skrec.compose._cascade._targets import Targets, context_rows, held_out_rows
from skrec.compose._cascade._training import (
    TrainingPairs,
    chosen_queries,
    later_queries,
    pairs_to_learn_from,
    unseen_by_frozen,
)
from skrec.compose._part_lists import PartLists
from skrec.compose._parts import fit_parts
from skrec.exceptions import UntrainedRankerWarning
from skrec.interactions import ContextColumns, EventTable, Table, as_whole, read_events, read_target
from skrec.utils import RandomState, caller_level, check_array, check_texts, frame_backend, read_random_state

_CALIBRATION_SHARE = 0.25


class CascadeFitting(CascadeServing):
    """Trains the ranker of a cascade."""

    retrievers: Any
    ranker: Any
    n_negatives: int | None
    max_queries: int | None
    cv: Any
    features: Any
    calibration: str | None
    random_state: RandomState
    retrievers_: list[Any]
    feature_names_: list[str]
    n_pairs_: int
    n_positives_: int
    calibrator_: CalibratedClassifierCV | None

    def _check_composite(self) -> None:
        if self.ranker is not None:
            kind_of_ranker(self.ranker)
        if self.calibration is not None and self.ranker is not None and not is_classifier(self.ranker):
            raise ValueError(
                f"calibration={self.calibration!r} needs a classifier as ranker, since probabilities come from "
                f"predict_proba; got {type(self.ranker).__name__}. Pass a classifier, or calibration=None."
            )
        if not (self.features is None or callable(self.features) or hasattr(self.features, "transform")):
            raise TypeError(f"features must be a function or a transformer; got {self.features!r}.")

    # Fit -----------------------------------------------------------------------------------------------

    def _fit_composite(self, X: Any, y: Any, **tables: Any) -> None:
        events = read_events(X)
        grades = read_target(y, len(events), feedback=self.feedback)
        random = read_random_state(self.random_state)
        self.features_ = None
        self._read_side(X, events, tables)
        self._learn_log()
        found: list[TrainingPairs] = []
        for train, test in held_out_rows(self.cv, X, y, events):
            fold = self._fold(X, y, train, tables)
            pairs = fold._labelled(X, events, grades, np.asarray(test), random)
            if pairs is not None:
                found.append(pairs)
                self.features_ = fold.features_
        self._fit_ranker(found, random)

    def _read_side(self, X: Any, events: EventTable, tables: dict[str, Any]) -> None:
        """Numeric columns of the tables and of the context."""
        self._backend = frame_backend(X)
        self._item_columns = SideColumns.read(tables["item_features"], "item_features", "item")
        self._user_columns = SideColumns.read(tables["user_features"], "user_features", "user")
        self._context, self._context_names = None, []
        if events.context is not None:
            names, _ = numeric_columns(events.context)
            if names:
                columns = context_columns(events.context, names)
                self._context = ContextColumns.fit(columns, type(self).__name__)[0]
                self._context_names = names

    def _learn_log(self) -> None:
        """What is counted in the events of the fitted parts, and the features of their items."""
        self._log = ItemLog.of(self.seen_items(self.users_), len(self._item_index))
        if self._item_columns is None:
            self._item_values = np.zeros((len(self._item_index), 0), np.float32)
        else:
            self._item_values = self._item_columns.of(self._item_index.values)

    def _fold(self, X: Any, y: Any, rows: NDArray, tables: dict[str, Any]) -> Self:
        """A cascade without a ranker whose retrievers are fitted to some of the events."""
        fold = type(self)(**self.get_params(deep=False))
        side = ("_part_names", "_backend", "_item_columns", "_user_columns", "_context", "_context_names", "features_")
        fold.__dict__.update({name: getattr(self, name) for name in side})
        whole = as_whole(tables)  # a slice of X may have as many rows
        before = _safe_indexing(X, rows), None if y is None else _safe_indexing(y, rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fit to all events has given them
            fold._fit_parts(*before, whole)
        return fold

    def _fit_parts(self, X: Any, y: Any, tables: dict[str, Any]) -> None:
        """Fit the retrievers, and what is counted, but no ranker."""
        parts = [clone(part) for _, part in self.retrievers]
        fit_parts([(name, part) for (name, _), part in zip(self.retrievers, parts, strict=True)], "fit", X, y, tables)
        self.retrievers_ = parts
        self._unite()
        self._learn_log()

    def _labelled(
        self, X: Any, events: EventTable, grades: NDArray, test: NDArray, random: np.random.RandomState
    ) -> TrainingPairs | None:
        """Candidates of the users of held-out events with their features, labelled by these events."""
        targets = Targets.of(events, grades, test, self._item_index)
        frozen = [(name, part) for name, part in self._parts if isinstance(part, FrozenEstimator)]
        targets = unseen_by_frozen(targets, frozen, self._item_index)
        targets = chosen_queries(targets, len(self._item_index), self.max_queries, random)
        if not len(targets):
            return None
        options, found, pairs = self._candidates_of(targets, X)
        is_late = np.zeros(len(targets), bool)
        if self.calibration is not None:
            is_late = later_queries(targets, _CALIBRATION_SHARE)
        pairs, labels, late = pairs_to_learn_from(pairs, targets, is_late, self.n_negatives, random)
        requests = self._requests(targets.users, options, targets.before)
        scores = self._part_scores(targets.users, pairs, found, options)
        table = self._own_table(requests, pairs, found, scores)
        if self.features is not None and len(pairs):
            frame = self._frame(requests, pairs, table)
            if self.features_ is None:
                self.features_ = fit_hook(self.features, frame, (labels > 0).astype(np.int64))
            table |= hook_columns(self.features_, frame, len(pairs))
        values = np.column_stack(list(table.values())).astype(np.float32)
        return TrainingPairs(list(table), values, labels, pairs.queries, late)

    def _candidates_of(self, targets: Targets, X: Any) -> tuple[dict[str, Any], PartLists, Pairs]:
        """The options of the queries of targets, their lists, and the candidates."""
        options: dict[str, Any] = {"exclude_seen": self.exclude_seen}
        if targets.by_event:
            options["context"] = context_rows(X, targets.rows)
        found = self._retrieve(self._parts, targets.users, self._n_ranked, options)
        return options, found, Pairs.united(found, len(self._item_index))

    def _fit_ranker(self, found: list[TrainingPairs], random: np.random.RandomState) -> None:
        """Fit the ranker, and what calibrates it."""
        self.ranker_ = self.calibrator_ = self._fill = None
        self.feature_names_, self.n_pairs_, self.n_positives_ = [], 0, 0
        data = TrainingPairs.joined(found) if found else None
        early = None if data is None else data.where(~data.late)
        if data is None or early is None or not early.can_be_learnt:
            self._warn_of_no_training(data)
            return
        ranker = new_ranker(self.ranker, random)
        self.feature_names_, self.n_pairs_ = early.names, len(early.grades)
        self.n_positives_ = int((early.grades > 0).sum())
        if not takes_missing(ranker):
            self._fill = fill_values(early.values, early.names, self.n_candidates + 1)
        self.ranker_ = fit_ranker(ranker, self._filled(early.values), early.grades, early.queries)
        if self.calibration is None:
            return
        late = data.where(data.late)
        if not late.can_be_learnt:
            raise ValueError(
                f"calibration={self.calibration!r} has no later events among the candidates to learn from; pass "
                "calibration=None, more events, or another cv."
            )
        calibrator = CalibratedClassifierCV(FrozenEstimator(self.ranker_), method=self.calibration)
        self.calibrator_ = calibrator.fit(self._filled(late.values), (late.grades > 0).astype(np.int64))

    def _warn_of_no_training(self, data: TrainingPairs | None) -> None:
        if data is None:
            reason = "no event could be held out, or none of a known item: give users with several events, or pass cv"
        elif not (data.grades > 0).any():
            reason = "no retriever found any of the held-out events: raise n_candidates, or pass better retrievers"
        else:
            reason = "the retrievers found nothing but held-out events: raise n_candidates"
        warnings.warn(
            f"The ranker was not trained, since {reason}. Lists are in the order of the retrievers' reciprocal ranks.",
            UntrainedRankerWarning,
            stacklevel=caller_level(),
        )

    # Later ---------------------------------------------------------------------------------------------

    def _after_partial_fit(self, X: Any, y: Any, **tables: Any) -> None:
        """The log and the tables go on; the ranker stays."""
        for name in ("item", "user"):
            old, table = getattr(self, f"_{name}_columns"), tables[f"{name}_features"]
            if old is not None and table is not None:
                setattr(self, f"_{name}_columns", old.updated(SideColumns.read(table, f"{name}_features", name)))
        self._learn_log()

    def _labelled_events(self, X: Table, y: ArrayLike | None, random_state: RandomState) -> tuple[NDArray, NDArray]:
        """Features and labels of the candidates of later events."""
        if self.ranker_ is None:
            raise ValueError("The ranker was not trained, so that its features have no importances.")
        events = read_events(X, estimator=self)
        grades = read_target(y, len(events), feedback=self.feedback)
        targets = Targets.of(events, grades, np.arange(len(events)), self._item_index)
        random = read_random_state(random_state)
        targets = chosen_queries(targets, len(self._item_index), self.max_queries, random)
        options, found, pairs = self._candidates_of(targets, X)
        labels = (targets.grade_of(pairs) > 0).astype(np.int64)
        if len(np.unique(labels)) < 2:
            raise ValueError("The candidates hold none of the events of X, or nothing else; pass other events.")
        requests = self._requests(targets.users, options)
        scores = self._part_scores(targets.users, pairs, found, options)
        return self._matrix(self._table(requests, pairs, found, scores)), labels

    def _check_state(self) -> None:
        super()._check_state()
        if "_log" not in self.__dict__:
            return
        self._log.check("_log", len(self._item_index))
        for name in ("_item_columns", "_user_columns"):
            columns = getattr(self, name)
            if columns is not None:
                columns.check(name)
        n_columns = 0 if self._item_columns is None else len(self._item_columns.names)
        check_array(self._item_values, "_item_values", (len(self._item_index), n_columns), finite=False)
        check_texts(self.feature_names_, "feature_names_", len(self.feature_names_), optional=False)
        check_trees(self.ranker_, "ranker_", len(self.feature_names_))
        if self._fill is not None:
            check_array(self._fill, "_fill", (len(self.feature_names_),), dtype=np.float32)
