"""The training loop of torch models: optimiser and schedule, early stopping, checkpoints, and what goes wrong.

torch is imported where it is used. The losses are in :mod:`skrec._training.losses`, which imports it at once.
"""

from skrec._training._checkpoint import digest_of, forget_checkpoint
from skrec._training._epochs import EpochsMixin, FitOptions, with_training_arguments
from skrec._training._held_out import RankedEvents, ndcg, rows_to_hold_out
from skrec._training._processes import LaunchedProcesses, Processes
from skrec._training._settings import (
    Callback,
    EpochReport,
    TrainerSettings,
    TrainingResult,
    TrainingTask,
    read_callbacks,
)
from skrec._training._trainer import Trainer
