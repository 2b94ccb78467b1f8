"""From files of one's own to a model, figures and lists."""

import json
import os
import subprocess
import sys
import urllib.request
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import skops.io

from skrec.cli import main
from skrec.cli._config import read_config
from skrec.cli._demo import own_tables
from skrec.cli._errors import CommandError
from skrec.persistence import skops_trusted_types

TITLES = ["Emma", "Moby-Dick", "Dracula", "Walden", "Ulysses", "Middlemarch", "Persuasion", "Lord Jim"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Orders with ISO times and ids that look like numbers, and products."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    pairs = [(f"c{rng.integers(15)}", f"00{rng.integers(8)}") for _ in range(90)]
    orders = pd.DataFrame(pairs, columns=["customer_id", "product_id"]).drop_duplicates()
    start = datetime(2026, 1, 1)
    orders["ordered_at"] = [(start + timedelta(days=at)).isoformat() for at in range(len(orders))]
    orders["device"] = rng.choice(["phone", "desk"], len(orders))
    orders.to_csv(folder / "orders.csv", index=False)
    orders.to_parquet(folder / "orders.parquet")
    products = pd.DataFrame({"title": TITLES, "product_id": [f"00{at}" for at in range(8)]})
    products.to_csv(folder / "products.csv", index=False)
    (folder / "model.toml").write_text(
        'estimator = "HybridMFRecommender"\nn_factors = 2\nmax_iter = 2\nrandom_state = 0\n'
        '[item_encoder]\nestimator = "NgramTextEncoder"\nn_components = 4\n'
    )
    return folder


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_fit_then_recommend(folder, capsys):
    model = folder / "model.skops"
    tables = [folder / "orders.csv", "--items", folder / "products.csv", "--config", folder / "model.toml"]
    assert run("fit", *tables, "--output", model) == 0
    err = capsys.readouterr().err
    for words in ("customer_id  text", "fitting HybridMFRecommender:", "saved"):
        assert words in err
    assert [path.name for path in folder.iterdir() if path.name.endswith(".new")] == []
    written = (folder / "orders.csv").stat().st_mtime
    assert model.stat().st_mtime == pytest.approx(written), "feedback that was logged since is replayed"
    rec = skops.io.load(model, trusted=skops_trusted_types())
    assert rec.items_.tolist() == [f"00{at}" for at in range(8)], "ids that look like numbers stay text"
    expected = rec.recommend(["c1", "nobody"], k=3)
    assert run("recommend", model, "--user", "c1", "--user", "nobody", "-k", 3, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["item"] for row in rows] == [item for item in expected.items.ravel().tolist() if item is not None]
    assert {row["title"] for row in rows} <= set(TITLES)
    assert run("recommend", model, "--user", "c1", "-k", 2, "--format", "csv") == 0
    assert capsys.readouterr().out.splitlines()[0] == "user,rank,item,title,score"
    assert run("recommend", model, "--user", "nobody", "-k", 2, "--request", "Emma") == 0
    assert "Emma" in capsys.readouterr().out
    assert run("recommend", model, "--user", "c1", "-k", 3, "--request", "Emma", "--format", "json") == 0
    asked = rec.recommend(["c1"], k=3, request="Emma", request_weight=0.7)  # as the service weighs what is typed
    rows = json.loads(capsys.readouterr().out)
    assert [row["score"] for row in rows] == asked.scores[0][: len(rows)].tolist()


def test_context_and_parquet_with_the_default_model(folder, capsys):
    model = folder / "context.skops"
    assert run("fit", folder / "orders.parquet", "--context", "device", "--output", model) == 0
    rec = skops.io.load(model, trusted=skops_trusted_types())
    assert rec.feature_names_in_.tolist() == ["customer_id", "product_id", "device"]


def test_evaluate(folder, capsys):
    (folder / "knn.toml").write_text('estimator = "ItemKNNRecommender"\nn_neighbors = 5\n')
    arguments = ["evaluate", folder / "orders.csv", "--config", folder / "knn.toml", "--metric", "recall@3"]
    assert run(*arguments, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["model"], row["metric"]) for row in rows] == [("knn", "recall@3"), ("popular", "recall@3")]
    assert run(*arguments) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "model",
        "metric",
        "mean",
        "95",
        "%",
        "interval",
        "queries",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing", "is no TOML"),
        ("n_factors = 3", "lacks the key 'estimator'"),
        ('estimator = "os.system"', "'os.system' is no public estimator; they are"),
        ("estimator = 3", "3 is no public estimator"),
        ('estimator = "HybridMFRecommender"\nn_factor = 3', "has no parameter 'n_factor'; it has"),
        ('estimator = "NgramTextEncoder"', "which recommends nothing"),
        ('estimator = "CapRule"', "CapRule"),
        ('estimator = "ItemKNNRecommender"\n[item_encoder]\nestimator = "open"', "item_encoder: 'open' is no public"),
    ],
)
def test_a_configuration_that_is_wrong(tmp_path, text, words):
    path = tmp_path / "model.toml"
    path.write_text(text)
    with pytest.raises(CommandError) as raised:
        read_config(path)
    assert words in str(raised.value)


def test_nested_configurations(tmp_path):
    path = tmp_path / "model.toml"
    path.write_text(
        'estimator = "Pipeline"\n'
        '[[steps]]\nestimator = "ContextEncoder"\n'
        '[[steps]]\nname = "both"\nestimator = "FusionRecommender"\nweights = [1.0, 2.0, 1.0]\n'
        '[[steps.recommenders]]\nestimator = "PopularRecommender"\n'
        '[[steps.recommenders]]\nestimator = "ItemKNNRecommender"\nn_neighbors = 7\n'
        '[[steps.recommenders]]\nestimator = "ItemKNNRecommender"\n'
    )
    pipe = read_config(path)
    assert [name for name, _ in pipe.steps] == ["contextencoder", "both"]
    fusion = pipe.steps[1][1]
    assert [name for name, _ in fusion.recommenders] == [
        "popularrecommender",
        "itemknnrecommender",
        "itemknnrecommender-3",
    ]
    assert fusion.get_params()["itemknnrecommender__n_neighbors"] == 7
    path.write_text(
        'estimator = "RuleRecommender"\nrecommender = {estimator = "PopularRecommender"}\n'
        'rules = [{estimator = "CapRule", column = "genre", n = 2}]\n'
    )
    assert type(read_config(path).rules[0]).__name__ == "CapRule"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("none.csv", None, "There is no file"),
        ("empty.csv", b"", "cannot be read as events"),
        ("image.csv", bytes(range(256)) * 9, "cannot be read as events"),
        ("poem.csv", b"Shall I compare thee\nto a summer's day\n", "cannot be read as events"),
        ("header.csv", b"user_id,item_id\n", "cannot be read as events"),
        ("fake.parquet", b"PAR1 no", "fake.parquet"),
    ],
)
def test_files_that_are_no_tables(tmp_path, capsys, name, data, words):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    assert run("evaluate", path) == 1
    assert words in capsys.readouterr().err


def test_items_that_are_no_table(folder, tmp_path, capsys):
    for path, words in (
        (tmp_path / "none.csv", "There is no file"),
        (tmp_path / "bad.parquet", "cannot be read as a table"),
    ):
        if path.name.startswith("bad"):
            path.write_bytes(b"no")
        assert run("fit", folder / "orders.csv", "--items", path, "--output", tmp_path / "m") == 1
        assert words in capsys.readouterr().err


def test_users_that_are_numbers(tmp_path, capsys):
    pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [5, 6, 6, 7]}).to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "p.toml").write_text('estimator = "PopularRecommender"')
    model = tmp_path / "m.skops"
    assert run("fit", tmp_path / "log.csv", "--config", tmp_path / "p.toml", "--output", model) == 0
    assert run("recommend", model, "--user", "1", "--format", "csv") == 0
    assert "1,1,7," in capsys.readouterr().out
    assert run("recommend", model, "--user", "ann") == 1
    assert "users of this model are numbers" in capsys.readouterr().err


@pytest.mark.slow
def test_demo_on_own_files(folder):
    files = [folder / "orders.csv", folder / "products.csv", "--config", folder / "model.toml", "--port", "0"]
    command = [sys.executable, "-m", "skrec", "demo", *map(str, files)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        line = next(line for line in process.stderr if "listening at" in line)
        address = line.split("listening at ")[1].split(",")[0]
        with urllib.request.urlopen(f"{address}/catalogue?q=moby") as answer:
            assert json.loads(answer.read())["items"] == [{"item": "001", "title": "Moby-Dick"}]
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_table_of_items_in_gbk_with_semicolons(tmp_path, capsys):
    """Spreadsheets write such files; ids with zeros in front stay text, and the messages name options."""
    rng = np.random.default_rng(0)
    rows = "\n".join(f"u{rng.integers(9)};00{rng.integers(8)};2024年1月{1 + at // 3}日 8:05" for at in range(60))
    (tmp_path / "订单.csv").write_text(f"会员编号;货号;下单时间\n{rows}", encoding="gbk")
    titles = "\n".join(f"00{at};第{at}本书，好看;{at},50" for at in range(8))
    (tmp_path / "商品.csv").write_text(f"货号;书名;价格\n{titles}", encoding="gbk")
    tables = own_tables(str(tmp_path / "订单.csv"), str(tmp_path / "商品.csv"))
    frame = tables.features["item_features"].table
    assert frame["货号"].tolist() == [f"00{at}" for at in range(8)]
    assert frame["书名"].tolist()[3] == "第3本书，好看"
    (tmp_path / "gaps.csv").write_text("user,item\n1,2\n,3")
    with pytest.raises(CommandError, match="or pass --drop-missing to drop"):
        own_tables(str(tmp_path / "gaps.csv"), None)
    assert len(own_tables(str(tmp_path / "gaps.csv"), None, drop_missing=True).log) == 1


def test_tables_of_json(tmp_path):
    events = [{"user": f"u{at % 7}", "product": {"id": f"00{at % 4}"}} for at in range(28)]
    items = [{"product.id": f"00{at}", "title": f"第{at}本书", "tags": ["新", "短"]} for at in range(4)]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    (tmp_path / "items.json").write_text(json.dumps(items), encoding="utf-8")
    tables = own_tables(str(tmp_path / "events.jsonl"), str(tmp_path / "items.json"))
    frame = tables.features["item_features"].table
    assert frame["product.id"].tolist() == ["000", "001", "002", "003"]
    assert frame["tags"].tolist() == ["新, 短"] * 4
    (tmp_path / "items.xlsx").write_bytes(b"PK")
    with pytest.raises(CommandError, match="spreadsheet; save it as CSV"):
        own_tables(str(tmp_path / "events.jsonl"), str(tmp_path / "items.xlsx"))
