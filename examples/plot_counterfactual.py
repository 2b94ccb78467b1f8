"""
Counterfactuals: what would take a book off the list
====================================================

"Why is this on my list, and what would remove it?" The first half is answered by what the score is made of. The second
half asks for the smallest part of a history without which the book would not be listed. That is what a reader can act
on: take these off your shelf, or say that they were presents, and the list changes. Each answer is tried before it is
given, by folding the shorter history in as that of a visitor.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrec import EASERecommender, FeatureTable, ItemKNNRecommender, NgramTextEncoder, load_bookshop
from skrec.inspection import ExplanationDisplay, counterfactual, plot_labels

language = "en"  # or "zh", the Chinese bookshop

# %%
# Why is it there, and what would remove it?
# ------------------------------------------
#
# The list of one reader. Beside each book stands what the item KNN says for it, and below, what would take it off the
# list of five.

shop = load_bookshop(language=language)
titles = shop.item_features.set_index("item_id")["title"]
knn = ItemKNNRecommender(item_encoder=NgramTextEncoder(n_components=64, random_state=0))
knn.fit(shop.interactions, item_features=FeatureTable(shop.item_features))
reader = {"en": "reader-007", "zh": "reader-004"}[language]
listed = knn.recommend([reader], k=5).items[0]
found = {book: counterfactual(knn, reader, book, k=5) for book in listed}
for book, why in zip(listed, knn.explain([reader], listed).text, strict=True):
    gone = [titles[other] for other in found[book].removed]
    print(f"{found[book].rank}. {titles[book]}\n   {why}")
    print(f"   off the list without: {'; '.join(gone) if gone else 'nothing that was tried'}")

# %%
# Is it true?
# -----------
#
# A visitor with the same shelf, less these books, asks for a list. The book is gone, and another one has moved up.

book = listed[-1]
shelf = shop.interactions.loc[shop.interactions["user"] == reader, "item"]
kept = shelf[~shelf.isin(found[book].removed)]
others = knn.items_[~np.isin(knn.items_, shelf)]
visitor = knn.recommend(history=[["visitor", other] for other in kept], candidates=others, k=5).items[0]
moved_up = [titles[other] for other in visitor if other not in listed]
print(f"{len(shelf)} books on the shelf, {len(kept)} left; {titles[book]!r} is listed: {book in visitor}")
print(f"in its place: {'; '.join(moved_up)}")

# %%
# How firmly does a book stand on its place?
# ------------------------------------------
#
# A book that falls with one book of the shelf rests on little. For twenty readers: is there one book without which the
# first of ten leaves the list, and one for the last of ten? The first rests on more, by either model.

readers = np.unique(shop.interactions["user"])[:20]
models = {"item KNN": knn, "EASE": EASERecommender().fit(shop.interactions)}
falls = {}
for name, rec in models.items():
    lists = rec.recommend(readers, k=10).items
    for place in (1, 10):
        rows = zip(readers, lists[:, place - 1], strict=True)
        falls[name, place] = [counterfactual(rec, user, other, max_size=1) for user, other in rows]
        share = np.mean([each.found for each in falls[name, place]])
        print(f"{name:9} place {place:2}: falls with one book of the shelf for {share:.0%} of the readers")

# %%
# Evidence and counterfactual are two things
# ------------------------------------------
#
# Bars are what the books of the shelf add to the score; the orange ones are those that would have to leave. They need
# not be the longest bars: a book that carries the next one of the list as well changes little by leaving.

fallen = [each for each in falls["item KNN", 10] if each.found]
reasons = knn.explain([each.user for each in fallen], [each.item for each in fallen], n_evidence=1).evidence
first = [titles[each.removed[0]] == reason[0].name for each, reason in zip(fallen, reasons, strict=True)]
print(f"tenth places that fall with one book: {len(first)}; it is the strongest reason of {sum(first)}")

drawn = listed[2]
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
display = ExplanationDisplay.from_estimator(knn, reader, drawn, n_evidence=8, ax=axis)
gone = {titles[other] for other in found[drawn].removed}
for bar, reason in zip(axis.patches, knn.explain([reader], [drawn], n_evidence=8).evidence[0], strict=True):
    bar.set_facecolor("#E69F00" if reason.name in gone else "#0072B2")
text = {"en": "{}\nleaves the list without the orange ones", "zh": "《{}》\n去掉橙色的书，就不在推荐之列"}[language]
labels = plot_labels([text.format(titles[drawn])])
axis.set_title(labels.texts[0], family=labels.family)
plt.show()
