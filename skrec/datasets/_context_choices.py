"""Simulated choices that depend on the moment as much as on the user, with the truth beside them."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skrec.datasets._dataset import Dataset
from skrec.datasets._frames import FRAMES, FrameName, make_table, resolve_frame

__all__ = ["make_context_choices"]

_BLOCK = 1 << 12


@validate_params(
    {
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_events_per_user": [Interval(Integral, 1, None, closed="left")],
        "n_items": [Interval(Integral, 1, None, closed="left")],
        "n_contexts": [Interval(Integral, 1, None, closed="left")],
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "taste_scale": [Interval(Real, 0, None, closed="left")],
        "context_scale": [Interval(Real, 0, None, closed="left")],
        "popularity_scale": [Interval(Real, 0, None, closed="left")],
        "frame": [StrOptions({"auto", *FRAMES}), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_context_choices(
    n_users: int = 500,
    n_events_per_user: int = 100,
    *,
    n_items: int = 200,
    n_contexts: int = 8,
    n_factors: int = 8,
    taste_scale: float = 1.0,
    context_scale: float = 2.0,
    popularity_scale: float = 0.5,
    frame: FrameName = "auto",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make choices of users who want one thing in the morning and another at night.

    At each event a user is in a context drawn at random, and chooses among all items: the probability of an
    item is proportional to ``exp(utility)``, and

    .. code-block:: text

       query = user_factors[user] + context_factors[context]
       utility = item_bias[item] + query . item_factors[item]

    All are normal. Over the items, what the taste of a user adds has the standard deviation ``taste_scale``, what
    a context adds ``context_scale``, both averaged over users and contexts. An item may be chosen again.

    Parameters
    ----------
    n_users, n_events_per_user, n_items, n_contexts : int
        Sizes.
    n_factors : int, default=8
        Length of the true vectors.
    taste_scale, context_scale, popularity_scale : float, default=1.0, 2.0 and 0.5
        Standard deviations of the parts of the utility. By default the effect of the context is twice that of
        taste.
    frame : {"auto", "pandas", "polars", "pyarrow"} or None, default="auto"
        Kind of X; "auto" is the first of these that is installed. None gives a float32 array with one column of
        zeros and ones a context, which a recommender takes as it is.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same data every time.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X : frame of shape (n_users * n_events_per_user, 3), or ndarray
            ``user``, ``item`` and ``moment``, a text such as ``"moment_3"``; users take turns, so that the last
            events of each are the last rows of X.
        codes : int64 ndarray of shape (n_events, 3)
            User, item and context of each event; ids are codes.
        user_factors, context_factors : float32 ndarrays of shape (n_users, n_factors), (n_contexts, n_factors)
            What the oracle knows of who asks, and when.
        item_factors : float32 ndarray of shape (n_items, n_factors)
            And of the items;
        item_bias : float32 ndarray of shape (n_items,)
            their popularity.

    Examples
    --------
    >>> from skrec.datasets import make_context_choices
    >>> data = make_context_choices(n_users=20, n_events_per_user=5, n_items=30, n_contexts=3, random_state=0)
    >>> data.X.shape
    (100, 3)
    >>> query = data.user_factors[[7]] + data.context_factors[[2]]
    >>> utility = data.item_bias + query @ data.item_factors.T
    >>> utility.shape
    (1, 30)
    """
    frame_name = resolve_frame(frame)
    random = np.random.default_rng(check_random_state(random_state).randint(2**31))
    item_factors = random.normal(size=(n_items, n_factors)) / np.sqrt(n_factors)
    item_bias = popularity_scale * random.normal(size=n_items)
    user_factors = _scaled(random.normal(size=(n_users, n_factors)), item_factors, taste_scale)
    context_factors = _scaled(random.normal(size=(n_contexts, n_factors)), item_factors, context_scale)

    users = np.tile(np.arange(n_users), n_events_per_user)
    contexts = random.integers(n_contexts, size=len(users))
    items = np.empty(len(users), np.int64)
    for start in range(0, len(users), _BLOCK):
        rows = slice(start, start + _BLOCK)
        utility = item_bias + (user_factors[users[rows]] + context_factors[contexts[rows]]) @ item_factors.T
        # The largest utility after Gumbel noise is a draw from the softmax.
        items[rows] = np.argmax(utility + random.gumbel(size=utility.shape), axis=1)
    return Dataset(
        X=_table(users, items, contexts, n_contexts, frame_name),
        codes=np.column_stack([users, items, contexts]),
        user_factors=user_factors.astype(np.float32),
        context_factors=context_factors.astype(np.float32),
        item_factors=item_factors.astype(np.float32),
        item_bias=item_bias.astype(np.float32),
    )


def _scaled(factors: NDArray, item_factors: NDArray, scale: float) -> NDArray:
    """Factors whose utilities vary over the items by ``scale``, on average."""
    centered = item_factors - item_factors.mean(axis=0)
    variance = ((factors @ (centered.T @ centered)) * factors).sum() / (len(factors) * len(item_factors))
    return factors * (scale / np.sqrt(variance) if variance > 0 else 0.0)


def _table(users: NDArray, items: NDArray, contexts: NDArray, n_contexts: int, frame: str | None) -> object:
    if frame is None:
        return np.column_stack([users, items, np.eye(n_contexts)[contexts]]).astype(np.float32)
    names = np.array([f"moment_{i}" for i in range(n_contexts)])
    return make_table({"user": users, "item": items, "moment": names[contexts]}, frame)
