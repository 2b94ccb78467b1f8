"""The attack: every kind of bad input as every argument of every method, and what came of it.

A call is right where it raises a ValueError, a TypeError or (an unknown item) a KeyError that names the argument and is
no raw message of a library below, or where it returns what it promises: finite scores, lists of items of the catalogue,
one per query. Whatever it raises, the recommender stays as it was.
"""

import contextlib
import copy
import re
import resource
import signal
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from bad_input import (
    CONTEXTS,
    COUNTS,
    EVENTS,
    FLAGS,
    IDS,
    NUMBERS_PER_EVENT,
    PARAMETERS,
    TABLES,
    TEXTS,
    WEIGHTS,
)
from scipy.linalg import LinAlgWarning
from sklearn.base import clone
from subjects import EVENTS as LOG
from subjects import answers, more_events

from skrec._explain import Explanations
from skrec.interactions import Recommendations
from skrec.utils import detached

LONGEST_CALL = 20  # seconds
MORE_MEMORY = 2 << 30  # bytes of address space that the calls may take beyond what is there before them

ITEMS = np.unique(LOG["item"]).tolist()
LATER = more_events(1)
PAIRS = LOG[["user", "item"]].to_numpy()[:3]

NAMES_OF = {
    "X": r"\bX\b|user|item|times|context|table",
    "history": r"history|user|item|times",
    "exclude": r"exclude|user|item|timestamp",
    "y": r"\by\b",
    "k": r"\bk\b",
    "users": r"user",
    "items": r"item",
    "texts": r"text",
    "request_weight": r"request",
    "user": "user|The id",
    "context": "context|column 'h",
    "cv": r"cv|n_splits",
    "scoring": r"scoring|scorers|metric",
    "prompt": r"prompt|template",
    "item_template": "template",
    "user_template": "template",
    "item_features": "item_features|table",
    "user_features": "user_features|table",
}
"""What a message must hold to name an argument; by default the argument's own name."""

RAW = re.compile(
    "is ambiguous|broadcast|shape mismatch|cannot reshape|setting an array element|^unhashable|has no len|not iterable"
    "|must be real number|unsupported operand|not supported between|invalid literal|^could not convert|out of bounds"
    "|only .*size-1 arrays|too many indices|object has no attribute|not subscriptable|cannot convert float"
    "|zero-size array|unsized object|0-d array|at least one array|too (big|large) to convert|not allowed$"
    "|Unable to allocate|loop of ufunc|Cannot cast|not understood|index out of range|interpreted as an integer"
    "|can't be used in|must be array|can only convert|negative dimensions|unexpected keyword|positional argument"
    "|No conversion|not convertible|codec can't|NoneType. object|cannot be interpreted|dictionary update"
    "|^Cannot convert|^Cannot interpret|truth value|unpack"
)


class TooLong(BaseException):
    """A call that ran for more than LONGEST_CALL seconds."""


@dataclass(frozen=True)
class Call:
    """One attack: a kind of bad input as one argument of one method."""

    method: str
    argument: str
    kind: str
    make: object = field(compare=False)
    writes: bool = False

    def __str__(self):
        return f"{self.method}({self.argument}={self.kind})"


@dataclass
class Outcome:
    """Counts of what calls came to, and a line for each that fell short."""

    counts: Counter = field(default_factory=Counter)
    faults: list = field(default_factory=list)
    longest: float = 0.0

    @property
    def n_calls(self):
        return sum(self.counts.values())


# The calls -----------------------------------------------------------------------------------------------


def calls_of(subject, rec):
    """Every attack on a fitted recommender, as functions of one."""
    found = [*_of_fit(subject), *_of_recommend(subject)]
    found += _calls("predict", "X", EVENTS, lambda rec, value: rec.predict(value))
    if hasattr(rec, "seen_items"):
        found += _calls("seen_items", "users", IDS, lambda rec, value: rec.seen_items(value))
    if hasattr(rec, "similar_items"):
        found += _calls("similar_items", "items", IDS, lambda rec, value: rec.similar_items(value))
        found += _calls("similar_items", "k", COUNTS, lambda rec, value: rec.similar_items([0], value))
        found += _calls(
            "similar_items", "candidates", IDS, lambda rec, value: rec.similar_items([0], 3, candidates=value)
        )
    if hasattr(rec, "search"):
        found += _calls("search", "texts", TEXTS, lambda rec, value: rec.search(value))
    if hasattr(rec, "search") and _can_search(rec):
        found += _calls("search", "k", COUNTS, lambda rec, value: rec.search("garden", value))
        found += _calls("search", "candidates", IDS, lambda rec, value: rec.search("garden", 3, candidates=value))
    if hasattr(rec, "explain"):
        found += _calls("explain", "users", IDS, lambda rec, value: rec.explain(value, [0]))
        found += _calls("explain", "items", IDS, lambda rec, value: rec.explain([0], value))
        found += _calls("explain", "history", EVENTS, lambda rec, value: rec.explain([0], [0], history=value))
        found += _calls("explain", "n_evidence", COUNTS, lambda rec, value: rec.explain([0], [0], n_evidence=value))
    if hasattr(rec, "suggest_queries"):
        found += _calls("suggest_queries", "users", IDS, lambda rec, value: rec.suggest_queries(users=value))
        found += _calls("suggest_queries", "k", COUNTS, lambda rec, value: rec.suggest_queries(users=[0], k=value))
        found += _calls("suggest_queries", "prefix", TEXTS, lambda rec, value: rec.suggest_queries(value, [0]))
    if hasattr(rec, "reply"):
        found += _calls("reply", "text", TEXTS, lambda rec, value: rec.reply(value, user=0))
        found += _calls("reply", "user", IDS, lambda rec, value: rec.reply("garden", user=value))
        found += _calls("reply", "k", COUNTS, lambda rec, value: rec.reply("garden", k=value))
        found += _calls("reply", "history", EVENTS, lambda rec, value: rec.reply("garden", user=0, history=value))
        found += _calls("reply", "state", TEXTS, lambda rec, value: rec.reply("garden", value))
    return found


def _can_search(rec):
    try:
        rec.search("garden", 3)
    except ValueError:
        return False
    return True


def _calls(method, argument, kinds, call, *given):
    writes = method in ("fit", "partial_fit")

    def attack(make, rec):
        return call(rec, make(*given))

    return [Call(method, argument, kind, partial(attack, make), writes) for kind, make in kinds.items()]


def _of_fit(subject):
    X, more = subject.events(), subject.events(LATER)

    def fit(rec, X=X, y=None, **options):
        return rec.fit(X, y, **options)

    def partial_fit(rec, X=more, y=None, **options):
        return rec.partial_fit(X, y, **options)

    found = _calls("fit", "X", EVENTS, lambda rec, value: fit(rec, value))
    found += _calls("partial_fit", "X", EVENTS, lambda rec, value: partial_fit(rec, value))
    found += _calls("fit", "y", NUMBERS_PER_EVENT, lambda rec, value: fit(rec, y=value), len(X))
    found += _calls("partial_fit", "y", NUMBERS_PER_EVENT, lambda rec, value: partial_fit(rec, y=value), len(more))
    if "sample_weight" in _parameters_of(subject.rec.fit):
        weigh = NUMBERS_PER_EVENT, lambda rec, value: fit(rec, sample_weight=value), len(X)
        found += _calls("fit", "sample_weight", *weigh)
    for side, ids in ("item_features", ITEMS), ("user_features", list(range(12))):
        found += _calls("fit", side, TABLES, lambda rec, value, side=side: fit(rec, **{side: value}), ids)
        found += _calls(
            "partial_fit", side, TABLES, lambda rec, value, side=side: partial_fit(rec, **{side: value}), ids
        )

    def fit_with(rec, value, name):
        return clone(subject.rec).set_params(**{name: value}).fit(X, item_features=subject.table(ITEMS))

    for name, value in clone(subject.rec).get_params(deep=False).items():
        kinds = PARAMETERS
        processes = "n_jobs" if hasattr(subject.rec, "param_distributions") else None
        if name in ("max_iter", "n_iter", "verbose", "random_state", processes):  # as long as it is asked to take
            kinds = {kind: make for kind, make in kinds.items() if not kind.startswith(("10**", "1e25", "1e308"))}
        if name != "steps" and not hasattr(value, "fit"):  # steps are read by scikit-learn's Pipeline
            found += _calls("fit", name, kinds, partial(_swapped, fit_with, name))
    return found


def _swapped(fit_with, name, rec, value):
    return fit_with(rec, value, name)


def _of_recommend(subject):
    def recommend(rec, users=(0, 3), k=3, **options):
        return rec.recommend(users if not isinstance(users, tuple) else list(users), k, **options)

    found = _calls("recommend", "users", IDS, lambda rec, value: rec.recommend(value, 3))
    found += _calls("recommend", "k", COUNTS, lambda rec, value: recommend(rec, k=value))
    found += _calls("recommend", "candidates", IDS, lambda rec, value: recommend(rec, candidates=value))
    for name in ("history", "exclude"):
        found += _calls("recommend", name, EVENTS, lambda rec, value, name=name: recommend(rec, **{name: value}))
    found += _calls("recommend", "history", EVENTS, lambda rec, value: rec.recommend(None, 3, history=value))
    found += _calls(
        "recommend", "history", NUMBERS_PER_EVENT, lambda rec, value: recommend(rec, history=(PAIRS, value)), len(PAIRS)
    )
    about_users = TABLES, lambda rec, value: recommend(rec, user_features=value), [0, 3]
    found += _calls("recommend", "user_features", *about_users)
    found += _calls("recommend", "context", CONTEXTS, lambda rec, value: recommend(rec, context=value))
    found += _calls("recommend", "exclude_seen", FLAGS, lambda rec, value: recommend(rec, exclude_seen=value))
    found += _calls("recommend", "request", TEXTS, lambda rec, value: recommend(rec, request=value))
    found += _calls(
        "recommend",
        "request_weight",
        WEIGHTS,
        lambda rec, value: recommend(rec, request="garden", request_weight=value),
    )
    return found


def _parameters_of(method):
    import inspect

    return inspect.signature(method).parameters


# Their outcome -------------------------------------------------------------------------------------------


def attack(subject, choose=None):
    """Run the calls on a subject; ``choose`` picks some of them.

    The address space is bounded meanwhile, so that a call that would fill the memory gets a MemoryError.
    """
    rec = subject.fit()
    calls = calls_of(subject, rec)
    calls = calls if choose is None else choose(calls)
    before = answers(rec)
    outcome = attack_calls(rec, calls)
    if answers(rec) != before:
        outcome.faults.append("the answers of the recommender changed")
    return outcome


def attack_calls(target, calls, wrong_result=None, names_of=None):
    """Run calls on anything; ``wrong_result`` and ``names_of`` are those of recommenders by default."""
    outcome = Outcome()
    with bounded_memory(), warnings.catch_warnings():
        for call in calls:
            fault = _run(call, target, outcome, wrong_result or _wrong_result, names_of or NAMES_OF)
            if fault is not None:
                outcome.faults.append(f"{call}: {fault}")
    return outcome


def _run(call, rec, outcome, wrong_result, names_of):
    """What is wrong with the outcome of a call, None where nothing is."""
    target = rec
    if call.writes:  # a pipeline fits its steps in place, and so does a transformer
        target = detached(rec) if hasattr(rec, "recommend") and not hasattr(rec, "steps") else copy.deepcopy(rec)
    state = dict(target.__dict__)
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)
    warnings.simplefilter("ignore", LinAlgWarning)  # of features without any difference; the map is then zero
    start = time.monotonic()
    try:
        try:
            with deadline():
                result = call.make(target)
        except TooLong:  # the first call of a kernel compiles it
            start = time.monotonic()
            with deadline():
                result = call.make(target)
        fault = wrong_result(result)
    except (ValueError, TypeError, KeyError) as error:
        fault = unclear(error, call.argument, names_of)
        outcome.counts["clear errors" if fault is None else "unclear errors"] += 1
        if not _same_state(state, target.__dict__):
            fault = f"the state changed, and {error!r}"
    except (Exception, TooLong) as error:
        outcome.counts["other errors"] += 1
        fault = f"{type(error).__name__}: {error}"[:300]
    else:
        outcome.counts["right answers" if fault is None else "wrong answers"] += 1
    outcome.longest = max(outcome.longest, time.monotonic() - start)
    return fault


def _same_state(before, after):
    kept = {name for name in before if not name.startswith(("_catalogue", "_memory"))}
    return all(name in after and after[name] is before[name] for name in kept)


def unclear(error, argument, names_of=NAMES_OF):
    """Why a message helps nobody, None where it does."""
    message = str(error)
    if "diverged" in message:  # it names all that may have caused it
        return None
    if not re.search(names_of.get(argument, re.escape(argument)), message):
        return f"does not name {argument}: {error!r}"[:300]
    if RAW.search(message):
        return f"is a raw message: {error!r}"[:300]
    return None


def _wrong_result(result):
    if isinstance(result, Recommendations):
        return _wrong_lists(result)
    if isinstance(result, np.ndarray):
        return None if np.isfinite(result).all() else f"scores that are not finite: {result[:5]}"
    if isinstance(result, Explanations):
        return None if all(map(str.strip, result.text)) else "an explanation without a text"
    if hasattr(result, "recommend") and hasattr(result, "fit"):
        return _wrong_model(result)
    return None


def _wrong_model(rec):
    wrong = _wrong_lists(rec.recommend(rec.users_[:3], 3))
    if wrong is not None:
        return f"it fits and gives {wrong}"
    scores = rec.predict(_first_pairs(rec))
    return None if np.isfinite(scores).all() else f"it fits and predicts {scores}"


def _first_pairs(rec):
    users, items = rec.users_[:2].tolist() * 2, np.repeat(rec.items_[:2], 2).tolist()
    rows = [[user, item, *[1.0] * (rec.n_features_in_ - 2)] for user, item in zip(users, items, strict=False)]
    names = getattr(rec, "feature_names_in_", None)
    if names is None:
        return rows
    columns = [pd.Series([row[j] for row in rows], dtype=None if j > 1 else object) for j in range(len(names))]
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def _wrong_lists(found):
    codes, scores = found.codes, found.scores
    if codes.shape != scores.shape or len(codes) != len(found.users):
        return f"lists of shape {codes.shape}, scores of shape {scores.shape}, {len(found.users)} queries"
    if codes.shape[1] > 100:
        return f"lists of {codes.shape[1]} places"
    if not np.isfinite(scores[codes >= 0]).all():
        return f"scores that are not finite: {scores[:2]}"
    for row in codes:
        listed = row[row >= 0]
        if len(set(listed.tolist())) < len(listed):
            return f"an item twice in a list: {row}"
    return None


# Bounds --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def deadline(seconds=LONGEST_CALL):
    """Raise TooLong in a block that runs for longer."""

    def stop(number, frame):
        raise TooLong(f"ran for more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def bounded_memory(more=MORE_MEMORY):
    """No more address space than now and ``more`` bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
