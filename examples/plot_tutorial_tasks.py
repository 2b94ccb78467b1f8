"""
The tasks of the tutorials, each in a few lines
===============================================

Articles about language models in recommender systems set the same tasks again and again. Here they are, each in less
than ten lines, with the numbers that come out: similarity of vectors; comments, descriptions and answers in a matrix
factorisation; texts of users and items in a hybrid; keywords; written copy; feedback turn by turn; recommendation by
content, by friends and by search.

Nothing is downloaded. The same page in Chinese, on a Chinese bookshop, is ``plot_tutorial_tasks_zh.py``.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import ContextEncoder, KeywordExtractor, LLMTextEmbedder
from skrec.inspection import plot_labels
from skrec.interactions import FeatureTable
from skrec.llm import ConversationalRecommender, HeuristicChat, personalise
from skrec.neighbors import EmbeddingKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline

shop = load_bookshop()
titles = shop.item_features.set_index("item_id")["title"]

embedder = LLMTextEmbedder()  # from texts to vectors, by a small language model that is installed with skrec[demo]

# %%
# Similarity of two vectors
# -------------------------
#
# Cosine compares directions, Euclid's distance places, and the dot product directions and lengths. A recommender of
# nearest items takes any of them; its score of "euclidean" is 1 / (1 + distance), so that larger is nearer.

vectors = (["a", "b"], [[1, 2, 3], [4, 5, 6]])
for metric in ("cosine", "euclidean", "dot"):
    knn = EmbeddingKNNRecommender(metric=metric, center=False).fit(item_features=vectors)
    score = knn.recommend(history=[("someone", "a")], k=1).scores[0, 0]
    print(f"{metric:9} {1 / score - 1 if metric == 'euclidean' else score:.4g}")

# %%
# With a threshold, only what is near enough is recommended.

for threshold in (0.95, 0.99):
    knn = EmbeddingKNNRecommender(center=False, min_score=threshold).fit(item_features=vectors)
    print(f"cosine of at least {threshold}: {knn.recommend(history=[('someone', 'a')], k=1).items[0].tolist()}")

# %%
# Comments, descriptions, a question with its answer: matrix factorisation in context
# -----------------------------------------------------------------------------------
#
# A book club rates books with one to five stars, leaves a comment, and answers a question beforehand. Descriptions and
# comments are texts of the books; question and answer are the context of a rating. ``feedback="explicit"`` minimises
# the squared error of the stars. (Sixteen ratings show the code; they teach a model little.)

QUESTION = "What are you looking for? "
CLUB = [
    ("Ann", "Emma", "Company and humour.", 5, "So funny about people who think they know others."),
    ("Ann", "Walden", "Peace and quiet.", 3, "Slow, but I listened to the owls with him."),
    ("Ann", "Dracula", "A shiver at night.", 2, "I could not sleep. Too much blood."),
    ("Ann", "Three Men in a Boat", "Company and humour.", 5, "I laughed out loud on the train."),
    ("Ben", "Dracula", "A shiver at night.", 5, "Letters, fog, fear: perfect."),
    ("Ben", "Frankenstein", "A shiver at night.", 5, "The creature is the only human in it."),
    ("Ben", "Emma", "Company and humour.", 2, "Nothing happens in that village."),
    ("Ben", "Treasure Island", "An adventure.", 4, "Pirates! Read it in one night."),
    ("Cem", "Treasure Island", "An adventure.", 5, "I want to go to sea now."),
    ("Cem", "Walden", "Peace and quiet.", 2, "A man counts his beans."),
    ("Cem", "The War of the Worlds", "An adventure.", 5, "Martians in Surrey, and it feels real."),
    ("Cem", "Three Men in a Boat", "Company and humour.", 3, "Some jokes have aged."),
    ("Dora", "Walden", "Peace and quiet.", 5, "It made me switch off my telephone."),
    ("Dora", "Emma", "Peace and quiet.", 4, "A gentle book for long evenings."),
    ("Dora", "Frankenstein", "A shiver at night.", 3, "Sadder than I thought."),
    ("Dora", "The War of the Worlds", "An adventure.", 2, "Too loud for me."),
]
club = pd.DataFrame(CLUB, columns=["user", "title", "answer", "stars", "comment"])
comments = club.groupby("title")["comment"].agg(" ".join)

# %%
# The answer to the question moves all that is predicted for Dora; with so few ratings, it hardly moves the order.

books = shop.item_features[["title", "description"]].merge(comments, on="title")
X = club[["user", "title"]].assign(mood=QUESTION + club["answer"])
model = HybridMFRecommender(8, feedback="explicit", regularization=2, item_encoder=embedder, random_state=0)
rater = make_pipeline(ContextEncoder(text_encoder=embedder), model)
rater.fit(X, club["stars"], item_features=books)
for answer in ("Peace and quiet.", "An adventure."):
    context = pd.DataFrame({"mood": [QUESTION + answer]})
    found = rater.recommend(["Dora"], k=3, context=context, exclude_seen=False)
    print(answer, [f"{title} {stars:.2f}" for title, stars in zip(found.items[0], found.scores[0], strict=True)])

# %%
# The root mean squared error, and that of predicting the mean:

print(f"{np.sqrt(np.mean((rater.predict(X) - club['stars']) ** 2)):.2f}, the mean: {np.std(club['stars']):.2f}")

# %%
# Texts of users and of items in a hybrid, by WARP
# ------------------------------------------------
#
# Titles and descriptions of the books, biographies of the readers, and what they bought. WARP learns to rank the book
# that was bought above one that scores too high. A new user is known by a text alone.

books, readers = shop.item_features[["item_id", "title", "description"]], shop.user_features[["user_id", "biography"]]
warp = HybridMFRecommender(solver="warp", random_state=0)
hybrid = warp.set_params(item_encoder=embedder, user_encoder=embedder)
hybrid.fit(shop.X, item_features=books, user_features=readers)
for biography in ("Sailor. Looks for storms, ships and islands.", "Looks for ghosts and things that come at night."):
    newcomer = pd.DataFrame({"user_id": ["new"], "biography": [biography]})
    print(biography, titles[hybrid.recommend(["new"], k=4, user_features=newcomer).items[0]].tolist())

# %%
# Keywords: TF-IDF proposes, embeddings choose
# --------------------------------------------

extractor = KeywordExtractor(embedder, n_keywords=4, ngram_range=(1, 2), columns=["description"], output="phrases")
some = shop.item_features[shop.item_features["item_id"].isin(["bk-0261", "bk-0318"])]
for title, phrases in zip(some["title"], extractor.fit(shop.item_features).transform(some), strict=True):
    print(f"{title}: {', '.join(phrases)}")

# %%
# Written copy
# ------------
#
# A line for a banner, which cites what the recommender knows of the reader. Without a language model it is a template;
# ``HeuristicChat`` stands in for one here, and is none: it fills in words that the texts share. A real one is an
# :class:`~skrec.llm.OpenAICompatibleChat`, or any function from messages to text.

content = EmbeddingKNNRecommender(item_encoder=embedder).fit(shop.X, item_features=FeatureTable(shop.item_features))
found = content.recommend(["reader-007"], k=2).items[0]
for chat in (None, HeuristicChat()):
    lines = personalise(found, ["reader-007"], chat, recommender=content, max_length=120)
    for title, method, line in zip(titles[found], lines.method, lines.text, strict=True):
        print(f"{title} ({method}): {line}")

# %%
# Feedback, turn by turn
# ----------------------
#
# What is said moves the list, and the next turn goes on from there. Phrases are parsed by rules here; ``llm=`` takes a
# language model for it.

talk = ConversationalRecommender(content, question=None).fit(shop.X, item_features=shop.item_features)
state = None
for said in ("a story about the sea", "older than 1850, and more like the second one", "nothing violent"):
    turn = talk.reply(said, state, k=3)
    state = turn.state
    print(f"{said!r}: {titles[turn.recommendations.items[0]].tolist()}")

# %%
# By content, by friends, by search
# ---------------------------------
#
# Content: what is like the books that a reader bought.

READER = "reader-007"
print(f"content: {titles[content.recommend([READER], k=3).items[0]].tolist()}")

# %%
# Friends: what they bought, for a new reader who has two of them. The graph of friends is a table of users. (All
# readers are simulated, and so are their friends: the five of the nearest true tastes.)

likeness = shop.user_tastes @ shop.user_tastes.T - 9 * np.eye(len(shop.user_tastes))
graph = (likeness >= np.sort(likeness, axis=1)[:, -5:-4]).astype(float)
social = UserKNNRecommender().fit(shop.X, user_features=(shop.user_features["user_id"], graph))
friends = shop.user_features["user_id"].isin(["reader-007", "reader-010"]).to_numpy(float)
print(f"friends: {titles[social.recommend(['new'], k=3, user_features=(['new'], [friends])).items[0]].tolist()}")

# %%
# Search: a text, without the reader's taste and with it.

QUERY = "obsession on a long sea voyage"
print(f"search: {titles[content.search(QUERY, k=3).items[0]].tolist()}")
asked = content.recommend([READER], k=3, request=QUERY, request_weight=0.5)
print(f"search, and the taste of {READER}: {titles[asked.items[0]].tolist()}")

# %%
# The plot: what the search thinks of its first ten books.

best = content.search(QUERY, k=10)
labels = plot_labels([*titles[best.items[0]], QUERY])
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.barh(range(10), best.scores[0], color="C0")
axis.set_yticks(range(10), labels.texts[:10], family=labels.family)
axis.set_title(labels.texts[10], family=labels.family)
axis.set_xlabel("cosine")
axis.invert_yaxis()
plt.show()
