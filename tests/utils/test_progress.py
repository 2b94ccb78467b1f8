"""Bars for long work, on a terminal alone."""

import os
import select
import struct
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.llm import CallableChat
from skrec.metrics import evaluate
from skrec.model_selection import TunedRecommender
from skrec.neighbors import ItemKNNRecommender
from skrec.utils import _progress as module
from skrec.utils import advance, progress, verbosity, watched_blocks

fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
X = np.random.default_rng(0).integers(0, 40, (400, 2))


class Terminal:
    """A pseudo-terminal as stderr."""

    def __init__(self, monkeypatch):
        self._main, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 24, 120, 0, 0))
        self._stderr = os.fdopen(end, "w")
        self._monkeypatch = monkeypatch

    def attach(self):
        """Make it stderr: within the test, since pytest sets its own after the fixtures."""
        self._monkeypatch.setattr(sys, "stderr", self._stderr)

    def read(self):
        """What was written since the last call."""
        self._stderr.flush()
        text = b""
        while select.select([self._main], [], [], 0.05)[0]:
            text += os.read(self._main, 1 << 20)
        return text.decode()

    def close(self):
        self._stderr.close()
        os.close(self._main)


@pytest.fixture
def terminal(monkeypatch):
    stand_in = Terminal(monkeypatch)
    yield stand_in
    stand_in.close()


@pytest.fixture
def impatient(monkeypatch):
    """Bars at once, as if all work were slow."""
    monkeypatch.setattr(module, "_DELAY", 0.0)


def test_slow_work_on_a_terminal_shows_a_bar_and_fast_work_none(terminal, monkeypatch):
    terminal.attach()
    monkeypatch.setattr(module, "_DELAY", 0.05)
    with progress(3, "Fast") as bar:
        for _ in range(3):
            bar.update()
    assert terminal.read() == ""
    with progress(3, "Slow", "page") as bar:
        for _ in range(3):
            time.sleep(0.11)
            bar.update(note="loss 1")
    shown = terminal.read()
    assert "Slow" in shown
    assert "3/3" in shown
    assert "page" in shown
    assert "loss 1" in shown


def test_nothing_is_written_where_nobody_watches(capsys, impatient):
    HybridMFRecommender(4, max_iter=3).fit(X)
    LLMTextEmbedder(HashingTextEncoder(), cache=None).fit_transform(["a", "b"])
    evaluate(PopularRecommender().fit(X), X, exclude_seen=False)
    assert capsys.readouterr() == ("", "")


def test_true_shows_a_bar_wherever_stderr_goes_and_false_none(capsys, terminal, impatient):
    terminal.attach()
    HybridMFRecommender(4, max_iter=3, verbose=False).fit(X)
    assert terminal.read() == ""
    HybridMFRecommender(4, max_iter=3, verbose=True).fit(X)
    assert "HybridMFRecommender, solver='als'" in terminal.read()


@pytest.mark.parametrize(
    ("work", "label"),
    [
        (lambda: HybridMFRecommender(4, max_iter=3).fit(X), "solver='als'"),
        (lambda: HybridMFRecommender(4, solver="bpr", max_iter=2).fit(X), "solver='bpr'"),
        (lambda: BPRRecommender(4, max_iter=3).fit(X), "BPRRecommender"),
        (lambda: ItemKNNRecommender().fit(np.column_stack([X[:, 0], np.arange(400)])), "Item similarities"),
        (lambda: LLMTextEmbedder(HashingTextEncoder(), cache=None).fit_transform(["a", "b"]), "Embedding"),
        (lambda: CallableChat(lambda messages: "yes").complete(["a", "b", "c"]), "Language model"),
        (lambda: TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}, n_iter=2).fit(X), "Candidates"),
    ],
)
def test_every_kind_of_long_work_has_a_bar(terminal, impatient, work, label):
    terminal.attach()
    work()
    shown = terminal.read()
    assert label in shown
    assert 1 <= shown.count("100%") <= 2  # the bar as it was when it was full, and as it was left


def test_evaluation_shows_one_bar_over_all_that_it_ranks(terminal, impatient):
    terminal.attach()
    models = {"one": PopularRecommender().fit(X), "two": PopularRecommender().fit(X)}
    evaluate(models, X, exclude_seen=False)
    shown = terminal.read()
    assert "Evaluation" in shown
    assert "2/2" in shown
    assert "recommender" in shown
    evaluate(models, X, exclude_seen=False, verbose=False)
    assert terminal.read() == ""


def test_one_setting_holds_for_what_is_nested(terminal, impatient):
    terminal.attach()
    embedder = LLMTextEmbedder(HashingTextEncoder(), cache=None)
    rec = HybridMFRecommender(4, max_iter=3, item_encoder=embedder)
    items = pd.DataFrame({"item": np.arange(40), "text": ["a text", "another"] * 20})
    rec.fit(X, item_features=items)
    shown = terminal.read()
    assert "Embedding" in shown
    assert "solver='als'" in shown
    rec.set_params(verbose=False).fit(X, item_features=items)
    assert terminal.read() == ""
    rec.set_params(item_encoder__verbose=True).fit(X, item_features=items)
    shown = terminal.read()
    assert "Embedding" in shown
    assert "solver='als'" not in shown


def test_work_inside_a_bar_opens_no_other_and_does_not_advance_it(terminal, impatient):
    terminal.attach()
    with progress(2, "Outer") as outer:
        with progress(5, "Inner") as inner:
            inner.update(5)
            advance(7)
        assert outer.done == 0
        outer.update(2)
    assert "Inner" not in terminal.read()


def test_one_step_leaves_the_bar_to_what_is_inside(terminal, impatient):
    terminal.attach()
    with progress(1, "Outer"), progress(2, "Inner") as inner:
        inner.update(2)
    shown = terminal.read()
    assert "Inner" in shown
    assert "Outer" not in shown


def test_loops_over_blocks_are_watched_where_a_caller_says_so(terminal, impatient):
    terminal.attach()
    from skrec._kernels.threads import run_blocks

    for n_jobs in (1, 2):
        run_blocks(lambda start, stop: None, 10, 2, n_jobs)
        assert terminal.read() == ""
        with watched_blocks("Blocks"):
            run_blocks(lambda start, stop: None, 10, 3, n_jobs)
        assert "10/10" in terminal.read()


def test_a_notebook_shows_a_bar_without_a_terminal(capsys, monkeypatch, impatient):
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(module, "find_spec", lambda name: None)  # without widgets, as text
    with progress(2, "Work") as bar:
        bar.update(2)
    assert "2/2" in capsys.readouterr().err


def test_other_threads_are_silent_by_default(terminal, impatient):
    terminal.attach()

    def work():
        with progress(2, "Thread") as bar:
            bar.update(2)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert terminal.read() == ""


def test_workers_of_joblib_are_silent():
    import joblib

    shown = joblib.Parallel(n_jobs=2)(joblib.delayed(_shows_in_worker)() for _ in range(2))
    assert shown == [False, False]
    assert module._is_shown(True)


def _shows_in_worker():
    from skrec.utils._progress import _is_shown

    return _is_shown(True)


@pytest.mark.parametrize("verbose", ["auto", True])
def test_a_broken_stderr_stops_no_work(monkeypatch, impatient, verbose):
    class Broken:
        encoding = "utf-8"

        def isatty(self):
            return True

        def write(self, text):
            raise OSError("no space left")

        flush = fileno = write

    closed = open(os.devnull, "w")  # noqa: SIM115
    closed.close()
    for stderr in (Broken(), closed, None):
        monkeypatch.setattr(sys, "stderr", stderr)
        with progress(2, "Work", verbose=verbose) as bar:
            bar.update()
            bar.update()
        assert bar.done == 2


def test_results_are_the_same_with_and_without_a_bar(terminal, impatient):
    terminal.attach()
    one, other = (HybridMFRecommender(4, random_state=0, verbose=v).fit(X) for v in (True, False))
    np.testing.assert_array_equal(one.user_factors_, other.user_factors_)
    one, other = (ItemKNNRecommender().fit(X) for _ in range(2))
    assert (one.similarity_ != other.similarity_).nnz == 0


def test_a_setting_ends_with_its_block():
    with verbosity(False):
        with verbosity("auto"):
            assert progress(2, "Work")._verbose is False
        with verbosity(True):
            assert progress(2, "Work")._verbose is True
    assert progress(2, "Work")._verbose == "auto"


def test_other_words_are_refused():
    for rec in (HybridMFRecommender(verbose="loud"), TunedRecommender(PopularRecommender(), verbose="loud")):
        with pytest.raises(ValueError, match="verbose"):
            rec.fit(X)


def test_a_bar_that_an_interrupt_left_open_hides_no_other(terminal):
    terminal.attach()
    progress(3, "Left").__enter__()  # an interrupt came before the work inside
    with progress(3, "Slow", verbose=True) as bar:
        bar.update()
    assert "Slow" in terminal.read()
