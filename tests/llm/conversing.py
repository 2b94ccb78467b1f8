"""A small shop to converse about, and users who have an item in mind."""

import numpy as np
import pandas as pd

from skrec.datasets import load_bookshop
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.llm import ConversationalRecommender

BOOKS = pd.DataFrame(
    [
        (10, "Emma", "Jane Austen", 1815, 430, "novel, romance", "A young woman makes matches in a quiet village."),
        (20, "Moby-Dick; or, The Whale", "Herman Melville", 1851, 620, "novel, sea story", "A captain hunts a whale."),
        (30, "Dracula", "Bram Stoker", 1897, 400, "novel, horror", "A vampire comes to England for blood."),
        (40, "War and Peace", "Leo Tolstoy", 1869, 1200, "novel, war", "Families live through battles and balls."),
        (50, "Hadji Murat", "Leo Tolstoy", 1912, 150, "novella, war", "A rebel changes sides and is killed."),
        (60, "Persuasion", "Jane Austen", 1817, 250, "novel, romance", "A naval officer returns to a lost love."),
        (70, "The Hound of the Baskervilles", "Arthur Conan Doyle", 1902, 220, "mystery", "A detective on the moor."),
        (80, "Hamlet", "William Shakespeare", 1601, 140, "play, tragedy", "A prince takes revenge; all are murdered."),
        (
            90,
            "Twelfth Night",
            "William Shakespeare",
            1602,
            100,
            "play, comedy",
            "Twins, letters and laughter by the sea.",
        ),
        (100, "Leaves of Grass", "Walt Whitman", 1855, 300, "poetry", "Long lines about the body and the grass."),
    ],
    columns=["item", "title", "author", "year", "pages", "genres", "description"],
)
EVENTS = pd.DataFrame({"user": [1, 1, 1, 2, 2, 3, 3, 4], "item": [10, 20, 40, 20, 30, 40, 20, 100]})


def encoder():
    """Deterministic, and knows no meaning."""
    return LLMTextEmbedder(HashingTextEncoder(64))


def shop(recommender=None, **options):
    """A conversational recommender over the small shop."""
    rec = ConversationalRecommender(recommender or PopularRecommender(), item_encoder=encoder(), **options)
    return rec.fit(EVENTS, item_features=FeatureTable(BOOKS))


def titles(turn):
    """Titles of the list of a turn."""
    by_id = BOOKS.set_index("item")["title"]
    return [by_id[item] for item in turn.recommendations.items[0] if item is not None]


def bookshop(**options):
    """A conversational recommender over the bookshop, with popularity for taste; and the events not fitted."""
    data = load_bookshop()
    last = data.interactions.groupby("user").cumcount(ascending=False) == 0
    rec = ConversationalRecommender(PopularRecommender(), item_encoder=encoder(), **options)
    return rec.fit(data.interactions[~last], item_features=FeatureTable(data.item_features)), data.interactions[last]


def n_turns(rec, user, target, most, rng, wrong=0.0):
    """Turns until a truthful user is shown the target; ``most`` + 1 if they never are."""
    from skrec.llm._conversation._questions import answers_of

    code = int(np.flatnonzero(rec.items_ == target)[0])
    turn = rec.reply("", user=user)
    for n in range(1, most + 1):
        if target in turn.recommendations.items[0]:
            return n
        said, question = "", turn.state.pending
        if question is not None:
            group = int(answers_of(rec._items.ranking, question, np.array([code]))[0])
            options = ["yes", "no"] if len(question.values) == 1 else [*map(str, question.values), "something else"]
            said = f"{options[group]}. "
        turn = rec.reply(f"{said}None of these", turn.state)
    return most + 1
