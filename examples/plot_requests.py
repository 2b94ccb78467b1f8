"""
Requests: what a reader wants now, and what they always like
============================================================

A reader who likes crime asks for something about the sea. A list by taste alone ignores the request; a search ignores
the reader. ``recommend(request=..., request_weight=...)`` blends the two. How much of each does a weight buy? The
readers of the bookshop are simulated, so both can be measured: what a book is about, and what a reader really likes.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrec import EASERecommender, FeatureTable, NgramTextEncoder, load_bookshop

language = "en"  # or "zh", the Chinese bookshop

# %%
# Readers, and what they ask for
# ------------------------------
#
# The truth (which book is about which theme, who likes which) is not shown
# to the model: it has the events, and the texts of the books.

requests = {
    "en": {
        "sea": "a story of sailors and the sea",
        "crime": "a murder and a detective",
        "war": "soldiers in a war",
        "love": "a love story",
        "childhood": "children and growing up",
    },
    "zh": {
        "海洋": "水手与大海的故事",
        "罪案": "谋杀案与侦探",
        "战争": "战争中的士兵",
        "爱情": "爱情故事",
        "童年": "孩子与成长",
    },
}[language]
shop = load_bookshop(language=language)
titles = shop.item_features.set_index("item_id")["title"]
encoder = NgramTextEncoder(n_components=256, random_state=0)
rec = EASERecommender(item_encoder=encoder).fit(shop.X, item_features=FeatureTable(shop.item_features))

# %%
# One reader, one request, three weights
# --------------------------------------

reader, request = "reader-007", next(iter(requests.values()))
about = shop.user_features.set_index("user_id")["biography"]
print(f"{reader}: {about[reader]}\nasks for {request!r}")
for weight in (0.0, 0.5, 1.0):
    found = rec.recommend([reader], k=4, request=request, request_weight=weight).items[0]
    print(f"  weight {weight}: {'; '.join(titles[found])}")

# %%
# A hundred readers, five requests, seven weights
# -----------------------------------------------
#
# Of each list: how much its books are about the requested theme, and how well they fit what the reader likes. Both are
# places among all books, from 0 (the worst) to 1 (the best).

readers = shop.user_features["user_id"].to_numpy()[:100]
weights = np.array([0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0])
row_of = {item: row for row, item in enumerate(shop.item_features["item_id"])}
themes = shop.item_themes / np.linalg.norm(shop.item_themes, axis=1, keepdims=True)
liked = themes @ shop.user_tastes[:100].T
taste_place = liked.argsort(axis=0).argsort(axis=0) / (len(themes) - 1)
means = np.zeros((len(weights), 2))
for at, weight in enumerate(weights):
    for theme, text in requests.items():
        lists = rec.recommend(readers, k=10, request=text, request_weight=float(weight)).items
        rows = np.array([[row_of[item] for item in row] for row in lists])
        is_about = shop.item_themes[rows, shop.theme_names.index(theme)] > 0
        fits = np.take_along_axis(taste_place.T, rows, axis=1)
        means[at] += np.array([is_about.mean(), fits.mean()]) / len(requests)
for weight, (asked, liked_too) in zip(weights, means, strict=True):
    print(f"weight {weight:5.3f}: {asked:.0%} of the books are about the request, taste {liked_too:.2f}")

# %%
# What to take from it
# --------------------
#
# To the left, the request is hardly heard; to the right, taste is gone. Beyond three quarters there is nothing to
# gain: the request is met, and only taste is lost. There is no right weight, but there are wrong ones. Measure it with
# your own texts.

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.plot(means[:, 0], means[:, 1], color="#0072B2", marker="o")
for weight, (asked, liked_too) in zip(weights, means, strict=True):
    axis.annotate(f"{weight:g}", (asked, liked_too), (6, 6), textcoords="offset points")
axis.set(xlabel="share of the list that is about the request", ylabel="taste: mean place among all books")
axis.set_title("the weight of the request")
axis.grid(alpha=0.3)
plt.show()
