"""The training loop on a small classifier: steps, early stopping, checkpoints, and what goes wrong."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skrec._training import Trainer, TrainerSettings, _steps, forget_checkpoint, read_callbacks
from skrec._training._steps import Stepper, rate_factor
from skrec._training.losses import full_softmax
from skrec.exceptions import TrainingWarning


class Task:
    """Softmax regression with dropout on drawn points; what it draws comes from its generators."""

    def __init__(self, *, dropout=0.2, scores=None, batch_size=8, n=40):
        rng = np.random.default_rng(0)
        self.x = torch.as_tensor(rng.normal(size=(n, 5)), dtype=torch.float32)
        self.y = torch.as_tensor(rng.integers(0, 3, n))
        self.module = torch.nn.Linear(5, 3, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            for weight in self.module.parameters():
                weight.copy_(torch.as_tensor(rng.normal(size=weight.shape) * 0.1))
        self.generator, self.device = torch.Generator(), torch.device("cpu")
        self.dropout, self.scores, self.batch_size = dropout, scores, batch_size
        self.n_losses = self.n_validations = 0
        self.before_loss = lambda: None

    def batches(self, rng):
        return np.array_split(rng.permutation(len(self.x)), len(self.x) // self.batch_size)

    def n_targets(self, batch):
        return len(batch)

    def loss(self, batch):
        self.n_losses += 1
        self.before_loss()
        x = self.x[batch]
        if self.dropout:
            x = x * torch.empty_like(x).bernoulli_(1 - self.dropout, generator=self.generator)
        return full_softmax(self.module(x), self.y[batch]).sum()

    def validation_score(self):
        self.n_validations += 1
        return None if self.scores is None else self.scores[self.n_validations - 1]

    def weights(self):
        return {name: value.clone() for name, value in self.module.state_dict().items()}


SETTINGS = TrainerSettings(learning_rate=0.05, max_iter=6, seed=3)


def _equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_loss_falls_and_the_same_seed_gives_the_same_bits():
    a, b, other = Task(), Task(), Task()
    curve = Trainer(SETTINGS).run(a).loss_curve
    assert curve == Trainer(SETTINGS).run(b).loss_curve
    assert len(curve) == 6
    assert curve[-1] < curve[0]
    assert _equal(a.weights(), b.weights())
    Trainer(replace(SETTINGS, seed=4)).run(other)
    assert not _equal(a.weights(), other.weights())


def test_random_numbers_of_the_caller_are_untouched():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Trainer(SETTINGS).run(Task())
    assert torch.equal(before, torch.get_rng_state())


def test_the_weights_are_those_of_the_best_epoch():
    task = Task(scores=[0.1, 0.4, 0.3, 0.2, 0.9, 0.0])
    seen = []
    settings = replace(SETTINGS, patience=2)
    result = Trainer(settings, [lambda report: seen.append((report.epoch, task.weights()))]).run(task)
    assert result.stopped_by == "patience"
    assert result.best_epoch == 2
    assert result.validation_scores == [0.1, 0.4, 0.3, 0.2]
    assert len(result.loss_curve) == 4
    assert _equal(dict(seen)[2], task.weights())


@pytest.mark.parametrize(("n", "batch_size", "n_epochs"), [(40, 4, 40), (40, 1, 10), (240, 2, 5)])
def test_patience_is_of_four_hundred_steps_where_epochs_are_short(tmp_path, n, batch_size, n_epochs):
    scores = [0.1, 0.2] + [0.1] * 60
    settings = replace(SETTINGS, max_iter=60, patience="auto", checkpoint=str(tmp_path / "run.pt"))
    task = Task(scores=scores, n=n, batch_size=batch_size)

    def kill(report):
        if report.epoch == 5:
            raise SystemExit

    with pytest.raises(SystemExit):
        Trainer(settings, [kill]).run(task)
    task.n_validations = 4  # the checkpoint is of the epoch before
    result = Trainer(settings).run(task)
    assert (result.stopped_by, result.best_epoch, len(result.loss_curve)) == ("patience", 2, 2 + n_epochs)
    by_epochs = replace(settings, patience=3, checkpoint=None)
    assert len(Trainer(by_epochs).run(Task(scores=scores, batch_size=batch_size)).loss_curve) == 5


def test_a_callback_sees_each_epoch_and_may_stop():
    reports = []

    def stop_after_three(report):
        reports.append(report)
        return report.epoch == 3

    result = Trainer(SETTINGS, read_callbacks(stop_after_three)).run(Task(scores=[0.3, 0.2, 0.1]))
    assert result.stopped_by == "callback"
    assert [r.epoch for r in reports] == [1, 2, 3]
    assert [r.best_epoch for r in reports] == [1, 1, 1]
    assert [r.loss for r in reports] == result.loss_curve
    with pytest.raises(TypeError, match="callbacks must be functions"):
        read_callbacks([1])


def test_accumulated_batches_equal_one_large_batch():
    """The loss is a mean over all targets of a step, also where batches have different numbers of them."""
    task = Task(dropout=0)
    large, small = Stepper(task, SETTINGS), None
    start = task.weights()
    batch = np.arange(20)
    total, n = large.step([batch], 0.1)
    after = task.weights()
    task.module.load_state_dict(start)
    small = Stepper(task, SETTINGS)
    assert_allclose(small.step([batch[:3], batch[3:11], batch[11:]], 0.1), (total, n), rtol=1e-6)
    for name, value in task.weights().items():
        assert_allclose(value, after[name], atol=1e-6)


def test_accumulation_takes_fewer_steps():
    one, four = Task(), Task()
    settings = replace(SETTINGS, max_iter=1)
    Trainer(settings).run(one)
    Trainer(replace(settings, accumulation=4)).run(four)
    assert one.n_losses == four.n_losses == 5
    assert not _equal(one.weights(), four.weights())


def test_gradients_are_clipped():
    task = Task(dropout=0)
    stepper = Stepper(task, replace(SETTINGS, max_norm=1e-3))
    stepper.step([np.arange(20)], 0.1)
    norm = torch.sqrt(sum(p.grad.square().sum() for p in task.module.parameters()))
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_the_learning_rate_rises_and_falls():
    settings = replace(SETTINGS, warmup=0.1, schedule="linear")
    rates = [rate_factor(settings, step, 100) for step in range(101)]
    assert_allclose(np.diff(rates[:11]), 1 / 11)
    assert rates[10] == 1
    assert_allclose(np.diff(rates[10:]), -1 / 90)
    assert rates[100] == 0
    cosine = [rate_factor(replace(settings, schedule="cosine", warmup=0), step, 100) for step in (0, 50, 100)]
    assert_allclose(cosine, [1, 0.5, 0], atol=1e-12)
    assert rate_factor(SETTINGS, 70, 100) == 1


def test_only_matrices_are_regularized():
    task = Task(dropout=0)
    task.module.weight.grad = torch.zeros_like(task.module.weight)
    groups = Stepper(task, replace(SETTINGS, regularization=0.5))._optimizer.param_groups
    assert [(g["weight_decay"], [p.ndim for p in g["params"]]) for g in groups] == [(0.5, [2]), (0.0, [1])]


# Checkpoints -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("losses_before_kill", [3, 5, 12, 17])
def test_a_killed_run_continues_as_if_nothing_had_happened(tmp_path, accumulation, losses_before_kill):
    settings = replace(SETTINGS, accumulation=accumulation)
    whole = Task(scores=[0.1, 0.5, 0.2, 0.6, 0.3, 0.4])
    expected = Trainer(settings).run(whole)

    settings = replace(settings, checkpoint=str(tmp_path / "run.pt"), checkpoint_seconds=0)
    killed = Task(scores=[0.1, 0.5, 0.2, 0.6, 0.3, 0.4])

    def kill():
        if killed.n_losses > losses_before_kill:
            raise SystemExit

    killed.before_loss = kill
    with pytest.raises(SystemExit):
        Trainer(settings).run(killed)
    task = Task(scores=[0.1, 0.5, 0.2, 0.6, 0.3, 0.4])
    task.n_validations = killed.n_validations
    result = Trainer(settings).run(task)
    assert_allclose(result.loss_curve, expected.loss_curve, rtol=1e-6)
    assert result.validation_scores == expected.validation_scores
    assert result.best_epoch == expected.best_epoch == 4
    assert _equal(task.weights(), whole.weights())
    assert task.n_losses < whole.n_losses


def test_a_run_that_is_over_is_not_run_again(tmp_path):
    settings = replace(SETTINGS, checkpoint=str(tmp_path / "run.pt"))
    first, again, longer = Task(), Task(), Task()
    result = Trainer(settings).run(first)
    assert Trainer(settings).run(again) == result
    assert again.n_losses == 0
    assert _equal(first.weights(), again.weights())
    assert len(Trainer(replace(settings, max_iter=8)).run(longer).loss_curve) == 8
    assert longer.n_losses == 10
    forget_checkpoint(settings.checkpoint)
    assert not list(tmp_path.iterdir())
    forget_checkpoint(settings.checkpoint)


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", "cut", "other"])
def test_a_damaged_checkpoint_is_an_error(tmp_path, damage):
    path = tmp_path / "run.pt"
    settings = replace(SETTINGS, checkpoint=str(path))
    Trainer(settings).run(Task())
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "other":
        torch.save({"something": 1}, path)
    else:
        path.write_bytes(damage)
    with pytest.raises(ValueError, match="delete"):
        Trainer(settings).run(Task())


def test_a_checkpoint_runs_no_code(tmp_path):
    path = tmp_path / "run.pt"
    torch.save({"format": 1, "settings": os.path.join}, path)
    with pytest.raises(ValueError, match="cannot be read"):
        Trainer(replace(SETTINGS, checkpoint=str(path))).run(Task())


def test_a_checkpoint_of_other_parameters_is_an_error(tmp_path):
    settings = replace(SETTINGS, checkpoint=str(tmp_path / "run.pt"), fingerprint={"n_factors": 8})
    Trainer(settings).run(Task())
    with pytest.raises(ValueError, match=r"other learning_rate, n_factors.*0\.05 there, 0\.1 here"):
        Trainer(replace(settings, learning_rate=0.1, fingerprint={"n_factors": 9})).run(Task())


@pytest.mark.slow
def test_a_kill_while_writing_leaves_the_last_checkpoint(tmp_path):
    """A process that is killed at any moment: the file is whole, and the run goes on from it."""
    script = textwrap.dedent(
        """
        import sys; sys.path.insert(0, sys.argv[2])
        from dataclasses import replace
        from test_trainer import SETTINGS, Task
        from skrec._training import Trainer
        settings = replace(SETTINGS, max_iter=10**6, checkpoint=sys.argv[1], checkpoint_seconds=0)
        Trainer(settings, [lambda report: print(report.epoch, flush=True) if report.epoch == 3 else None]).run(Task())
        """
    )
    path, here = str(tmp_path / "run.pt"), os.path.dirname(__file__)
    process = subprocess.Popen([sys.executable, "-c", script, path, here], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    settings = replace(SETTINGS, checkpoint=path, checkpoint_seconds=1e9)
    n_done = torch.load(path, weights_only=True)["run"]["epoch"]
    assert n_done >= 2
    result = Trainer(replace(settings, max_iter=n_done + 2)).run(Task())
    expected = Trainer(replace(SETTINGS, max_iter=n_done + 2)).run(Task())
    assert_allclose(result.loss_curve, expected.loss_curve, rtol=1e-6)


# What goes wrong ---------------------------------------------------------------------------------------------


def _at_loss(task, number, action):
    def before_loss():
        if task.n_losses == number:
            action()

    task.before_loss = before_loss


def _raise(error):
    raise error


def _break_weights(task):
    with torch.no_grad():
        task.module.weight[:] = torch.nan


def test_nan_keeps_the_last_good_weights():
    task, good = Task(), Task()
    _at_loss(task, 13, lambda: _break_weights(task))
    with pytest.warns(TrainingWarning, match=r"NaN or infinite, in epoch 3 of 6; the model has the weights of epoch 2"):
        result = Trainer(SETTINGS).run(task)
    assert result.stopped_by == "nan"
    Trainer(replace(SETTINGS, max_iter=2)).run(good)
    assert _equal(task.weights(), good.weights())


def test_nan_in_the_first_epoch_is_an_error():
    task = Task()
    _at_loss(task, 2, lambda: _break_weights(task))
    with pytest.raises(ValueError, match=r"NaN or infinite in epoch 1\. Pass a smaller learning_rate"):
        Trainer(SETTINGS).run(task)


def test_weights_that_the_last_step_broke_are_not_kept():
    """No loss shows it: there is no step after it."""
    with pytest.raises(
        ValueError, match=r"or the weights became NaN or infinite in epoch 1.* regularization, here 1e\+25"
    ):
        Trainer(replace(SETTINGS, max_iter=1, regularization=1e25)).run(Task())


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights():
    task = Task(dropout=0)
    before = task.weights()
    task.module.weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(ValueError, match="NaN or infinite"):
        Trainer(SETTINGS).run(task)
    assert _equal(task.weights(), before)


def test_an_interrupt_keeps_the_best_so_far():
    task = Task(scores=[0.3, 0.2])
    _at_loss(task, 12, lambda: _raise(KeyboardInterrupt))
    with pytest.warns(TrainingWarning, match=r"interrupted in epoch 3 of 6; the model has the weights of epoch 1"):
        result = Trainer(SETTINGS).run(task)
    assert (result.stopped_by, result.best_epoch, len(result.loss_curve)) == ("interrupt", 1, 2)


def test_an_interrupt_before_the_first_epoch_ends_is_raised():
    task = Task()
    _at_loss(task, 2, lambda: _raise(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        Trainer(SETTINGS).run(task)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("can't allocate memory")]
)
def test_out_of_memory_halves_the_batch(error):
    task, whole = Task(dropout=0), Task(dropout=0)
    sizes = []

    def n_at_once(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise error
        return Task.loss(task, batch)

    task.loss = n_at_once
    with pytest.warns(TrainingWarning, match="did not fit in the memory of cpu") as caught:
        result = Trainer(SETTINGS).run(task)
    assert len(caught) == 2  # 8, then 4, then 2
    assert sizes[:2] == [8, 4]
    assert max(sizes[2:]) == 2
    assert_allclose(result.loss_curve, Trainer(SETTINGS).run(whole).loss_curve, rtol=1e-5)


def test_a_batch_of_one_that_does_not_fit_is_an_error():
    task = Task()
    task.loss = lambda batch: _raise(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.warns(TrainingWarning), pytest.raises(RuntimeError, match="out of memory"):
        Trainer(SETTINGS).run(task)


def test_other_errors_are_raised():
    task = Task()
    task.loss = lambda batch: _raise(RuntimeError("a fault"))
    with pytest.raises(RuntimeError, match="a fault"):
        Trainer(SETTINGS).run(task)


on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def task_on_cuda(dropout=0.0):
    task = Task(dropout=dropout)
    task.device = torch.device("cuda")
    task.module.to("cuda")
    task.generator = torch.Generator("cuda")
    task.x, task.y = task.x.cuda(), task.y.cuda()
    return task


@on_cuda
@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_mixed_precision_on_a_gpu(monkeypatch, has_bfloat16):
    """In bfloat16, or in float16 with a scaled loss."""
    if has_bfloat16 and not torch.cuda.is_bf16_supported():
        pytest.skip("needs a CUDA device with bfloat16")
    monkeypatch.setattr(_steps, "have_bfloat16", lambda devices: has_bfloat16)
    task, dtypes = task_on_cuda(), set()
    task.module.register_forward_hook(lambda module, given, scores: dtypes.add(scores.dtype))
    curve = Trainer(SETTINGS).run(task).loss_curve
    assert dtypes == {torch.bfloat16 if has_bfloat16 else torch.float16}
    assert all(weight.dtype == torch.float32 for weight in task.module.parameters())
    assert_allclose(curve, Trainer(SETTINGS).run(Task(dropout=0)).loss_curve, rtol=0.02)


@on_cuda
def test_full_precision_on_a_gpu():
    curve = Trainer(replace(SETTINGS, mixed_precision=False)).run(task_on_cuda()).loss_curve
    assert_allclose(curve, Trainer(SETTINGS).run(Task(dropout=0)).loss_curve, rtol=1e-4)


@on_cuda
@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_a_killed_run_continues_on_a_gpu(monkeypatch, tmp_path, has_bfloat16):
    """The checkpoint has the random state of the GPU, and the scale of the loss."""
    monkeypatch.setattr(_steps, "have_bfloat16", lambda devices: has_bfloat16)
    settings = replace(SETTINGS, checkpoint=str(tmp_path / "run.pt"), checkpoint_seconds=0)
    killed = task_on_cuda(dropout=0.2)
    _at_loss(killed, 12, lambda: _raise(SystemExit))
    with pytest.raises(SystemExit):
        Trainer(settings).run(killed)
    whole = Trainer(SETTINGS).run(task_on_cuda(dropout=0.2)).loss_curve
    assert_allclose(Trainer(settings).run(task_on_cuda(dropout=0.2)).loss_curve, whole, rtol=1e-6)


@on_cuda
def test_out_of_memory_on_a_gpu_halves_the_batch():
    task, on_cpu = task_on_cuda(), Task(dropout=0)
    task.loss = lambda batch: Task.loss(task, batch) + torch.zeros(len(batch), 2**20, device="cuda").sum()
    torch.cuda.empty_cache()
    room = torch.cuda.memory_reserved() + 28 * 2**20  # a batch of 8 takes 32
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
    try:
        with pytest.warns(TrainingWarning, match="did not fit in the memory of cuda.* in 2 parts") as caught:
            curve = Trainer(replace(SETTINGS, mixed_precision=False)).run(task).loss_curve
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert len(caught) == 1
    assert_allclose(curve, Trainer(SETTINGS).run(on_cpu).loss_curve, rtol=1e-4)
