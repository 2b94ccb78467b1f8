"""
Explanations: the evidence for a book, and how to say it
========================================================

Why is this book recommended to this reader? The recommender says what its own scores are made of: books that the
reader bought, with what each adds to the score, and words that the texts share. A template puts that into a sentence;
a language model says it better, and every sentence of its has to rest on the evidence that it was given. Whether what
is cited is what the score is made of is measured: the score is computed again without it.

Offline, a stand-in takes the place of the language model: ``HeuristicChat`` counts the words that texts share. It
understands nothing, and what it writes says nothing of what a language model can do. For a real one, set ``model``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator

from skrec import (
    EASERecommender,
    EmbeddingKNNRecommender,
    FeatureTable,
    HybridMFRecommender,
    KeywordExtractor,
    NgramTextEncoder,
    explanation_faithfulness,
    load_bookshop,
)
from skrec.inspection import ExplanationDisplay
from skrec.llm import Budget, HeuristicChat, LLMExplainer, OpenAICompatibleChat, QuerySuggester, personalise

language = "en"  # or "zh", the Chinese bookshop; what is written is Chinese, too
model = None  # the name of a language model, such as "llama3.1"
base_url = "http://localhost:11434/v1"  # of a server that speaks OpenAI's protocol
api_key_env = None  # the environment variable that holds its key, where it wants one

# %%
# By template
# -----------
#
# Every recommender explains. Users and books pair up; one reader stands for all of the books. The score of EASE is a
# sum over the history, so that what each book adds is exact.

shop = load_bookshop(language=language)
books = FeatureTable(shop.item_features)
titles = shop.item_features.set_index("item_id")["title"]
encoder = NgramTextEncoder(n_components=128, random_state=0)
reader = "reader-007"
ease = EASERecommender(item_encoder=encoder).fit(shop.X, item_features=books)
found = ease.recommend([reader], k=4).items[0]
templates = LLMExplainer(FrozenEstimator(ease), language=language).fit(shop.X, item_features=books)
why = templates.explain([reader], found)
for book, text, evidence in zip(found, why.text, why.evidence, strict=True):
    print(f"{titles[book]}\n  {text}")
    print(f"  evidence: {', '.join(f'{reason.name} ({reason.weight:.2f})' for reason in evidence)}")

# %%
# As a picture
# ------------

figure, axis = plt.subplots(figsize=(9, 3.5), layout="constrained")
display = ExplanationDisplay.from_estimator(ease, reader, found[0], ax=axis)
ExplanationDisplay(reasons=display.reasons, weights=display.weights, title=titles[found[0]]).plot(axis)

# %%
# By a language model
# -------------------
#
# The model is shown the texts of the book and of the evidence, each under a token drawn at random; never an id. A
# sentence that cites a token that it was not given, or none, is thrown away, and with none left the template stands
# in.

if model is None:
    print("Offline: HeuristicChat stands in for a language model. It is none; mind the evidence, not the style.\n")
    chat = HeuristicChat()
else:
    chat = OpenAICompatibleChat(model, base_url=base_url, api_key_env=api_key_env, budget=Budget(max_calls=200))
wording = {"en": "{title} by {author}: {description}", "zh": "《{title}》，{author}：{description}"}[language]
explainer = LLMExplainer(FrozenEstimator(ease), chat, language=language, item_template=wording)
explainer.fit(shop.X, item_features=books)
explained = explainer.explain([reader], found)
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

pitches = personalise(found, [reader], chat, recommender=explainer, max_length=100, language=language)
for line, method in zip(pitches.text, pitches.method, strict=True):
    print(f"{len(line):4} characters, {method:8}  {line}")

# %%
# What a reader may want to ask
# -----------------------------
#
# Key phrases of books near the reader, and those that go on from what is typed.

extractor = KeywordExtractor(encoder, min_df=2, ngram_range=(1, 2), columns=["title", "description"])
suggester = QuerySuggester(FrozenEstimator(ease), extractor).fit(shop.X, item_features=books)
typed = {"en": "sea", "zh": "海"}[language]
print(f"To ask for: {'; '.join(suggester.suggest_queries(users=[reader])[0])}")
print(f"After {typed!r}: {'; '.join(suggester.suggest_queries(typed, users=[reader])[0])}")

# %%
# Are they true?
# --------------
#
# The place of a book among all, once more without what its explanation cites, and without as many other books of the
# reader at random. The difference is how far the explanation names what the score is made of. This is a property of
# the recommender and of its own evidence, and not of the language model.

readers = np.unique(shop.X["user"])[:100]
models = {
    "EASE": ease,
    "text KNN": EmbeddingKNNRecommender(item_encoder=encoder).fit(shop.X, item_features=books),
    "hybrid MF": HybridMFRecommender(random_state=0).fit(shop.X),
}
print("Share of the catalogue that the first recommendation falls by:")
for title, rec in models.items():
    first = rec.recommend(readers, k=1).items.ravel()
    table = explanation_faithfulness(rec, rec.explain(readers, first), measure="rank", random_state=0)
    cited, others, low, high = (f"{table[name][0]:.3f}" for name in ("drop", "random_drop", "ci_low", "ci_high"))
    print(f"  {title:10} without what is cited {cited}, without others {others}; difference {low} to {high}")
plt.show()
