"""One request at 10,000 items: recommenders alone, the pipeline with its context, the fold-in of a new user.

    python examples/benchmarks/request_latency.py
    python examples/benchmarks/request_latency.py --requests 50 --batch 2000
    python examples/benchmarks/request_latency.py --estimators

With ``--estimators``, one fitted estimator after another ranks for one known user: ids and context are numbers of an
array, and there is no pipeline.

The peer is scikit-learn's ColumnTransformer, encoding the same columns of the same single row: what a request would
cost before any recommender is asked. The contenders take turns, so that whatever else the machine does hits
all of them. Times are medians in milliseconds, beside the 90th percentile. No text is encoded.
"""

import argparse
import json
import time

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.linear_model import EASERecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.pipeline import make_pipeline

WARM_UP = 10
IN_A_ROW = 10
NUMBERS = ["lat", "lon", "temperature", "minutes_left"]


def make_log(n_events, n_users, n_items, rng):
    return pd.DataFrame(
        {
            "user": rng.integers(0, n_users, n_events),
            "item": rng.permutation(np.arange(n_events) % n_items),
            "timestamp": rng.integers(1_600_000_000, 1_700_000_000, n_events),
            "device": rng.choice(["phone", "tablet", "desktop", "speaker"], n_events),
            "lat": rng.uniform(47, 54, n_events),
            "lon": rng.uniform(6, 15, n_events),
            "temperature": rng.normal(10, 8, n_events),
            "minutes_left": rng.exponential(20, n_events),
        }
    )


def circle(hours):
    angle = hours.to_numpy() % 86_400 / 86_400 * 2 * np.pi
    return np.hstack([np.sin(angle), np.cos(angle)])


def peer():
    """The same columns by scikit-learn alone, to a frame as our encoder gives one."""
    return ColumnTransformer(
        [
            ("ids", "passthrough", ["user", "item"]),
            (
                "hour",
                FunctionTransformer(circle, feature_names_out=lambda _, names: ["hour_sin", "hour_cos"]),
                ["timestamp"],
            ),
            ("device", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["device"]),
            ("numbers", StandardScaler(), NUMBERS),
        ]
    ).set_output(transform="pandas")


def contenders(X, rng):
    """What is timed, by name: functions of nothing."""
    row, context = X.iloc[[7]], X.iloc[[7], 2:]
    encoder = ContextEncoder(timestamp_features=["hour"], random_state=0)
    columns = peer().fit(X)
    found = {"ColumnTransformer.transform, one row": lambda: columns.transform(row)}
    for recommender in (
        PopularRecommender(n_segments=8, random_state=0),
        HybridMFRecommender(max_iter=5, random_state=0),
    ):
        name = type(recommender).__name__
        pipe = make_pipeline(clone(encoder), recommender).fit(X)
        encoded = pipe._encoded_context([3], context)
        found[f"{name}.recommend, context encoded"] = lambda m=pipe[-1], c=encoded: m.recommend([3], context=c)
        found[f"pipeline with {name}.recommend"] = lambda p=pipe: p.recommend([3], context=context)
    history = np.column_stack([np.full(5, X["user"].max() + 1), rng.choice(X["item"], 5)])
    new = history[:1, 0]
    found["new user with 5 events, folded in"] = lambda m=pipe[-1]: m.recommend(new, history=history)
    return found, pipe[-1]


def estimators(X, rng):
    """Requests to fitted estimators alone, by name."""
    ids = X[["user", "item"]].to_numpy()
    in_context = np.column_stack([ids, rng.normal(size=(len(ids), 6))])
    vectors = np.arange(ids[:, 1].max() + 1), rng.normal(size=(ids[:, 1].max() + 1, 64))
    models = {
        "PopularRecommender": PopularRecommender().fit(ids),
        "PopularRecommender, 8 segments": PopularRecommender(n_segments=8, random_state=0).fit(in_context),
        "HybridMFRecommender, ALS": HybridMFRecommender(regularization=10, max_iter=3, random_state=0).fit(ids),
        "ItemKNNRecommender": ItemKNNRecommender().fit(ids),
        "EmbeddingKNNRecommender": EmbeddingKNNRecommender().fit(ids, item_features=vectors),
        "EASERecommender, 100 neighbours": EASERecommender(n_neighbors=100).fit(ids),
    }
    for solver in ("als", "warp"):
        model = HybridMFRecommender(solver=solver, regularization=10 if solver == "als" else "auto", max_iter=2)
        models[f"HybridMFRecommender, {solver}, context"] = model.set_params(random_state=0).fit(in_context)
    context = in_context[:1, 2:]
    found = {}
    for name, model in models.items():
        given = context if model.n_features_in_ > 2 else None
        found[name] = lambda m=model, c=given: m.recommend([7], context=c)
    return found


def batch_ratio(X, recommender, n_requests, rounds):
    """Requests a second with a context each over those without, by the same kind of model."""
    blind = clone(recommender).fit(X[["user", "item"]])
    users = X["user"].iloc[:n_requests].to_numpy()
    n_context = len(recommender.feature_names_in_) - 2
    context = np.random.default_rng(0).normal(size=(len(users), n_context)).astype(np.float32)
    ratios = []
    for _ in range(rounds):
        without = seconds(lambda: blind.recommend(users))
        ratios.append(without / seconds(lambda: recommender.recommend(users, context=context)))
    return float(np.median(ratios))


def seconds(work, clock=time.perf_counter):
    start = clock()
    work()
    return clock() - start


def main():
    parser = argparse.ArgumentParser(description="Latency of one request.")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--estimators", action="store_true", help="fitted estimators alone, in place of pipelines")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    X = make_log(arguments.events, arguments.events // 40, arguments.items, rng)
    if arguments.estimators:
        report(arguments, estimators(X, rng))
        return
    work, recommender = contenders(X, rng)
    result = report(arguments, work)
    result["batch"] = round(batch_ratio(X, recommender, arguments.batch, 5), 2)
    print(f"A batch of {arguments.batch} requests with context is {result['batch']:.2f} x as fast as without.")
    print(json.dumps(result))


def report(arguments, work):
    """Time all in turns, and print one line for each."""
    times = {name: [] for name in work}
    for _ in range(0, arguments.requests + WARM_UP, IN_A_ROW):
        for name, call in work.items():
            for _ in range(IN_A_ROW):  # as in a server, which has one model in its caches
                times[name].append((1e3 * seconds(call), 1e3 * seconds(call, time.thread_time)))
    times = {name: np.array(pairs[WARM_UP:]) for name, pairs in times.items()}
    of_peer = np.median(next(iter(times.values())), axis=0)
    print(f"{arguments.items} items, {arguments.requests} requests one by one; milliseconds")
    result = {}
    for name, pairs in times.items():
        (clock, cpu), high = np.median(pairs, axis=0), np.quantile(pairs[:, 0], 0.9)
        result[name] = {"clock": round(clock, 3), "p90": round(high, 3), "CPU": round(cpu, 3)}
        result[name]["peers"] = round(cpu / of_peer[1], 2)
        of_first = f"{cpu / of_peer[1]:6.2f} x {next(iter(times)).split('.')[0]}"
        print(f"  {name:48s} {clock:6.3f}  p90 {high:6.3f}  CPU {cpu:6.3f}, {of_first}")
    return result


if __name__ == "__main__":
    main()
