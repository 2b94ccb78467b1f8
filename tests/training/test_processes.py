"""Several processes that train one model, as `accelerate launch` starts them: on this machine, over the loopback."""

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skrec.neural_network import SequentialRecommender

_SCRIPT = textwrap.dedent(
    """
    import os, sys
    import numpy as np
    from accelerate import PartialState
    from skrec.neural_network import SequentialRecommender

    folder = sys.argv[1]
    X = np.load(f"{folder}/X.npy")
    settings = dict(n_factors=16, n_layers=1, n_heads=2, max_length=8, learning_rate=0.02, batch_size=13, max_iter=4,
                    random_state=0, device="accelerate")
    noisy = settings | {"dropout": 0.2, "validation_fraction": 0.5}
    found = {}

    def keep(name, rec):
        found[f"{name} curve"], found[f"{name} scores"] = rec.loss_curve_, rec.validation_scores_ or []
        found.update({f"{name} {key}": array for key, array in rec._network.arrays.items()})

    def stop(report):
        if report.epoch == 3:
            raise SystemExit  # before the third epoch is saved

    keep("equal", SequentialRecommender(**settings, dropout=0, early_stopping=False).fit(X))
    keep("whole", SequentialRecommender(**noisy).fit(X))
    try:
        SequentialRecommender(**noisy).fit(X, callbacks=stop, checkpoint=f"{folder}/run.pt")
    except SystemExit:
        pass
    assert os.path.exists(f"{folder}/run.pt")
    PartialState().wait_for_everyone()
    keep("resumed", SequentialRecommender(**noisy).fit(X, checkpoint=f"{folder}/run.pt"))
    rank = PartialState().process_index
    try:
        SequentialRecommender(**(settings | {"learning_rate": 0.02 + 0.01 * rank})).fit(X)
    except ValueError as error:
        found["error"] = str(error)
    np.savez(f"{folder}/{rank}.npz", n=PartialState().num_processes, **found)
    """
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("processes")
    start = np.random.default_rng(0).integers(0, 12, 65)
    lengths = 3 + np.arange(65) % 7
    users = np.repeat(np.arange(65), lengths)
    step = np.concatenate([np.arange(n) for n in lengths])
    np.save(path / "X.npy", np.column_stack([users, (start[users] + step) % 12]))
    (path / "script.py").write_text(_SCRIPT)
    return path


@pytest.fixture(scope="module")
def found(folder):
    """What the script found in each of two processes."""
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank in range(2):
        about = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "OMP_NUM_THREADS": 1}
        about |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
        env = os.environ | {"PYTHONPATH": str(Path.cwd())} | {name: str(value) for name, value in about.items()}
        command = [sys.executable, str(folder / "script.py"), str(folder)]
        running.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=250)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    both = [np.load(folder / f"{rank}.npz") for rank in range(2)]
    assert [int(one["n"]) for one in both] == [2, 2]
    return both


@pytest.mark.slow
def test_two_processes_equal_one(folder, found):
    """24 steps, without dropout; the shares of a batch have other numbers of targets."""
    first, second = found
    one = SequentialRecommender(
        16, n_layers=1, n_heads=2, max_length=8, learning_rate=0.02, batch_size=13, dropout=0, early_stopping=False,
        max_iter=4, random_state=0,
    ).fit(np.load(folder / "X.npy"))  # fmt: skip
    assert_allclose(first["equal curve"], one.loss_curve_, rtol=1e-4)
    for name, array in one._network.arrays.items():
        if name.endswith("attention_in_bias"):  # its middle third has a gradient of rounding alone
            continue
        assert_allclose(first[f"equal {name}"], array, atol=1e-4, err_msg=name)
        assert_array_equal(first[f"equal {name}"], second[f"equal {name}"])


@pytest.mark.slow
def test_two_processes_continue_from_a_checkpoint(folder, found):
    """With dropout, of which each process draws its own, and early stopping, which the first process decides."""
    for one in found:
        names = [name.removeprefix("whole ") for name in one.files if name.startswith("whole ")]
        assert len(one["whole curve"]) == len(one["whole scores"]) == 4
        for name in names:
            assert_array_equal(one[f"resumed {name}"], one[f"whole {name}"])
    assert not (folder / "run.pt").exists()


@pytest.mark.slow
def test_processes_with_other_parameters_are_refused(found):
    for one in found:
        assert "Process 1 trains with other learning_rate than process 0" in str(one["error"])


def test_one_process_without_a_launch(folder):
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    X = np.load(folder / "X.npy")
    settings = {"n_layers": 1, "n_heads": 2, "max_iter": 2, "random_state": 0}
    alone = SequentialRecommender(16, **settings, device="auto").fit(X)
    accelerated = SequentialRecommender(16, **settings, device="accelerate").fit(X)
    # Sums on a GPU have no order.
    assert_allclose(accelerated.loss_curve_, alone.loss_curve_, rtol=1e-4 if torch.cuda.is_available() else 0)


def test_accelerate_is_not_installed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r"pip install 'skrec-text\[accelerate\]'"):
        SequentialRecommender(16, device="accelerate").fit(np.load(folder / "X.npy"))
