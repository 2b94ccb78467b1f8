"""
A conversation in the bookshop
==============================

Say what you are in the mood for, in English, German, French, Spanish or Chinese; point at what is shown ("like the
second one"), set limits ("before 1900", "under 300 pages"), rule things out ("nothing violent"), or answer the
question.

Everything is offline: the phrases of the library read what is said, and a text encoder compares meanings. No language
model takes part, unless its name is in ``model``: then it reads what is said in place of the phrases. To talk
yourself, change ``script``, or run ``skrec demo``, whose page has a conversation.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrec import HybridMFRecommender, NgramTextEncoder, load_bookshop
from skrec.inspection import ContextDisplay
from skrec.llm import ConversationalRecommender, ConversationState, OpenAICompatibleChat

language = "en"  # or "zh", the Chinese bookshop
model = None  # the name of a language model, such as "llama3.1"
base_url = "http://localhost:11434/v1"  # of a server that speaks OpenAI's protocol
reader = "reader-001"  # whose taste counts; any other name is someone new

script = {
    "en": [
        "a sad novel about the sea",
        "something shorter, nothing violent, like the second one",
        "newer than 1850",
        "none of these, rather something funny",
        "I already know Three Men in a Boat",
        "under 50 pages and by Tolstoy",
        "von vorn: ein Buch wie Emma, aber lustiger",
    ],
    "zh": [
        "想看一本关于大海的伤感小说",
        "再短一点，不要战争，像第二本那样的",
        "1850年以后的",
        "都不要，来点好笑的",
        "我已经读过《汤姆·索亚历险记》",
        "三百页以内，鲁迅的",
        "重新开始：像《红楼梦》那样的书，但是短一点",
    ],
}[language]

# %%
# A recommender that can be talked to
# -----------------------------------
#
# It goes around any recommender, which knows the taste of the reader; the encoder compares what is said with the texts
# of the books.

shop = load_bookshop(language=language)
encoder = NgramTextEncoder(n_components=256, random_state=0)
chat = None if model is None else OpenAICompatibleChat(model, base_url=base_url)
base = HybridMFRecommender(item_encoder=encoder, random_state=0)
rec = ConversationalRecommender(base, chat, item_encoder=encoder).fit(shop.X, item_features=shop.item_features)

# %%
# Turn by turn
# ------------
#
# Each answer says what was understood, so that a misunderstanding shows, and shows a list. The state goes along: it is
# plain JSON, and may be kept until tomorrow.

turn = rec.reply("", ConversationState(language=language), user=reader)
lists = []
for said in script:
    turn = rec.reply(said, turn.state)
    lists.append(turn.recommendations.items[0])
    print(f"> {said}\n{turn.message}\n")
print("The state:", turn.state.to_json()[:120], "…")

# %%
# What each turn changes
# ----------------------
#
# The places of books, from turn to turn. A list that hardly changes when a limit is set, or a book that comes back
# after it was ruled out, would show here.

titles = shop.item_features.set_index("item_id")["title"]
shown = list(dict.fromkeys(item for row in lists[:5] for item in row[:4] if item is not None))
ranks = np.full((len(shown), 5), np.nan)
for column, row in enumerate(lists[:5]):
    for rank, item in enumerate(row[:4], 1):
        ranks[shown.index(item), column] = rank
figure, axis = plt.subplots(figsize=(9, 5), layout="constrained")
turns = [f"{said[:14]}…" for said in script[:5]]
ContextDisplay(ranks=ranks, items=[titles[item][:36] for item in shown], contexts=turns).plot(axis)
axis.set_xlabel("what was said (numbers are places in the list)")
axis.tick_params(axis="x", rotation=15)
plt.show()
