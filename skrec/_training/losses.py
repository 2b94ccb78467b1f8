"""Losses of ranking models, one value per target. All of them are for training alone: no correction serves a list."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, logsigmoid, normalize


def full_softmax(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over the whole catalogue.

    Parameters
    ----------
    scores : tensor of shape (n_targets, n_items)
    targets : int64 tensor of shape (n_targets,)

    Returns
    -------
    tensor of shape (n_targets,)
    """
    return cross_entropy(scores, targets, reduction="none")


def sampled_softmax(
    positive: torch.Tensor,
    negative: torch.Tensor,
    valid: torch.Tensor,
    log_q_negative: torch.Tensor,
    log_q_positive: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy over the target and negative samples, each less the logarithm of its expected number of draws.

    Parameters
    ----------
    positive : tensor of shape (n_targets,)
        Scores of the targets.
    negative : tensor of shape (n_targets, n_negatives)
    valid : bool tensor of shape (n_targets, n_negatives)
        False for accidental hits, which do not count.
    log_q_negative : tensor of shape (n_negatives,) or (n_targets, n_negatives)
        Logarithms of the expected number of draws of each negative sample.
    log_q_positive : tensor of shape (n_targets,), default=None
        The same of the targets, where they are drawn too: with the targets of a batch as each other's negatives. None
        for targets that are always there.

    Returns
    -------
    tensor of shape (n_targets,)

    References
    ----------
    Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019.
    """
    if log_q_positive is not None:
        positive = positive - log_q_positive
    negative = (negative - log_q_negative).masked_fill(~valid, -torch.inf)
    return torch.logsumexp(torch.cat([positive[:, None], negative], dim=1), dim=1) - positive


def bce(positive: torch.Tensor, negative: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of the target, and the mean over its negative samples; as shapes of sampled_softmax.

    References
    ----------
    Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018.
    """
    return -logsigmoid(positive) - _mean_of_valid(logsigmoid(-negative), valid)


def bpr(positive: torch.Tensor, negative: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """The mean over negative samples of how far they come near the target; as shapes of sampled_softmax.

    References
    ----------
    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
    """
    return -_mean_of_valid(logsigmoid(positive[:, None] - negative), valid)


def info_nce(
    queries: torch.Tensor, keys: torch.Tensor, ids: torch.Tensor | None = None, *, temperature: float = 0.1
) -> torch.Tensor:
    """Cross-entropy of each query's own key among the keys of the batch, by cosine.

    Parameters
    ----------
    queries, keys : tensors of shape (n, d)
        The key of a query is in the same row.
    ids : int64 tensor of shape (n,), default=None
        What the keys stand for: other rows with the same id are accidental hits, and do not count.
    temperature : float, default=0.1
        Divides the cosines.

    Returns
    -------
    tensor of shape (n,)

    References
    ----------
    van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018.
    """
    scores = normalize(queries, dim=1) @ normalize(keys, dim=1).T / temperature
    rows = torch.arange(len(scores), device=scores.device)
    if ids is not None:
        same = ids[:, None] == ids
        same[rows, rows] = False
        scores = scores.masked_fill(same, -torch.inf)
    return cross_entropy(scores, rows, reduction="none")


def no_accidental_hits(targets: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    """Which negative samples are not the target: a bool tensor (n_targets, n_negatives).

    Parameters
    ----------
    targets : int64 tensor of shape (n_targets,)
    negatives : int64 tensor of shape (n_negatives,) or (n_targets, n_negatives)
    """
    return targets[:, None] != negatives


def _mean_of_valid(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """(n_targets,) mean over the valid negative samples; 0 where there is none."""
    return (values * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)
