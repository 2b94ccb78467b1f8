"""No guard fires on good data: every data set and every kind of frame, through the paths that a user takes.

Warnings are errors here, those of leaks included. ``SKREC_DATA`` may name a folder of public data sets (``ml-100k``,
``lastfm``, ``frappe``, ``amazon-beauty``); what it lacks is skipped by name.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

from skrec.datasets import fetch_amazon_reviews, fetch_movielens, load_bookshop, make_context_choices, make_interactions
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable, read_log
from skrec.metrics import _leaks, evaluate, ranking_scorer
from skrec.model_selection import LeaveLastOut, TimeSplit, TunedRecommender
from skrec.neighbors import ItemKNNRecommender
from skrec.pipeline import make_pipeline

pytestmark = pytest.mark.filterwarnings("error")
FOLDER = os.environ.get("SKREC_DATA")
FRAMES = ["pandas", "polars", "pyarrow"]


def folder(name):
    path = None if FOLDER is None else Path(FOLDER) / name
    if path is None or not path.is_dir():
        pytest.skip(f"the data set {name} is not here (SKREC_DATA={FOLDER})")
    return path


def bookshop(frame):
    data = load_bookshop(frame=frame)
    return data.X, None, data.item_features, data.user_features


def interactions(frame):
    data = make_interactions(n_users=80, n_items=60, n_events=2000, frame=frame, random_state=0)
    return data.X, data.y, data.item_features, data.user_features


def text_ids(frame):
    data = make_interactions(60, 50, 1500, ids="str", repeats=True, n_cold_items=5, frame=frame, random_state=0)
    return data.X, None, data.item_features, data.user_features


def context_choices(frame):
    return make_context_choices(60, 20, n_items=50, frame=frame, random_state=0).X, None, None, None


def movielens(frame):
    data = fetch_movielens(folder=folder("ml-100k"), frame=frame)
    return data.X, data.y, data.item_features, data.user_features


def beauty(frame):
    data = fetch_amazon_reviews(folder=folder("amazon-beauty"), frame=frame)
    return data.X, None, data.item_features, None


def lastfm(frame):
    names = ["user", "artist", "plays"]
    table = pd.read_csv(folder("lastfm") / "user_artists.dat", sep="\t", skiprows=2, names=names)
    log = read_log(table, user="user", item="artist", rating="plays")
    return log.X, log.y, None, None


def frappe(frame):
    table = pd.read_csv(folder("frappe") / "frappe.csv", sep="\t")
    return table.drop(columns="cnt"), table["cnt"], None, None


SETS = [
    *((read, frame) for read in (interactions, text_ids, context_choices) for frame in FRAMES),
    *((read, "pandas") for read in (bookshop, movielens, beauty, lastfm, frappe)),
]


@pytest.fixture(autouse=True)
def first_in_the_process(monkeypatch):
    monkeypatch.setattr(_leaks, "_warned", False)


def rows(table, at):
    return table.take(at) if hasattr(table, "column_names") else table.iloc[at] if hasattr(table, "iloc") else table[at]


@pytest.mark.parametrize(("read", "frame"), SETS)
def test_no_guard_fires(read, frame):
    X, y, items, users = read(frame)
    tables = {"item_features": items, "user_features": users}
    tables = {name: FeatureTable(table) for name, table in tables.items() if table is not None}
    pipe = make_pipeline(ContextEncoder(), PopularRecommender())
    # Rows that are grouped by user and have no times are in no order: TimeSplit warns of them, and is right.
    for cv in (LeaveLastOut(),) if read is lastfm else (LeaveLastOut(), TimeSplit(2)):
        train, test = list(cv.split(X))[-1]
        y_train, y_test = (None, None) if y is None else (np.asarray(y)[train], np.asarray(y)[test])
        rec = pipe.fit(rows(X, train), y_train, **tables)
        found = evaluate(rec, rows(X, test), y_test, metrics=["ndcg@10", "coverage@10"], n_bootstrap=10)
        assert np.isfinite(np.asarray(found["mean"], float)).all()
    folds = {"cv": LeaveLastOut(), "params": tables}
    assert np.isfinite(cross_val_score(pipe, X, y, scoring=ranking_scorer("ndcg@10"), **folds)).all()
    encoder = None if items is None else LLMTextEmbedder(model=HashingTextEncoder())
    knn = make_pipeline(ContextEncoder(), ItemKNNRecommender(n_neighbors=20, item_encoder=encoder))
    assert np.isfinite(cross_validate(knn, X, y, **folds)["test_score"]).all()


@pytest.mark.parametrize("read", [bookshop, interactions])
def test_no_guard_fires_in_a_search(read):
    X, y, items, users = read("pandas")
    tables = {"item_features": FeatureTable(items), "user_features": FeatureTable(users)}
    grid = {"popularrecommender__recency_decay": [0.9, 1.0]}
    search = GridSearchCV(make_pipeline(ContextEncoder(), PopularRecommender()), grid, cv=TimeSplit(2))
    assert np.isfinite(search.fit(X, y, **tables).best_score_)
    knn = ItemKNNRecommender(item_encoder=LLMTextEmbedder(model=HashingTextEncoder()))
    tuned = TunedRecommender(knn, {"n_neighbors": [5, 20]}, n_iter=2)
    assert len(tuned.fit(X, y, **tables).partial_fit(X[:5]).recommend(k=3).items)


@pytest.mark.parametrize("read", [bookshop, interactions, context_choices])
def test_no_guard_fires_on_what_read_log_gives(read):
    X, *_ = read("pandas")
    log = read_log(X)
    assert ItemKNNRecommender().fit(log.X, log.y).recommend(k=2).items.shape[1] == 2
