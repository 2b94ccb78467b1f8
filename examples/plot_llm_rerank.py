"""
Reranking: a language model reads what a recommender found
==========================================================

A reader of the bookshop asks for something in their own words. A hybrid matrix factorisation knows their taste and
finds fifty books among hundreds; a language model reads those fifty and the request, and puts them in order.

Offline, a stand-in takes the place of the language model: ``HeuristicChat`` counts the words that texts share. It
understands nothing and tells nothing of what a language model can do, so that no quality is reported. With the name of
a real model in ``model``, the last purchases of some readers are ranked with and without it.
"""

import matplotlib.pyplot as plt

from skrec import FeatureTable, HybridMFRecommender, LeaveLastOut, NgramTextEncoder, evaluate, load_bookshop
from skrec.inspection import plot_labels
from skrec.llm import Budget, HeuristicChat, LLMReranker, OpenAICompatibleChat

language = "en"  # or "zh", the Chinese bookshop
model = None  # the name of a language model, such as "llama3.1"
base_url = "http://localhost:11434/v1"  # of a server that speaks OpenAI's protocol
api_key_env = None  # the environment variable that holds its key, where it wants one
n_readers = 50  # that quality is measured on, with a real model

# %%
# Retrieve, then read
# -------------------
#
# ``LLMReranker`` goes around any recommender. The model is shown the text of each book as ``item_template`` words it,
# the books that the reader bought last, and the request; never an id. Whatever it answers, no book rises by more than
# ``max_rise`` places.

shop = load_bookshop(language=language)
books = FeatureTable(shop.item_features)
titles = shop.item_features.set_index("item_id")["title"]
if model is None:
    print("Offline: HeuristicChat stands in for a language model. It is none; no quality is reported.")
    chat = HeuristicChat()
else:
    chat = OpenAICompatibleChat(model, base_url=base_url, api_key_env=api_key_env, budget=Budget(max_calls=1000))

train, test = next(iter(LeaveLastOut().split(shop.X)))
reranker = LLMReranker(
    HybridMFRecommender(item_encoder=NgramTextEncoder(n_components=128, random_state=0), random_state=0),
    chat,
    n_candidates=50,
    max_rise=30,
    item_template="{title} by {author}, {year}: {description}",
)
reranker.fit(shop.X.iloc[train], item_features=books)

# %%
# A request
# ---------
#
# The recommender retrieves by taste, and to a quarter by the request; the model orders what it retrieved.

reader = "reader-007"
request = {"en": "a voyage by sea to an unknown island", "zh": "乘船去一座无人知道的海岛"}[language]
asked = {"request": request, "request_weight": 0.25}
retrieved = reranker.recommender_.recommend([reader], k=50, **asked).items[0]
lists = reranker.recommend([reader], k=50, **asked)
found = lists.items[0]
print(f"{reader} asks for {request!r}.\n")
print(f"{'retrieved':42}  reranked")
for before, after in zip(retrieved[:10], found[:10], strict=True):
    print(f"{titles[before][:40]:42}  {titles[after][:60]}")

# %%
# What came of it
# ---------------
#
# ``report`` of the lists counts prompts, answers that could not be used, and tokens. Nothing is lost when an answer is
# bad: the books that it leaves out follow in the order of the recommender.

report = lists.report
print(f"{report['n_prompts']} prompts, {report['n_failed']} failed, {report['n_unknown']} unknown candidates named.")
print(f"usage: {report['usage']}")

labels = plot_labels([*(titles[item][:32] for item in found[:12]), repr(request)])
place = {item: rank for rank, item in enumerate(retrieved.tolist(), 1)}
figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
for after, (item, title) in enumerate(zip(found[:12], labels.texts, strict=False), 1):
    rises = place[item] > after
    y = 4 * after - 3  # the new places stand apart, so that titles have room
    axis.plot([0, 1], [place[item], y], color="#D55E00" if rises else "0.7", marker="o", markersize=4)
    axis.annotate(f"{after}. {title}", (1, y), (8, 0), textcoords="offset points", va="center", family=labels.family)
axis.set(xlim=(-0.05, 2.1), ylabel="place as retrieved")
axis.set_title(labels.texts[-1] + ("" if model else ", by a stand-in"), family=labels.family)
axis.set_xticks([0, 1], ["retrieved", "reranked"])
axis.invert_yaxis()

# %%
# Quality, with a real model only
# -------------------------------
#
# The last purchase of each reader was held out. There is no request here: the model knows what the recommender knows,
# and the description of the books. ``blend`` mixes both orders.

if model is not None:
    held_out = shop.X.iloc[test]
    some = held_out[held_out["user"].isin(held_out["user"].drop_duplicates().head(n_readers))]
    for blend in (0.0, 0.5, 1.0):
        reranker.set_params(blend=blend, n_candidates=20)
        table = evaluate(reranker, some, metrics=["ndcg@10", "recall@10"], random_state=0)
        print(f"\nblend={blend}, {model}")
        print(table.round(3).to_string(index=False))
plt.show()
