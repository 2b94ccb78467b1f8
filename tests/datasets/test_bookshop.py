"""The bookshop is well formed, deterministic, and its readers follow their tastes."""

import hashlib

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skrec.datasets import load_bookshop


@pytest.fixture(scope="module")
def shop():
    return load_bookshop()


def test_catalogue(shop):
    books = shop.item_features
    assert list(books) == ["item_id", "title", "author", "year", "language", "genres", "description"]
    assert len(books) >= 220
    assert books["item_id"].is_unique
    assert not books.duplicated(["title", "author"]).any()
    assert books.notna().all(axis=None)
    assert (books["year"] < 1930).all()
    for name in ("title", "author", "language", "genres", "description"):
        assert (books[name].str.strip() == books[name]).all()
        assert (books[name].str.len() > 0).all()
    assert books["language"].nunique() > 30


def test_descriptions_are_of_the_promised_length_and_distinct(shop):
    words = shop.item_features["description"].str.split().str.len()
    assert words.between(25, 60).all()
    assert shop.item_features["description"].is_unique


def test_events(shop):
    X = shop.interactions
    assert X is shop.X
    assert 12_000 <= len(X) <= 20_000
    assert X["user"].nunique() == len(shop.user_features) == 600
    assert X["timestamp"].is_monotonic_increasing
    assert not X.duplicated(["user", "item"]).any()
    assert X["user"].value_counts().min() >= 5
    assert set(X["item"]) | set(shop.cold_items) == set(shop.item_features["item_id"])
    assert not set(X["item"]) & set(shop.cold_items)
    assert len(shop.y) == len(X)
    assert set(np.unique(shop.y)) <= {1, 2, 3, 4, 5}


def test_the_same_everywhere(shop):
    """The events that the page describes; a change of this digest is a change of the data."""
    lines = "".join(f"{u} {i} {t}\n" for u, i, t in shop.interactions.itertuples(index=False))
    assert hashlib.sha256(lines.encode()).hexdigest() == (
        "83006b9b40c2c76e2431de81a4908477fc38488b4c86c34ca6e501bf69a560f0"
    )


def test_readers_buy_by_taste(shop):
    ids = shop.item_features["item_id"].tolist()
    users = shop.interactions["user"].str[-3:].astype(int).to_numpy() - 1
    items = shop.interactions["item"].map({item: row for row, item in enumerate(ids)}).to_numpy()
    likeness = shop.item_themes / np.linalg.norm(shop.item_themes, axis=1, keepdims=True)
    bought = (shop.user_tastes[users] * likeness[items]).sum(axis=1)
    any_reader = (shop.user_tastes[np.random.default_rng(0).permutation(users)] * likeness[items]).sum(axis=1)
    assert bought.mean() > 2 * any_reader.mean()
    assert shop.y[bought > np.median(bought)].mean() > shop.y[bought <= np.median(bought)].mean() + 0.3


def test_well_known_books_sell_better(shop):
    counts = shop.interactions["item"].value_counts()
    best = shop.item_features.set_index("item_id").loc[counts.index[:25], "title"]
    assert len({"Crime and Punishment", "War and Peace", "Frankenstein", "The Odyssey", "Emma"} & set(best)) >= 2
    assert counts.max() > 3 * counts.median()


def test_moods_last(shop):
    """Neighbours in a reader's history are more alike than the reader's books at large."""
    ids = {item: row for row, item in enumerate(shop.item_features["item_id"])}
    likeness = shop.item_themes / np.linalg.norm(shop.item_themes, axis=1, keepdims=True)
    near, far = [], []
    rng = np.random.default_rng(0)
    for _, items in shop.interactions.groupby("user")["item"]:
        rows = likeness[[ids[item] for item in items]]
        near.append((rows[1:] * rows[:-1]).sum(axis=1).mean())
        rows = rng.permutation(rows)
        far.append((rows[1:] * rows[:-1]).sum(axis=1).mean())
    assert np.mean(near) > 1.1 * np.mean(far)


def test_biographies_name_the_tastes(shop):
    sea = shop.theme_names.index("sea")
    sailors = shop.user_tastes[:, sea] > 0.9
    assert sailors.any()
    told = shop.user_features["biography"].str.contains("sea voyages|ship|storms, islands")
    assert told[sailors].all()
    assert not told[shop.user_tastes[:, sea] == 0].any()


@pytest.fixture(scope="module")
def chinese():
    return load_bookshop(language="zh")


def test_chinese_catalogue(chinese):
    books = chinese.item_features
    assert list(books) == ["item_id", "title", "author", "year", "language", "genres", "pages", "description"]
    assert len(books) >= 150
    assert f"{len(books)} 部" in chinese.DESCR
    assert books["item_id"].is_unique
    assert books["title"].is_unique
    assert books["description"].is_unique
    assert books.notna().all(axis=None)
    assert (books["year"] < 1930).all()
    assert books["pages"].between(50, 3000).all()
    assert books["description"].str.len().between(40, 65).all()
    for name in ("title", "author", "language", "genres", "description"):
        assert (books[name].str.strip() == books[name]).all()
        assert books[name].str.contains("[\u4e00-\u9fff]").all()
        assert not books[name].str.contains("[A-PR-Za-z,;]").any()  # but for Ah Q


def test_chinese_readers(chinese):
    X, readers = chinese.interactions, chinese.user_features
    assert X["user"].nunique() == len(readers) == 600
    assert X["timestamp"].is_monotonic_increasing
    assert not X.duplicated(["user", "item"]).any()
    assert set(X["item"]) | set(chinese.cold_items) == set(chinese.item_features["item_id"])
    assert len(chinese.cold_items) == 9
    for name in ("country", "favourite_genres", "biography"):
        assert not readers[name].str.contains("[A-Za-z]").any()
    assert readers["age"][readers["biography"].str.startswith("退休")].min() >= 58
    sea = chinese.user_tastes[:, chinese.theme_names.index("海洋")]
    told = readers["biography"].str.contains("航海|有船|海岛")
    assert told[sea > 0].all()
    assert not told[sea == 0].any()


def test_the_same_chinese_events_everywhere(chinese):
    lines = "".join(f"{u} {i} {t}\n" for u, i, t in chinese.interactions.itertuples(index=False))
    assert hashlib.sha256(lines.encode()).hexdigest() == (
        "3a811266d76dd2a7ec8aad84b7d14b91cf8f0cb04af3bef589148d006ca35f77"
    )


def test_language_that_is_not_there():
    with pytest.raises(ValueError, match="The 'language' parameter of load_bookshop must be a str among"):
        load_bookshop(language="fr")


def test_return_X_y(shop):
    X, y = load_bookshop(return_X_y=True)
    pd.testing.assert_frame_equal(X, shop.interactions)
    np.testing.assert_array_equal(y, shop.y)


@pytest.mark.parametrize(("frame", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)])
def test_frames(frame, kind):
    shop = load_bookshop(frame=frame)
    for table in (shop.interactions, shop.item_features, shop.user_features):
        assert isinstance(table, kind)


def test_numpy(shop):
    data = load_bookshop(frame=None)
    np.testing.assert_array_equal(data.X, shop.X[["user", "item"]].to_numpy(dtype=str))
    np.testing.assert_array_equal(data.timestamp, shop.X["timestamp"])
    ids, matrix = data.item_features
    assert ids[0] == "bk-0001"
    assert matrix.shape == (len(ids), 6)


def test_missing_frame_library(monkeypatch):
    import skrec.datasets._frames as frames

    monkeypatch.setattr(frames, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install polars"):
        load_bookshop(frame="polars")
    assert load_bookshop().X.__class__ is np.ndarray


def test_description_says_simulated(shop):
    assert "do not exist" in shop.DESCR
    assert f"{len(shop.item_features)} works" in shop.DESCR
