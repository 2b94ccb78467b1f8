"""
Explanations: the evidence for a book, and how to say it
========================================================

Why is this book recommended to this reader? The recommender says what its own scores are made of: books that the reader
bought, with what each adds to the score, and words that the texts share. A template puts that into a sentence; a
language model says it better, and every sentence of its has to rest on the evidence that it was given. Whether what is
cited is what the score is made of is measured: the score is computed again without it.

Offline, a stand-in takes the place of the language model: ``HeuristicChat`` counts the words that texts share. It
understands nothing, and what it writes says nothing of what a language model can do. With a real one:
``python examples/explain_recommendations.py --base-url http://localhost:11434/v1 --model NAME`` (and ``--api-key-env
VARIABLE`` where the server wants a key). ``--language zh`` takes the Chinese bookshop, and Chinese is written.
"""

import argparse

import numpy as np
from sklearn.frozen import FrozenEstimator

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import HashingTextEncoder, KeywordExtractor, LLMTextEmbedder, NgramTextEncoder
from skrec.interactions import FeatureTable
from skrec.llm import Budget, HeuristicChat, LLMExplainer, OpenAICompatibleChat, QuerySuggester, personalise
from skrec.metrics import explanation_faithfulness
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender

parser = argparse.ArgumentParser(description="Recommendations, explained.")
parser.add_argument("--base-url", metavar="URL", help="a server that speaks OpenAI's protocol")
parser.add_argument("--model", metavar="NAME", help="the model there")
parser.add_argument("--api-key-env", metavar="VARIABLE", help="environment variable that holds its key")
parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop and of what is written")
parser.add_argument("--max-calls", type=int, default=200, help="most calls of the real model")
parser.add_argument("--quick", action="store_true", help="a stand-in for the embeddings, too")
arguments = parser.parse_args()

shop = load_bookshop(language=arguments.language)
books = FeatureTable(shop.item_features)
titles = shop.item_features.set_index("item_id")["title"]
if arguments.language == "zh":  # the embedding model reads English
    embedder = NgramTextEncoder()
else:
    embedder = LLMTextEmbedder(HashingTextEncoder()) if arguments.quick else LLMTextEmbedder()

# %%
# By template
# -----------
#
# Every recommender explains. Users and books pair up; one reader stands for all of the books.

READER = "reader-007"
knn = ItemKNNRecommender(item_encoder=embedder).fit(shop.X, item_features=books)
found = knn.recommend([READER], k=4).items[0]
if arguments.language == "en":
    why = knn.explain([READER], found)
else:  # templates in other languages
    templates = LLMExplainer(FrozenEstimator(knn), language=arguments.language).fit(shop.X, item_features=books)
    why = templates.explain([READER], found)
for book, text, evidence in zip(found, why.text, why.evidence, strict=True):
    print(f"{titles[book]}\n  {text}")
    print(f"  evidence: {', '.join(f'{reason.name} ({reason.weight:.2f})' for reason in evidence)}")

# %%
# By a language model
# -------------------
#
# The model is shown the texts of the book and of the evidence, each under a token drawn at random; never an id. A
# sentence that cites a token that it was not given, or none, is thrown away, and with none left the template stands in.

if arguments.model is None:
    print("\nOffline: HeuristicChat stands in for a language model. It is none; mind the evidence, not the style.\n")
    chat = HeuristicChat()
else:
    chat = OpenAICompatibleChat(
        arguments.model,
        base_url=arguments.base_url,
        api_key_env=arguments.api_key_env,
        budget=Budget(max_calls=arguments.max_calls),
    )
explainer = LLMExplainer(
    FrozenEstimator(knn), chat, language=arguments.language, item_template="{title} by {author}: {description}"
)
explainer.fit(shop.X, item_features=books)
explained = explainer.explain([READER], found)
for book, text, method in zip(found, explained.text, explained.method, strict=True):
    print(f"{titles[book]} ({method})\n  {text}")
report = explained.report
print(
    f"\n{report['n_prompts']} prompts, {report['n_failed']} failed; of {report['n_sentences']} sentences "
    f"{report['n_unknown']} cited what was not given, {report['n_uncited']} nothing."
)

# %%
# A line for a mail
# -----------------
#
# ``personalise`` writes one line under a limit of length, grounded in the same way.

pitches = personalise(found, [READER], chat, recommender=explainer, max_length=100, language=arguments.language)
for line, method in zip(pitches.text, pitches.method, strict=True):
    print(f"{len(line):4} characters, {method:8}  {line}")

# %%
# What a reader may want to ask
# -----------------------------
#
# Key phrases of books near the reader, and those that go on from what is typed. A request is blended with taste.

extractor = KeywordExtractor(embedder, min_df=2, ngram_range=(1, 2), columns=["title", "description"])
suggester = QuerySuggester(FrozenEstimator(knn), extractor).fit(shop.X, item_features=books)
print(f"\nTo ask for: {'; '.join(suggester.suggest_queries(users=[READER])[0])}")
TYPED, REQUEST = {
    "en": ("sea", "a voyage by sea to an unknown island"),
    "zh": ("海", "乘船去一座无人知道的海岛"),
}[arguments.language]
print(f"After {TYPED!r}: {'; '.join(suggester.suggest_queries(TYPED, users=[READER])[0])}")
for weight in (0.0, 0.5, 1.0):
    asked = knn.recommend([READER], k=3, request=REQUEST, request_weight=weight).items[0]
    print(f"{REQUEST!r}, weight {weight}: {'; '.join(titles[asked])}")

# %%
# Are they true?
# --------------
#
# The place of a book among all, once more without what its explanation cites, and without as many other books of the
# reader at random. The difference is how far the explanation names what the score is made of. This is a property of the
# recommender and of its own evidence, and not of the language model.

readers = np.unique(shop.X["user"])[:200]
models = {
    "item KNN": knn,
    "text KNN": EmbeddingKNNRecommender(item_encoder=embedder).fit(shop.X, item_features=books),
    "hybrid MF": HybridMFRecommender(random_state=0).fit(shop.X),
}
print("\nShare of the catalogue that the first recommendation falls by:")
for title, model in models.items():
    first = model.recommend(readers, k=1).items.ravel()
    table = explanation_faithfulness(model, model.explain(readers, first), measure="rank", random_state=0)
    cited, others, low, high = (f"{table[name][0]:.3f}" for name in ("drop", "random_drop", "ci_low", "ci_high"))
    print(f"  {title:10} without what is cited {cited}, without others {others}; difference {low} to {high}")
