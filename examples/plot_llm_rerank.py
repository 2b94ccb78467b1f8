"""
Reranking: a language model reads what a recommender found
==========================================================

A reader of the bookshop asks for something in their own words. A hybrid matrix factorisation knows their taste and
finds fifty books among hundreds; a language model reads those fifty and the request, and puts them in order.

Offline, a stand-in takes the place of the language model: ``HeuristicChat`` counts the words that texts share. It
understands nothing and tells nothing of what a language model can do, so that no quality is reported. With a real one,
``python examples/plot_llm_rerank.py --base-url http://localhost:11434/v1 --model NAME`` (and ``--api-key-env VARIABLE``
where the server wants a key), the last purchases of some readers are ranked with and without it.
``--language zh`` takes the Chinese bookshop.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, NgramTextEncoder
from skrec.inspection import plot_labels
from skrec.interactions import FeatureTable
from skrec.llm import Budget, HeuristicChat, LLMReranker, OpenAICompatibleChat
from skrec.metrics import evaluate
from skrec.model_selection import LeaveLastOut

parser = argparse.ArgumentParser(description="Recommendations, reranked by a language model.")
parser.add_argument("--base-url", metavar="URL", help="a server that speaks OpenAI's protocol")
parser.add_argument("--model", metavar="NAME", help="the model there")
parser.add_argument("--api-key-env", metavar="VARIABLE", help="environment variable that holds its key")
parser.add_argument("--readers", type=int, default=50, help="readers that quality is measured on, with a real model")
parser.add_argument("--max-calls", type=int, default=1000, help="most calls of the real model")
parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop: English or Chinese")
parser.add_argument("--plot", metavar="FILE", default="llm_rerank.png", help="where to save the plot")
parser.add_argument("--quick", action="store_true", help="a stand-in for the embeddings, too")
arguments = parser.parse_args()

# %%
# Retrieve, then read
# -------------------
#
# ``LLMReranker`` goes around any recommender. The model is shown the text of each book as ``item_template`` words it,
# the books that the reader bought last, and the request; never an id. Whatever it answers, no book rises by more than
# ``max_rise`` places.

shop = load_bookshop(language=arguments.language)
books = FeatureTable(shop.item_features)
titles = shop.item_features.set_index("item_id")["title"]
if arguments.language == "zh":  # the embedding model reads English
    embedder = NgramTextEncoder()
else:
    embedder = LLMTextEmbedder(HashingTextEncoder()) if arguments.quick else LLMTextEmbedder()

if arguments.model is None:
    print("Offline: HeuristicChat stands in for a language model. It is none; no quality is reported.\n")
    chat = HeuristicChat()
else:
    chat = OpenAICompatibleChat(
        arguments.model,
        base_url=arguments.base_url,
        api_key_env=arguments.api_key_env,
        budget=Budget(max_calls=arguments.max_calls),
    )

train, test = next(iter(LeaveLastOut().split(shop.X)))
reranker = LLMReranker(
    HybridMFRecommender(item_encoder=embedder, random_state=0),
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

READER = "reader-007"
REQUEST = {"en": "a voyage by sea to an unknown island", "zh": "乘船去一座无人知道的海岛"}[arguments.language]
asked = {"request": REQUEST, "request_weight": 0.25}
base = reranker.recommender_.recommend([READER], k=50, **asked).items[0]
lists = reranker.recommend([READER], k=50, **asked)
found = lists.items[0]
print(f"{READER} asks for {REQUEST!r}.\n")
print(f"{'retrieved':42}  reranked")
for before, after in zip(base[:10], found[:10], strict=True):
    print(f"{titles[before][:40]:42}  {titles[after][:60]}")

# %%
# What came of it
# ---------------
#
# ``report`` of the lists counts prompts, answers that could not be used, and tokens. Nothing is lost when an answer is
# bad: the books that it leaves out follow in the order of the recommender.

report = lists.report
print(f"\n{report['n_prompts']} prompts, {report['n_failed']} failed, {report['n_unknown']} unknown candidates named.")
print(f"usage: {report['usage']}")

labels = plot_labels([*(titles[item][:32] for item in found[:15]), repr(REQUEST)])
place = {item: rank for rank, item in enumerate(base.tolist(), 1)}
figure, axis = plt.subplots(figsize=(7, 5.5), layout="constrained")
for after, (item, title) in enumerate(zip(found[:15], labels.texts, strict=False), 1):
    rises = place[item] > after
    axis.plot([0, 1], [place[item], after], color="C1" if rises else "0.7", marker="o", markersize=3)
    beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
    axis.annotate(title, (1, after), family=labels.family, **beside)
axis.set(xlim=(-0.05, 1.9), ylabel="rank")
axis.set_title(labels.texts[-1] + ("" if arguments.model else ", by a stand-in"), family=labels.family)
axis.set_xticks([0, 1], ["retrieved", "reranked"])
axis.invert_yaxis()
figure.savefig(arguments.plot, dpi=120)
print(f"Plot saved to {arguments.plot}.")

# %%
# Quality, with a real model only
# -------------------------------
#
# The last purchase of each reader was held out. There is no request here: the model knows what the recommender knows,
# and the description of the books. ``blend`` mixes both orders.

if arguments.model is not None:
    held_out = shop.X.iloc[test]
    some = held_out[held_out["user"].isin(held_out["user"].drop_duplicates().head(arguments.readers))]
    for blend in (0.0, 0.5, 1.0):
        reranker.set_params(blend=blend, n_candidates=20)
        table = evaluate(reranker, some, metrics=["ndcg@10", "recall@10"], random_state=0)
        print(f"\nblend={blend}, {arguments.model}")
        print(table.round(3).to_string(index=False))
