"""README and the user guide name what is public."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator

import skrec

ROOT = Path(skrec.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "user_guide").glob("*.rst"))
MODULES = [name for name in skrec.__all__ if inspect.ismodule(getattr(skrec, name)) and name != "datasets"]
CLASSES = {
    value
    for module in MODULES
    for value in vars(importlib.import_module(f"skrec.{module}")).values()
    if inspect.isclass(value) and value.__name__ in importlib.import_module(f"skrec.{module}").__all__
}


def named(cls, text):
    return re.search(rf"\b{cls.__name__}\b", text) is not None


@pytest.mark.parametrize("cls", sorted(CLASSES, key=lambda cls: cls.__name__), ids=lambda cls: cls.__name__)
def test_the_guide_names_every_public_class(cls):
    assert named(cls, GUIDE), f"say in docs/user_guide what {cls.__name__} is for"


def test_the_readme_names_every_estimator_and_splitter():
    bases = (BaseEstimator, BaseCrossValidator)
    public = {cls for cls in CLASSES if issubclass(cls, bases) and not cls.__module__.startswith("skrec.base")}
    assert {cls.__name__ for cls in public if not named(cls, README)} == set()


def test_the_guide_names_every_hook():
    """Those that a model may define, in the table of the page about writing one."""
    page = (ROOT / "docs" / "user_guide" / "own_recommender.rst").read_text(encoding="utf-8")
    hooks = [
        "_fit",
        "_partial_fit",
        "_score",
        "_is_cold",
        "_cold_start_scores",
        "_score_with_cold_start",
        "_score_pairs",
    ]
    for hook in hooks:
        assert f"* - ``{hook}(" in page
        assert hasattr(skrec.BaseRecommender, hook) or hasattr(skrec.PartialFitMixin, hook)


def test_a_class_without_a_word_is_found():
    assert not named(type("NeverNamedRecommender", (), {}), README + GUIDE)
