"""Events from a topic model whose topics can be read from the texts."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skrec.datasets._dataset import Dataset
from skrec.datasets._frames import FRAMES, FrameName, make_events, make_features, resolve_frame
from skrec.datasets._vocabulary import AGE_BANDS, KINDS, TOPICS, TRADES

__all__ = ["make_interactions"]

START = 1_577_836_800  # 2020-01-01 in UTC
SPAN = 3 * 365 * 86_400
_BLOCK = 1 << 18
_TASTE_ROUNDS = 30


@validate_params(
    {
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_items": [Interval(Integral, 1, None, closed="left")],
        "n_events": [Interval(Integral, 1, None, closed="left")],
        "n_topics": [Interval(Integral, 1, len(TOPICS), closed="both")],
        "topic_concentration": [Interval(Real, 0, None, closed="neither")],
        "popularity_exponent": [Interval(Real, 0, 10, closed="both")],
        "activity_exponent": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, 1, closed="both")],
        "mood": [Interval(Real, 0, 1, closed="both")],
        "repeats": ["boolean"],
        "n_cold_items": [Interval(Integral, 0, None, closed="left")],
        "ids": [StrOptions({"int", "str"})],
        "frame": [StrOptions({"auto", *FRAMES}), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_interactions(
    n_users: int = 500,
    n_items: int = 200,
    n_events: int = 20_000,
    *,
    n_topics: int = 8,
    topic_concentration: float = 0.1,
    popularity_exponent: float = 0.8,
    activity_exponent: float = 0.5,
    noise: float = 0.1,
    mood: float = 0.5,
    repeats: bool = False,
    n_cold_items: int = 0,
    ids: str = "int",
    frame: FrameName = "auto",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make events with latent tastes, power-law popularity, time, and texts that carry the tastes.

    Users and items are mixtures of topics. For each event a user is drawn by activity, a topic from the
    user's mixture, and an item in proportion to its share of that topic and to its popularity. Descriptions
    and biographies are written from the vocabularies of the same topics, so that a text model can recover
    them. No (users x items) matrix is made: memory grows with events, users and items.

    Parameters
    ----------
    n_users, n_items, n_events : int
        Sizes. Every event is kept: ``n_events`` rows come back.
    n_topics : int, default=8
        Number of latent topics, at most 16.
    topic_concentration : float, default=0.1
        Parameter of the symmetric Dirichlet distribution of the mixtures; near 0 everyone has one topic.
    popularity_exponent : float, default=0.8
        The item of popularity rank r has weight r ** -popularity_exponent.
    activity_exponent : float, default=0.5
        The same for users.
    noise : float, default=0.1
        Share of events that go by popularity alone.
    mood : float, default=0.5
        How much a user's events of one topic flock together in time: 0 is no order at all, 1 one topic
        after the other.
    repeats : bool, default=False
        Whether a user may meet an item again. Without repeats at most half of all pairs can be asked for;
        in a very dense table the last pairs are drawn uniformly.
    n_cold_items : int, default=0
        Items that have features and no event. They are among ``n_items``.
    ids : {"int", "str"}, default="int"
        Ids as integers, or as strings such as ``"u042"`` and ``"i007"``.
    frame : {"auto", "pandas", "polars", "pyarrow"} or None, default="auto"
        Kind of the tables; "auto" is the first of these that is installed. With None they are NumPy: X
        holds user and item alone, its rows are in time order, and feature tables are pairs ``(ids, matrix)``.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same data every time.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X : frame of shape (n_events, 3), or ndarray of shape (n_events, 2)
            ``user``, ``item`` and ``timestamp`` (seconds since 1970), in time order. Also as
            ``interactions``.
        y : float32 ndarray of shape (n_events,)
            Ratings from 1 to 5: high where the mixtures of user and item agree.
        timestamp : int64 ndarray of shape (n_events,)
            The times of the events, also where X is an array.
        item_features : frame of n_items rows
            ``item_id``, ``title``, ``kind`` and ``description``.
        user_features : frame of n_users rows
            ``user_id``, ``age_band`` and ``biography``.
        user_factors, item_factors : float32 ndarrays of shape (n_users, n_topics), (n_items, n_topics)
            The true mixtures; rows sum to 1, in the order of the feature tables.
        item_popularity : float64 ndarray of shape (n_items,)
            Sums to 1; 0 for cold items.
        topic_names : list of str
            What the topics are about.

    Raises
    ------
    ValueError
        If there are more events than half the pairs and ``repeats`` is False, or no item that is not cold.
    ImportError
        If ``frame`` is not installed.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> data = make_interactions(n_users=20, n_items=30, n_events=100, n_topics=3, random_state=0)
    >>> data.X.shape
    (100, 3)
    >>> data.topic_names
    ['sailing', 'gardening', 'astronomy']
    >>> data.item_factors.shape
    (30, 3)
    """
    frame_name = resolve_frame(frame)
    n_warm = n_items - n_cold_items
    if n_warm < 1:
        raise ValueError(
            f"n_cold_items={n_cold_items} leaves none of the n_items={n_items} items to be met; pass fewer."
        )
    if not repeats and n_events > n_users * n_warm / 2:
        raise ValueError(
            f"n_events={n_events} is more than half of the {n_users * n_warm} pairs of {n_users} users and {n_warm} "
            "items; pass fewer events, more users or items, or repeats=True."
        )
    random = np.random.default_rng(check_random_state(random_state).randint(2**31))
    user_factors = _mixtures(n_users, n_topics, topic_concentration, random)
    item_factors = _mixtures(n_items, n_topics, topic_concentration, random)
    popularity = random.permutation(_power_law(n_items, popularity_exponent))
    popularity[random.choice(n_items, n_cold_items, replace=False)] = 0
    popularity /= popularity.sum()
    model = _TopicModel(user_factors, item_factors, popularity, activity_exponent, noise, random)

    users, items, topics = model.draw_distinct(n_events) if not repeats else model.draw(n_events)
    times = _times(users, topics, user_factors.shape, mood, random)
    order = np.argsort(times, kind="stable")
    users, items, times = users[order], items[order], times[order]

    user_ids, item_ids = _ids(n_users, "u", ids), _ids(n_items, "i", ids)
    X = make_events(user_ids[users], item_ids[items], times, frame_name)
    return Dataset(
        X=X,
        interactions=X,
        y=_ratings(user_factors, item_factors, users, items, random),
        timestamp=times,
        item_features=make_features({"item_id": item_ids, **_item_texts(item_factors, random)}, frame_name),
        user_features=make_features({"user_id": user_ids, **_user_texts(user_factors, random)}, frame_name),
        user_factors=user_factors,
        item_factors=item_factors,
        item_popularity=popularity,
        topic_names=[topic.name for topic in TOPICS[:n_topics]],
    )


class _TopicModel:
    """Draws (user, item, topic) triples from cumulative distributions, one table a topic."""

    def __init__(
        self,
        user_factors: NDArray[np.float32],
        item_factors: NDArray[np.float32],
        popularity: NDArray[np.float64],
        activity_exponent: float,
        noise: float,
        random: np.random.Generator,
    ) -> None:
        self.random = random
        self.noise = noise
        self.warm = np.flatnonzero(popularity)
        self.activity = np.cumsum(random.permutation(_power_law(len(user_factors), activity_exponent)))
        self.tastes = np.cumsum(user_factors, axis=1, dtype=np.float64)
        weights = item_factors.T.astype(np.float64) * popularity
        by_topic = np.vstack([weights, popularity])
        # A topic that no warm item has is met by popularity.
        by_topic[~(by_topic.sum(axis=1) > 0)] = popularity
        self.shelves = np.cumsum(by_topic, axis=1)
        self.n_items = len(popularity)

    def draw(self, n_events: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """User, item and topic of each event."""
        users = _pick(self.activity, self.random.random(n_events))
        topics = np.empty(n_events, np.int64)
        for start in range(0, n_events, _BLOCK):
            rows = slice(start, start + _BLOCK)
            topics[rows] = _pick_rows(self.tastes[users[rows]], self.random)
        items = np.empty(n_events, np.int64)
        shelf = np.where(self.random.random(n_events) < self.noise, len(self.shelves) - 1, topics)
        for number, shelf_weights in enumerate(self.shelves):
            chosen = np.flatnonzero(shelf == number)
            items[chosen] = _pick(shelf_weights, self.random.random(len(chosen)))
        return users, items, topics

    def draw_uniform(self, n_events: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Any user, any item that is not cold."""
        users = self.random.integers(len(self.tastes), size=n_events)
        topics = _pick_rows(self.tastes[users], self.random)
        return users, self.random.choice(self.warm, n_events), topics

    def draw_distinct(self, n_events: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """As :meth:`draw`, each pair once: repeated pairs are drawn again."""
        pairs, topics = np.empty(0, np.int64), np.empty(0, np.int64)
        attempt = 0
        while (missing := n_events - len(pairs)) > 0:
            draw = self.draw if attempt < _TASTE_ROUNDS else self.draw_uniform
            users, items, drawn = draw(missing + missing // 4 + 16)
            joined = np.concatenate([pairs, users * self.n_items + items])
            _, first = np.unique(joined, return_index=True)
            first = np.sort(first)[:n_events]
            pairs, topics = joined[first], np.concatenate([topics, drawn])[first]
            attempt += 1
        return pairs // self.n_items, pairs % self.n_items, topics


def _mixtures(n_rows: int, n_topics: int, concentration: float, random: np.random.Generator) -> NDArray[np.float32]:
    return random.dirichlet(np.full(n_topics, concentration), size=n_rows).astype(np.float32)


def _power_law(n: int, exponent: float) -> NDArray[np.float64]:
    return np.arange(1, n + 1, dtype=np.float64) ** -exponent


def _pick(cumulative: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position in one cumulative distribution; positions of weight zero are never picked."""
    return np.searchsorted(cumulative, uniform * cumulative[-1], side="right").clip(max=len(cumulative) - 1)


def _pick_rows(cumulative: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    """One position from each row's own cumulative distribution."""
    thresholds = random.random(len(cumulative)) * cumulative[:, -1]
    return (cumulative <= thresholds[:, None]).sum(axis=1).clip(max=cumulative.shape[1] - 1)


def _times(
    users: NDArray[np.int64],
    topics: NDArray[np.int64],
    shape: tuple[int, ...],
    mood: float,
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Seconds since 1970: each user is around for a while, and turns to each topic in a season of it."""
    joined = random.random(shape[0]) * 0.7
    stay = (1 - joined) * random.uniform(0.3, 1.0, shape[0])
    season = random.random(shape)
    moment = mood * season[users, topics] + (1 - mood) * random.random(len(users))
    return START + ((joined[users] + stay[users] * moment) * SPAN).astype(np.int64)


def _ratings(
    user_factors: NDArray[np.float32],
    item_factors: NDArray[np.float32],
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Stars from 1 to 5 by the cosine of the two mixtures, the item's own quality, and chance."""
    user_units = user_factors / np.linalg.norm(user_factors, axis=1, keepdims=True)
    item_units = item_factors / np.linalg.norm(item_factors, axis=1, keepdims=True)
    quality = random.normal(0, 0.4, len(item_factors))
    stars = np.empty(len(users), np.float32)
    for start in range(0, len(users), _BLOCK):
        rows = slice(start, start + _BLOCK)
        agreement = np.einsum("ij,ij->i", user_units[users[rows]], item_units[items[rows]])
        opinion = 2.2 + 2.2 * agreement + quality[items[rows]] + random.normal(0, 0.5, len(agreement))
        stars[rows] = np.clip(np.rint(opinion), 1, 5)
    return stars


def _ids(n: int, prefix: str, kind: str) -> NDArray:
    if kind == "int":
        return np.arange(n)
    width = len(str(n - 1))
    return np.array([f"{prefix}{i:0{width}d}" for i in range(n)])


def _slots(factors: NDArray[np.float32], n_slots: int, random: np.random.Generator) -> tuple[list, list]:
    """Topics drawn from each row's mixture, and a position for the word of each."""
    cumulative = np.cumsum(factors, axis=1, dtype=np.float64)
    topics = np.stack([_pick_rows(cumulative, random) for _ in range(n_slots)], axis=1)
    return topics.tolist(), random.integers(1 << 16, size=topics.shape).tolist()


def _item_texts(factors: NDArray[np.float32], random: np.random.Generator) -> dict[str, list[str]]:
    titles, kinds, descriptions = [], [], []
    for topics, words in zip(*_slots(factors, 5, random), strict=True):
        manner, *subjects = (TOPICS[topic] for topic in topics)
        adjective = manner.manners[words[0] % 3]
        kind = KINDS[words[0] % len(KINDS)]
        # Steps through a vocabulary of six from one random start, so that no phrase comes twice.
        one, two, three, four = (s.subjects[(words[1] + step) % 6] for step, s in enumerate(subjects))
        titles.append(f"{one.removeprefix('a ').removeprefix('an ').removeprefix('the ').capitalize()} and {two}")
        kinds.append(kind)
        article = "An" if adjective[0] in "aeiou" else "A"
        descriptions.append(f"{article} {adjective} {kind} about {one} and {two}, with chapters on {three} and {four}.")
    return {"title": titles, "kind": kinds, "description": descriptions}


def _user_texts(factors: NDArray[np.float32], random: np.random.Generator) -> dict[str, list[str]]:
    band_of_topic = np.cumsum(random.dirichlet(np.full(len(AGE_BANDS), 0.6), size=factors.shape[1]), axis=1)
    bands, biographies = [], []
    topics, words = _slots(factors, 4, random)
    ages = _pick_rows(band_of_topic[np.asarray(topics)[:, 0]], random).tolist()
    for own, word, age in zip(topics, words, ages, strict=True):
        first, second, third, fourth = (TOPICS[topic] for topic in own)
        likes = f"{third.subjects[word[2] % 6]} and {fourth.subjects[(word[2] + 1) % 6]}"
        trade = "pupil" if age == 0 else TRADES[word[3] % len(TRADES)]
        pursuit, hobby = first.pursuits[word[0] % 3], second.pursuits[(word[0] + 1) % 3]
        article = "An" if trade[0] in "aeiou" else "A"
        bands.append(AGE_BANDS[age])
        biographies.append(f"{article} {trade} who {pursuit} and {hobby}, and likes stories about {likes}.")
    return {"age_band": bands, "biography": biographies}
