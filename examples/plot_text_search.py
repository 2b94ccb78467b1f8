"""
Text search: who finds a course by other words?
===============================================

Learners seldom know what a course is called. They write "how do I stop my houseplants from dying", and the course is
*Indoor gardening*. Three ways to turn texts into vectors are asked the same twelve questions: counts of words, pieces
of words, and a small language model.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec import EmbeddingKNNRecommender, FeatureTable, HashingTextEncoder, LLMTextEmbedder, NgramTextEncoder
from skrec.inspection import ModelComparisonDisplay

# %%
# A catalogue, and what people write
# ----------------------------------
#
# Each question has one course that answers it. No course has been taken yet: search needs no events.

courses = {
    "Indoor gardening": "Light, water and soil for plants on a window sill, and what yellow leaves mean.",
    "Bread from scratch": "Sourdough, kneading, proofing and baking loaves in an ordinary oven.",
    "Time series": "Forecasting demand and sales from past observations with trends and seasons.",
    "Public speaking": "Stage fright, structure and voice: giving a talk in front of an audience.",
    "Personal finance": "Budgets, savings, debts and pensions for people who have never planned them.",
    "Spanish for beginners": "Greetings, numbers, ordering food and asking the way in Madrid or Lima.",
    "Web scraping": "Collecting data from internet pages with Python, politely and robustly.",
    "Portrait drawing": "Proportions of the human face, light and shade in pencil and charcoal.",
    "First aid": "Resuscitation, bleeding, burns and how to call an ambulance.",
    "Home networks": "Routers, wireless coverage, passwords and what to do when nothing connects.",
    "Negotiation": "Preparing for a meeting about salary or a contract, and saying no.",
    "Bicycle repair": "Brakes, gears, chains and punctured tyres with few tools.",
    "Astronomy with the naked eye": "Constellations, planets and the phases of the Moon through the year.",
    "Databases": "Tables, joins and indexes in SQL, and why a query is slow.",
    "Childhood psychology": "How toddlers learn, why they have tantrums, and what helps.",
    "Film music": "How a score tells the audience what to feel, from strings to silence.",
    "Contract law": "Offers, obligations and remedies when an agreement is broken.",
    "Mindful running": "From the couch to five kilometres without injuries.",
}
questions = {
    "how do I stop my houseplants from dying": "Indoor gardening",
    "predict next month's revenue": "Time series",
    "I get nervous when I present at work": "Public speaking",
    "what to do when somebody's heart stops beating": "First aid",
    "my wifi is too weak upstairs": "Home networks",
    "ask my boss for a raise": "Negotiation",
    "fix a flat tire": "Bicycle repair",
    "names of the stars above us": "Astronomy with the naked eye",
    "my three year old screams in the supermarket": "Childhood psychology",
    "start jogging": "Mindful running",
    "order tapas on holiday": "Spanish for beginners",
    "sketch people's faces": "Portrait drawing",
}
table = pd.DataFrame({"course": courses.keys(), "title": courses.keys(), "about": courses.values()})

# %%
# Three encoders, one estimator
# -----------------------------
#
# The encoder is a part of the recommender, and embeds the catalogue once.

encoders = {
    "counts of words": LLMTextEmbedder(HashingTextEncoder()),
    "pieces of words": NgramTextEncoder(n_components=16),
    "language model": LLMTextEmbedder(),
}
ranks, models = {}, {}
for name, encoder in encoders.items():
    models[name] = EmbeddingKNNRecommender(item_encoder=encoder).fit(item_features=FeatureTable(table))
    found = models[name].search(list(questions), k=len(courses)).items
    ranks[name] = [row.tolist().index(right) + 1 for row, right in zip(found, questions.values(), strict=True)]

# %%
# What each finds first
# ---------------------

first = {name: model.search(list(questions), k=1).items[:, 0] for name, model in models.items()}
for number, (question, right) in enumerate(questions.items()):
    print(f"{question!r} -> {right}")
    for name in models:
        print(f"    {name:16s} {'+' if ranks[name][number] == 1 else ' '} {first[name][number]}")

# %%
# How often is the right course first?
# ------------------------------------
#
# Twelve questions tell little, and the intervals (of the share of right answers, by Wilson) say how little. Still: who
# shares no word with the course is found by a model of meaning alone. Where people search for names and numbers, as in
# a shop of spare parts, counts of words are the better choice, and cost nothing.

hits = {name: np.mean(np.array(found) == 1) for name, found in ranks.items()}


def wilson(share):
    """Share and 95 % interval."""
    n, z = len(questions), 1.96
    middle, half = (share + z**2 / (2 * n)) / (1 + z**2 / n), z / (1 + z**2 / n)
    half *= np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return [share, middle - half, middle + half]


for name, share in hits.items():
    print(f"{name:16s} right first: {share:.2f}; mean reciprocal rank {np.mean(1 / np.array(ranks[name])):.2f}")
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
ModelComparisonDisplay(metric="hit_rate@1", values={name: wilson(share) for name, share in hits.items()}).plot(axis)
axis.set_xlabel("share of questions whose course is found first, 95 % interval")
plt.show()
