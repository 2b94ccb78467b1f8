"""Turns until simulated users see what they look for: the best question, a random one, none.

Each user has one book in mind, the last they bought (``--targets last``), or, to choose settings on, the one before
(``--targets before``). What they had bought up to then is in the fit. A user says nothing but that it is none of the
books shown, answers the question truthfully (as to ``--wrong``: that share of answers turned round), and leaves after
20 turns. Answers go through the parser as texts. The users of the bookshop are simulated themselves, so that the
order of the three counts, and no number.

    python examples/benchmarks/conversation_turns.py --users 200
    python examples/benchmarks/conversation_turns.py --data FOLDER   # MovieLens 100K: films and real users
"""

import argparse
import json
import time

import numpy as np

from skrec.datasets import fetch_movielens, load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.llm import ConversationalRecommender
from skrec.llm._conversation._questions import answers_of

MOST_TURNS = 20


def load(folder):
    """Events in time order, and a table of items."""
    if folder is None:
        shop = load_bookshop()
        return shop.interactions, shop.item_features
    movies = fetch_movielens(folder=folder)
    return movies.X.sort_values("timestamp", kind="stable"), movies.item_features


def targets(X, which, n_users, rng):
    """The training events, and the item that each of some users has in mind."""
    user, item = X.columns[:2]
    back = X.groupby(user).cumcount(ascending=False)
    place = 0 if which == "last" else 1
    held_out = X[back == place]
    # What comes later than the target is not in the fit, and is no target.
    chosen = held_out.sample(min(n_users, len(held_out)), random_state=rng)
    return X[back > place], list(zip(chosen[user].tolist(), chosen[item].tolist(), strict=True))


def answer(rec, question, code, wrong, rng):
    """What a user who has an item in mind says to a question."""
    if question is None:
        return ""
    group = int(answers_of(rec._items.ranking, question, np.array([code]))[0])
    n_answers = len(question.values) + 1
    if rng.random() < wrong:
        group = int((group + rng.integers(1, n_answers)) % n_answers)
    if len(question.values) == 1:
        return ("yes", "no")[group]
    return "something else" if group == len(question.values) else str(question.values[group])


def converse(rec, user, target, wrong, rng):
    """Turns until the target is shown; None if it never is."""
    code = int(np.flatnonzero(rec.items_ == target)[0])
    turn = rec.reply("", user=user)
    for n_turns in range(1, MOST_TURNS + 1):
        if target in turn.recommendations.items[0]:
            return n_turns
        said = answer(rec, turn.state.pending, code, wrong, rng)
        turn = rec.reply(f"{said}. None of these" if said else "None of these", turn.state)
    return None


def interval(differences, n=1000):
    """95 % bootstrap interval of a mean over users."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (n, len(differences))).mean(axis=1)
    return [round(float(bound), 2) for bound in np.percentile(means, [2.5, 97.5])]


def main():
    """One line of JSON a way of asking."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER", help="MovieLens 100K, instead of the bookshop")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--targets", choices=["last", "before"], default="last")
    parser.add_argument("--wrong", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder", choices=["minilm", "hashing"], default="minilm")
    arguments = parser.parse_args()

    X, items = load(arguments.data)
    train, wanted = targets(X, arguments.targets, arguments.users, arguments.seed)
    encoder = LLMTextEmbedder() if arguments.encoder == "minilm" else LLMTextEmbedder(HashingTextEncoder(256))
    base = HybridMFRecommender(item_encoder=encoder, random_state=0)
    rec = ConversationalRecommender(base).fit(train, item_features=items)
    wanted = [(user, item) for user, item in wanted if item in set(rec.items_.tolist())]
    best = None
    for question in ("best", "random", None):
        rec.set_params(question=question)
        start, rng = time.perf_counter(), np.random.default_rng(arguments.seed)
        turns = [converse(rec, user, item, arguments.wrong, rng) for user, item in wanted]
        # One who leaves has not found it in the last turn: the mean is a lower bound of theirs.
        counted = np.array([MOST_TURNS + 1 if n is None else n for n in turns])
        best = counted if best is None else best
        result = {
            "question": question,
            "users": len(turns),
            "found": round(float(np.mean([n is not None for n in turns])), 3),
            "mean_turns": round(float(counted.mean()), 2),
            "standard_error": round(float(counted.std(ddof=1) / np.sqrt(len(counted))), 2),
            "more_than_best_95": interval(counted - best),
            "median_turns": float(np.median(counted)),
            "seconds": round(time.perf_counter() - start),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
