"""The simulated readers of the bookshop: who they are, and what they buy over four years.

Everything is drawn from one fixed seed through :class:`numpy.random.RandomState`, whose streams NumPy keeps
the same in every version.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skrec.datasets._reader_words import ReaderWords

N_READERS = 600
OPENED = 1_609_459_200  # 2021-01-01 in UTC
DAY = 86_400
OPEN_DAYS = 4 * 365
_SEED = 1871

APPEAL = 0.6
"""Log-odds of being bought, for one step of a book's appeal (1 to 3)."""
TASTE = 9.0
"""Log-odds between a book that is all taste and one that has none of it."""
MOOD_SHARE = 0.6
"""Part of the taste that is the mood of the moment; the rest is the reader's own mixture."""
MOOD_CHANGE = 0.15
"""Chance, at each purchase, of another of the reader's tastes coming to the fore."""


@dataclass
class Readers:
    """Readers and what they bought; events in time order.

    Attributes
    ----------
    tastes : float64 array of shape (N_READERS, n_themes)
        Lasting mixture of each reader; rows sum to 1.
    users, books : int64 arrays of shape (n_events,)
        Rows of ``tastes`` and of the catalogue.
    timestamp : int64 array of shape (n_events,)
        Seconds since 1970.
    ratings : float32 array of shape (n_events,)
        Stars from 1 to 5.
    profile : dict of lists
        Age, country, favourite genres and biography.
    """

    tastes: NDArray[np.float64]
    users: NDArray[np.int64]
    books: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    ratings: NDArray[np.float32]
    profile: dict[str, list]


def simulate_readers(
    themes: NDArray[np.float64],
    appeal: NDArray[np.int64],
    theme_names: list[str],
    genres: list[str],
    words: ReaderWords,
) -> Readers:
    """Let the readers loose in the shop.

    Parameters
    ----------
    themes : array of shape (n_books, n_themes)
        How much each book is about each theme, 0 to 3.
    appeal : array of shape (n_books,)
        How popular a book is, 1 to 3; 0 for one that has not been on sale.
    theme_names : list of str
        Columns of ``themes``.
    genres : list of str
        Genres of each book, joined by ``words.separator``.
    words : ReaderWords
        What the profiles are written with; it changes no purchase.
    """
    random = np.random.RandomState(_SEED)
    likeness = themes / np.linalg.norm(themes, axis=1, keepdims=True)
    tastes = _draw_tastes(random, appeal, likeness)
    n_bought = np.clip(np.rint(np.exp(random.normal(3.1, 0.6, N_READERS))), 5, 120).astype(np.int64)
    users, books = _buy(random, tastes, likeness, appeal, n_bought)
    times = _purchase_times(random, n_bought)
    delight = np.einsum("ij,ij->i", tastes[users], likeness[books]) / np.linalg.norm(tastes[users], axis=1)
    stars = np.clip(np.rint(2.6 + 2.4 * delight + random.normal(0, 0.7, len(users))), 1, 5)
    order = np.argsort(times, kind="stable")
    profile = _profiles(random, tastes, likeness, theme_names, genres, words)
    return Readers(tastes, users[order], books[order], times[order], stars[order].astype(np.float32), profile)


def _draw_tastes(random: np.random.RandomState, appeal: NDArray, likeness: NDArray) -> NDArray[np.float64]:
    """One to three themes a reader, common themes more often than rare ones."""
    frequency = np.sqrt(likeness[appeal > 0].sum(axis=0))
    n_tastes = random.choice([1, 2, 3], N_READERS, p=[0.25, 0.45, 0.3])
    tastes = np.zeros((N_READERS, likeness.shape[1]))
    for row, n in zip(tastes, n_tastes, strict=True):
        chosen = random.choice(len(row), n, replace=False, p=frequency / frequency.sum())
        row[chosen] = random.dirichlet(np.full(n, 4.0))
    return tastes


def _buy(
    random: np.random.RandomState, tastes: NDArray, likeness: NDArray, appeal: NDArray, n_bought: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Purchase after purchase, all readers at once; nobody buys a book twice."""
    n_books = len(likeness)
    attraction = np.where(appeal > 0, APPEAL * appeal + random.normal(0, 0.35, n_books), -np.inf)
    owned = np.zeros((len(tastes), n_books), dtype=bool)
    mood = _draw_mood(random, tastes)
    users, books = [], []
    for step in range(n_bought.max()):
        turns = random.random_sample(len(tastes)) < MOOD_CHANGE
        mood = np.where(turns, _draw_mood(random, tastes), mood)
        active = np.flatnonzero(n_bought > step)
        now = (1 - MOOD_SHARE) * tastes[active]
        now[np.arange(len(active)), mood[active]] += MOOD_SHARE
        # A Gumbel draw: the largest of log-odds plus noise is a sample of their softmax.
        odds = TASTE * now @ likeness.T + attraction + random.gumbel(size=(len(active), n_books))
        odds[owned[active]] = -np.inf
        chosen = odds.argmax(axis=1)
        owned[active, chosen] = True
        users.append(active)
        books.append(chosen)
    users_bought, books_bought = np.concatenate(users), np.concatenate(books)
    by_reader = np.argsort(users_bought, kind="stable")
    return users_bought[by_reader], books_bought[by_reader]


def _draw_mood(random: np.random.RandomState, tastes: NDArray) -> NDArray[np.int64]:
    return (
        (np.cumsum(tastes, axis=1) < random.random_sample((len(tastes), 1))).sum(axis=1).clip(max=tastes.shape[1] - 1)
    )


def _purchase_times(random: np.random.RandomState, n_bought: NDArray[np.int64]) -> NDArray[np.int64]:
    """Grouped by reader, rising: a first day, then bursts and gaps, always within opening hours."""
    times = []
    for n in n_bought:
        first = random.randint(OPEN_DAYS - 400)
        gaps = random.gamma(0.6, 1.0, n)
        days = first + np.floor(np.cumsum(gaps) / gaps.sum() * random.uniform(0.4, 0.99) * (OPEN_DAYS - first))
        hours = random.randint(9 * 3600, 21 * 3600, n)
        times.append(np.sort(OPENED + days.astype(np.int64) * DAY + hours))
    return np.concatenate(times)


def _profiles(
    random: np.random.RandomState,
    tastes: NDArray,
    likeness: NDArray,
    theme_names: list[str],
    genres: list[str],
    words: ReaderWords,
) -> dict[str, list]:
    """Age, country, the genres where a reader's themes are at home, and a biography in the reader's tastes."""
    shelves = [text.split(words.separator) for text in genres]
    names = sorted({name for shelf in shelves for name in shelf} - words.book_forms)
    belongs = np.array([[name in shelf for name in names] for shelf in shelves], dtype=float)
    at_home = (likeness.T @ belongs) / np.sqrt(belongs.sum(axis=0) + 8)
    profile: dict[str, list] = {"age": [], "country": [], "favourite_genres": [], "biography": []}
    for taste in tastes:
        own = [theme_names[j] for j in np.argsort(-taste, kind="stable")[: np.count_nonzero(taste)]]
        best = np.argsort(-(taste @ at_home), kind="stable")[:2]
        phrases = words.list_phrases([words.phrases[name][random.randint(3)] for name in own])
        country = words.countries[random.randint(len(words.countries))]
        trade = words.trades[random.randint(len(words.trades))]
        habit = words.habits[random.randint(len(words.habits))]
        age = int(np.clip(random.normal(44, 15), 16, 88))
        profile["age"].append(max(age, 58) if trade.startswith(words.retired) else age)
        profile["country"].append(country)
        profile["favourite_genres"].append(words.separator.join(names[j] for j in best))
        profile["biography"].append(words.biography.format(trade=trade, phrases=phrases, habit=habit))
    return profile
