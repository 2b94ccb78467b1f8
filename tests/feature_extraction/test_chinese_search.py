"""A search in Chinese finds what it asks for, without a model: in vectors, by request, in conversation."""

import csv
from pathlib import Path

import numpy as np
import pytest

from skrec import ConversationalRecommender, EmbeddingKNNRecommender, FeatureTable, NgramTextEncoder, load_bookshop

QUERIES = Path(__file__).parents[1] / "datasets" / "chinese_queries.csv"


@pytest.fixture(scope="module")
def shop():
    return load_bookshop(language="zh")


@pytest.fixture(scope="module")
def recommender(shop):
    rec = EmbeddingKNNRecommender(item_encoder=NgramTextEncoder())
    return rec.fit(shop.interactions, item_features=FeatureTable(shop.item_features))


@pytest.fixture(scope="module")
def queries():
    with QUERIES.open(encoding="utf-8", newline="") as file:
        return {row["query"]: set(row["titles"].split("、")) for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def titles(shop):
    return dict(zip(shop.item_features["item_id"], shop.item_features["title"], strict=True))


def recall(found, wanted, titles):
    return len({titles[item] for item in found} & wanted) / len(wanted)


def test_fifty_labelled_queries(titles, recommender, queries):
    assert len(queries) == 50
    assert set.union(*queries.values()) <= set(titles.values())
    found = recommender.search(list(queries), k=10).items
    recalls = [recall(row, wanted, titles) for row, wanted in zip(found, queries.values(), strict=True)]
    assert np.mean(recalls) >= 0.6  # .955 when it was written


def test_traditional_signs_find_what_simplified_ones_find(recommender, queries):
    found = recommender.search(["监狱", "监狱里的发明", "海上的冒险"], k=10).items
    assert recommender.search(["監獄", "監獄裡的發明", "海上的冒險"], k=10).items.tolist() == found.tolist()


def test_prisons_by_request_and_in_conversation(shop, titles, recommender, queries):
    prisons = queries["监狱"]
    by_request = recommender.recommend(["somebody new"], k=10, request=["监狱"])
    assert recall(by_request.items[0], prisons, titles) >= 0.5  # .6 when it was written
    chat = ConversationalRecommender(recommender).fit(shop.interactions, item_features=FeatureTable(shop.item_features))
    turn = chat.reply("我想看关于监狱的书", user="somebody new", k=10)
    assert recall(turn.recommendations.items[0], prisons, titles) >= 0.3  # .4 when it was written
    assert turn.message.startswith("我的理解：监狱。")
