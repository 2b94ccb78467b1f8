"""Displays: what they draw is what was measured, in any language, and bad input is named."""

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibrationDisplay
from sklearn.model_selection import LearningCurveDisplay

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.feature_extraction import ContextEncoder, NgramTextEncoder
from skrec.inspection import (
    ContextDisplay,
    EmbeddingDisplay,
    ExplanationDisplay,
    LongTailDisplay,
    MetricAtKDisplay,
    ModelComparisonDisplay,
    QualityByGroupDisplay,
    TradeOffDisplay,
    TrainingCurveDisplay,
    explain_by_leave_one_out,
)
from skrec.linear_model import EASERecommender
from skrec.metrics import evaluate, ranking_scorer
from skrec.model_selection import LeaveLastOut
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.pipeline import make_pipeline

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def shop():
    return load_bookshop()


@pytest.fixture(scope="module")
def split(shop):
    train, test = next(LeaveLastOut().split(shop.interactions))
    return shop.interactions.iloc[train], shop.interactions.iloc[test]


@pytest.fixture(scope="module")
def recs(split):
    X, _ = split
    return {"popular": PopularRecommender().fit(X), "EASE": EASERecommender().fit(X)}


def drawn(display):
    """The picture, without a warning of a character that no font has."""
    file = io.BytesIO()
    display.figure_.savefig(file, format="png")
    assert len(file.getvalue()) > 5_000
    return display


def points(ax):
    """Where the markers of error bars and lines stand."""
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def test_models_are_drawn_in_their_order_with_their_intervals(recs, split):
    X_test = split[1]
    table = evaluate(recs, X_test, metrics=["ndcg@10", "popularity@10"], random_state=0)
    display = drawn(ModelComparisonDisplay.from_evaluation(table, metric="ndcg@10"))
    means = table[table["metric"] == "ndcg@10"].set_index("model")
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["popular", "EASE"]
    (line,) = display.ax_.containers
    np.testing.assert_allclose(line[0].get_xdata(), means.loc[["popular", "EASE"], "mean"])
    low, high = (bar.get_xdata() for bar in line[1])
    np.testing.assert_allclose(low, means.loc[["popular", "EASE"], "ci_low"])
    np.testing.assert_allclose(high, means.loc[["popular", "EASE"], "ci_high"])
    again = ModelComparisonDisplay.from_estimator(recs, X_test, random_state=0)
    np.testing.assert_allclose(again.values["EASE"], display.values["EASE"])
    assert again.ax_.get_xlabel() == "NDCG@10"


def test_a_display_draws_where_it_is_told(recs, split):
    _, (left, right) = plt.subplots(1, 2)
    display = ModelComparisonDisplay.from_estimator(recs, split[1], n_bootstrap=0, ax=left)
    assert display.ax_ is left
    assert display.figure_ is left.figure
    assert display.plot(right).ax_ is right


def test_a_table_of_several_metrics_must_be_told_which(recs, split):
    table = evaluate(recs, split[1], metrics=["ndcg@10", "recall@10"], n_bootstrap=0)
    with pytest.raises(ValueError, match=r"metric must be one of 'ndcg@10', 'recall@10', .* got None"):
        ModelComparisonDisplay.from_evaluation(table)
    with pytest.raises(ValueError, match="no column 'ci_low'"):
        ModelComparisonDisplay.from_evaluation(table.drop(columns="ci_low"))
    with pytest.raises(TypeError, match="must be a frame, as evaluate"):
        ModelComparisonDisplay.from_evaluation([1, 2])
    with pytest.raises(ValueError, match="recommenders is empty"):
        ModelComparisonDisplay.from_estimator({}, split[1])


def test_two_metrics_and_lines_of_several_settings(recs, split):
    X, X_test = split
    more = {f"EASE {size}": EASERecommender(regularization=size).fit(X) for size in (10, 1000)}
    curves = dict.fromkeys(more, "EASE by penalty")
    both = drawn(TradeOffDisplay.from_estimator(recs | more, X_test, curves=curves, n_bootstrap=0))
    assert [text.get_text() for text in both.ax_.get_legend().get_texts()] == ["popular", "EASE", "EASE by penalty"]
    assert [len(bars[0].get_xdata()) for bars in both.ax_.containers] == [1, 1, 2]
    assert both.x["popular"][0] > both.x["EASE"][0]
    assert both.y["popular"][0] < both.y["EASE"][0]
    with pytest.raises(ValueError, match="curves names 'nobody'"):
        TradeOffDisplay.from_estimator(recs, X_test, curves={"nobody": "x"}, n_bootstrap=0)


def test_a_metric_by_k(recs, split):
    display = drawn(MetricAtKDisplay.from_estimator(recs, split[1], k=[10, 1, 5], random_state=0))
    assert display.k.tolist() == [1, 5, 10]
    table = evaluate(recs, split[1], metrics=["recall@5"], random_state=0)
    assert display.curves["EASE"][1, 0] == pytest.approx(table["mean"][1])
    np.testing.assert_allclose(points(display.ax_)["EASE"][:, 1], display.curves["EASE"][:, 0])
    assert (np.diff(display.curves["EASE"][:, 0]) >= 0).all()
    with pytest.raises(ValueError, match="without @"):
        MetricAtKDisplay.from_estimator(recs, split[1], metric="recall@5")
    with pytest.raises(ValueError, match="whole numbers from 1"):
        MetricAtKDisplay.from_estimator(recs, split[1], k=[0, 5])


@pytest.mark.parametrize("by", ["history_length", "item_popularity"])
def test_quality_by_group_is_that_of_the_groups_alone(recs, split, by):
    X, X_test = split
    display = drawn(QualityByGroupDisplay.from_estimator(recs, X_test, by=by, n_groups=3, random_state=0))
    assert display.n_events.sum() == len(X_test)
    column = X.columns[0 if by == "history_length" else 1]
    counts = X_test[column].map(X[column].value_counts()).fillna(0)
    low, high = (int(end) for end in display.groups[-1].split(" to "))
    last = X_test[(counts >= low) & (counts <= high)]
    assert len(last) == display.n_events[-1]
    alone = evaluate(recs["EASE"], last, metrics="ndcg@10", n_bootstrap=0)["mean"][0]
    assert display.curves["EASE"][-1, 0] == pytest.approx(alone)


def test_quality_by_a_column_of_ones_own(recs, split):
    genres = np.where(np.arange(len(split[1])) % 2, "odd", "even")
    display = QualityByGroupDisplay.from_estimator(recs, split[1], by=pd.Series(genres, name="parity"), n_bootstrap=0)
    assert (display.groups, display.by) == (["even", "odd"], "parity")
    with pytest.raises(ValueError, match="one value per event of X_test"):
        QualityByGroupDisplay.from_estimator(recs, split[1], by=[1, 2])
    with pytest.raises(ValueError, match="'history_length' or 'item_popularity'"):
        QualityByGroupDisplay.from_estimator(recs, split[1], by="age")
    with pytest.raises(ValueError, match="n_groups must be a whole number"):
        QualityByGroupDisplay.from_estimator(recs, split[1], n_groups=0)


def test_unknown_users_and_items_are_a_group_of_their_own():
    X = np.array([[1, 10], [1, 20], [2, 10], [3, 20], [3, 30], [4, 10]])
    rec = PopularRecommender().fit(X)
    X_test = np.array([[2, 20], [9, 10], [8, 10], [4, 99], [1, 30]])
    display = QualityByGroupDisplay.from_estimator(rec, X_test, n_groups=1, n_bootstrap=0)
    assert display.groups[0] == "0"
    assert display.n_events[0] == 2
    display = QualityByGroupDisplay.from_estimator(rec, X_test, by="item_popularity", n_groups=1, n_bootstrap=0)
    assert display.n_events[display.groups.index("0")] == 1


def test_the_long_tail(split, recs):
    X, _ = split
    everything = {"random": RandomRecommender(random_state=0).fit(X), **recs}
    display = drawn(LongTailDisplay.from_estimator(everything, k=10))
    lists = recs["EASE"].recommend(k=10).items
    assert display.coverage_["EASE"] == len(np.unique(lists)) / len(recs["EASE"].items_)
    assert display.coverage_["random"] > display.coverage_["EASE"] > display.coverage_["popular"]
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names[0] == "events in training"
    for curve in points(display.ax_).values():
        assert curve[0].tolist() == [0, 0]
        assert curve[-1] == pytest.approx([1, 1])
        assert (np.diff(curve[:, 1], 2) <= 1e-12).all()  # the most recommended first
    again = LongTailDisplay.from_predictions(recs["EASE"].recommend(k=10), recs["EASE"].items_)
    assert again.coverage_["lists"] == display.coverage_["EASE"]
    with pytest.raises(ValueError, match="lists holds 'x'"):
        LongTailDisplay.from_predictions([["x", None]], ["a", "b"])
    with pytest.raises(ValueError, match="not all 0"):
        LongTailDisplay(exposures={"nothing": [0, 0]})


def test_training_curve(split):
    rec = HybridMFRecommender(solver="bpr", max_iter=3, random_state=0).fit(split[0])
    display = drawn(TrainingCurveDisplay.from_estimator(rec))
    np.testing.assert_allclose(points(display.ax_)["loss"][:, 1], rec.loss_curve_)
    own = drawn(TrainingCurveDisplay(loss=[3, 2, 1], validation_scores=[0.1, 0.3, 0.2], best_iter=2).plot())
    assert own.score_ax_.lines[0].get_ydata().tolist() == [0.1, 0.3, 0.2]
    assert own.ax_.lines[-1].get_xdata() == [2, 2]
    with pytest.raises(TypeError, match="PopularRecommender keeps no loss_curve_"):
        TrainingCurveDisplay.from_estimator(PopularRecommender().fit(split[0]))
    with pytest.raises(ValueError, match="one number per epoch"):
        TrainingCurveDisplay(loss=[])


def test_a_map_of_titles_in_chinese():
    shop = load_bookshop(language="zh")
    rec = EmbeddingKNNRecommender(item_encoder=NgramTextEncoder(n_components=16, random_state=0))
    rec.fit(shop.interactions, item_features=shop.item_features)
    table = shop.item_features.set_index("item_id").loc[rec.items_]
    genre = table["genres"].str.split("，|、").str[0]
    display = drawn(EmbeddingDisplay.from_estimator(rec, names=table["title"], groups=genre, random_state=0))
    assert 5 <= len(display.labelled_) <= 20
    texts = [text for text in display.ax_.texts if text.get_text()]
    assert len(texts) == len(display.labelled_)
    renderer = display.figure_.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in texts]
    assert not any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[:at])
    assert 0 < display.explained < 1
    some = EmbeddingDisplay.from_estimator(rec, items=rec.items_[[5, 2, 9]], random_state=0)
    assert some.names == rec.items_[[5, 2, 9]].tolist()
    with pytest.raises(KeyError, match="'nothing'"):
        EmbeddingDisplay.from_estimator(rec, items=["nothing", rec.items_[0]])


def test_maps_of_bad_vectors():
    with pytest.raises(TypeError, match=r"PopularRecommender has no item_vectors\(\)"):
        EmbeddingDisplay.from_estimator(PopularRecommender().fit([[1, 2], [2, 3]]))
    with pytest.raises(ValueError, match="at least two"):
        EmbeddingDisplay.from_predictions(np.ones((1, 3)))
    with pytest.raises(ValueError, match="names has 1 values for 3 points"):
        EmbeddingDisplay.from_predictions(np.eye(3), names=["a"])
    with pytest.raises(ValueError, match='"pca" or "umap"'):
        EmbeddingDisplay.from_predictions(np.eye(3), method="tsne")


def test_reasons_as_bars(split):
    X, _ = split
    rec = ItemKNNRecommender().fit(X)
    lists = rec.recommend(["reader-001"], k=1)
    display = drawn(ExplanationDisplay.from_estimator(rec, "reader-001", lists.items[0, 0]))
    why = rec.explain(["reader-001"], [lists.items[0, 0]], n_evidence=8)
    assert display.weights == [reason.weight for reason in why.evidence[0]]
    assert [bar.get_width() for bar in display.ax_.patches] == display.weights
    left_out = explain_by_leave_one_out(rec, ["reader-001"], lists.items[0])
    assert drawn(ExplanationDisplay.from_predictions(left_out)).title.startswith("reader-001: ")
    with pytest.raises(ValueError, match="position must be a place among 1"):
        ExplanationDisplay.from_predictions(left_out, position=1)
    with pytest.raises(TypeError, match=r"has no explain\(\)"):
        ExplanationDisplay.from_estimator(object(), 1, 2)


def test_lists_from_hour_to_hour():
    rng = np.random.default_rng(0)
    hours = rng.choice([8, 20], 300)
    items = np.where(hours == 8, "tea", "rum")
    items[::5] = "water"
    X = pd.DataFrame({"user": rng.integers(0, 30, 300), "item": items, "hour": hours})
    rec = make_pipeline(ContextEncoder(), HybridMFRecommender(random_state=0)).fit(X)
    context = pd.DataFrame({"hour": [8, 20]})
    display = drawn(ContextDisplay.from_estimator(rec, 1, context, k=1, exclude_seen=False))
    lists = rec.recommend([1, 1], k=1, context=context, exclude_seen=False).items[:, 0]
    assert display.contexts == ["8", "20"]
    for column, item in enumerate(lists):
        assert display.ranks[display.items.index(item), column] == 1
    assert np.nansum(display.ranks) == 2
    with pytest.raises(ValueError, match="labels has 1 values for 2 contexts"):
        ContextDisplay.from_estimator(rec, 1, context, labels=["morning"])
    with pytest.raises(ValueError, match="context has no rows"):
        ContextDisplay.from_estimator(rec, 1, context.iloc[:0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")  # training events are all seen
def test_scikit_learns_own_displays_take_recommenders(split):
    """What these do needs no class of ours: the guide shows them."""
    X = split[0]
    learning = LearningCurveDisplay.from_estimator(
        EASERecommender(),
        X,
        None,
        cv=LeaveLastOut(),
        train_sizes=[0.3, 1.0],
        shuffle=True,
        random_state=0,
        scoring=ranking_scorer("ndcg@10"),
        score_type="test",
    )
    assert learning.test_scores[1] > learning.test_scores[0]
    reliability = CalibrationDisplay.from_predictions([0, 1, 1, 0], [0.2, 0.8, 0.6, 0.4], n_bins=2)
    assert reliability.prob_true.tolist() == [0, 1]
