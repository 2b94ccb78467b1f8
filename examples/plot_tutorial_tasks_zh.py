"""
教程里的任务，每个几行代码
==========================

讲「大模型做推荐」的文章，题目总是那几个，打印的数字却往往没有人真正算过。这里把它们逐一写出来：每个不到十行，数字都是
实际运行的结果。向量的相似度；评论、简介和问答进入矩阵分解；用户文本与物品文本的混合模型；关键词；文案；一轮一轮的反馈；
按内容、按好友、按搜索的推荐。

不需要下载任何东西。书店是 ``load_bookshop(language="zh")``。
随库安装的小模型读不懂中文（见 ``UnreadableTextWarning``），所以文本由 ``NgramTextEncoder`` 编码：它只从书目本身学习，
不需要权重。英文的同一页是 ``plot_tutorial_tasks.py``。
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import ContextEncoder, KeywordExtractor, NgramTextEncoder
from skrec.inspection import plot_labels
from skrec.interactions import FeatureTable
from skrec.llm import ConversationalRecommender, HeuristicChat, personalise
from skrec.neighbors import EmbeddingKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline

shop = load_bookshop(language="zh")
titles = shop.item_features.set_index("item_id")["title"]

encoder = NgramTextEncoder(128)  # 从文本到向量

# %%
# 两个向量的相似度
# ----------------
#
# 余弦比较方向，欧氏距离比较位置，点积既看方向也看长度。最近邻推荐器三种都可以用；``"euclidean"`` 的得分是
# 1 / (1 + 距离)，所以越大越近。

vectors = (["甲", "乙"], [[1, 2, 3], [4, 5, 6]])
for metric, name in {"cosine": "余弦", "euclidean": "欧氏距离", "dot": "点积"}.items():
    knn = EmbeddingKNNRecommender(metric=metric, center=False).fit(item_features=vectors)
    score = knn.recommend(history=[("某人", "甲")], k=1).scores[0, 0]
    print(f"{name}：{1 / score - 1 if metric == 'euclidean' else score:.4g}")

# %%
# 加上阈值，就只推荐足够近的。

for threshold in (0.95, 0.99):
    knn = EmbeddingKNNRecommender(center=False, min_score=threshold).fit(item_features=vectors)
    print(f"余弦不低于 {threshold}：{knn.recommend(history=[('某人', '甲')], k=1).items[0].tolist()}")

# %%
# 评论、简介、一问一答：带情境的矩阵分解
# --------------------------------------
#
# 读书会的成员给书打一到五星，写一句评论，事先还回答一个问题。简介和评论是书的文本，问题和回答是打分时的上下文。
# ``feedback="explicit"`` 最小化星级的平方误差。（十六条评分只为展示代码，模型从中学不到多少东西。）

QUESTION = "你现在想读什么？"
CLUB = [
    ("小安", "傲慢与偏见", "想读有趣的对话。", 5, "自以为看透别人的人，写得真好笑。"),
    ("小安", "瓦尔登湖", "想安静一会儿。", 3, "有点慢，不过我也跟着听了鸟叫。"),
    ("小安", "德古拉", "想被吓一跳。", 2, "吓得睡不着，血太多了。"),
    ("小安", "红楼梦", "想读有趣的对话。", 5, "诗社那几回在地铁上读得坐过了站。"),
    ("阿斌", "德古拉", "想被吓一跳。", 5, "书信、浓雾、恐惧，太对了。"),
    ("阿斌", "聊斋志异", "想被吓一跳。", 5, "鬼比人有情义。"),
    ("阿斌", "傲慢与偏见", "想读有趣的对话。", 2, "除了舞会什么也没发生。"),
    ("阿斌", "金银岛", "想去冒险。", 4, "海盗！一个晚上读完。"),
    ("陈默", "金银岛", "想去冒险。", 5, "现在就想出海。"),
    ("陈默", "瓦尔登湖", "想安静一会儿。", 2, "一个人在数他的豆子。"),
    ("陈默", "西游记", "想去冒险。", 5, "一路打妖怪，越读越精神。"),
    ("陈默", "红楼梦", "想读有趣的对话。", 3, "人太多，记不住谁是谁。"),
    ("丁兰", "瓦尔登湖", "想安静一会儿。", 5, "读完我把手机关了。"),
    ("丁兰", "红楼梦", "想安静一会儿。", 4, "适合很长的夜晚，慢慢读。"),
    ("丁兰", "聊斋志异", "想被吓一跳。", 3, "比我想的要伤感。"),
    ("丁兰", "西游记", "想去冒险。", 2, "对我来说太吵了。"),
]
club = pd.DataFrame(CLUB, columns=["user", "title", "answer", "stars", "comment"])
comments = club.groupby("title")["comment"].agg("".join)

# %%
# 回答不同，丁兰的预测分全都会变；但评分太少，排序变化不大。

books = shop.item_features[["title", "description"]].merge(comments, on="title")
X = club[["user", "title"]].assign(mood=QUESTION + club["answer"])
model = HybridMFRecommender(8, feedback="explicit", regularization=2, item_encoder=encoder, random_state=0)
rater = make_pipeline(ContextEncoder(text_encoder=encoder), model)
rater.fit(X, club["stars"], item_features=books)
for answer in ("想安静一会儿。", "想去冒险。"):
    context = pd.DataFrame({"mood": [QUESTION + answer]})
    found = rater.recommend(["丁兰"], k=3, context=context, exclude_seen=False)
    print(answer, [f"{title} {stars:.2f}" for title, stars in zip(found.items[0], found.scores[0], strict=True)])

# %%
# 均方根误差，以及一律预测平均值时的均方根误差：

print(f"{np.sqrt(np.mean((rater.predict(X) - club['stars']) ** 2)):.2f}，平均值：{np.std(club['stars']):.2f}")

# %%
# 用户文本与物品文本的混合模型，用 WARP 训练
# ------------------------------------------
#
# 书名与简介、读者自述，加上购买记录。WARP 让买过的书排到得分过高的书前面。新用户只凭一段文字。

books, readers = shop.item_features[["item_id", "title", "description"]], shop.user_features[["user_id", "biography"]]
warp = HybridMFRecommender(solver="warp", random_state=0)
hybrid = warp.set_params(item_encoder=encoder, user_encoder=encoder)
hybrid.fit(shop.X, item_features=books, user_features=readers)
for biography in ("水手。爱读大海与航行的故事。", "爱读鬼怪和夜里发生的事。"):
    newcomer = pd.DataFrame({"user_id": ["新读者"], "biography": [biography]})
    print(biography, titles[hybrid.recommend(["新读者"], k=4, user_features=newcomer).items[0]].tolist())

# %%
# 关键词：TF-IDF 提名，向量挑选
# -----------------------------
#
# 安装了 ``cjk`` 扩展时按词典分词，否则按相邻的两个字。

extractor = KeywordExtractor(encoder, n_keywords=4, ngram_range=(1, 1), columns=["description"])
phrases = extractor.set_params(output="phrases").fit_transform(shop.item_features)
for row in np.flatnonzero(titles.isin(["白鲸", "红楼梦"])):
    print(f"{titles.iloc[row]}：{'、'.join(phrases[row])}")

# %%
# 文案
# ----
#
# 给一位读者写一句推荐语，依据是推荐器对他的了解。没有语言模型时用模板；``HeuristicChat`` 在这里顶替，它不是语言模型，
# 只会填进几个共同的词。真正的模型可以是 :class:`~skrec.llm.OpenAICompatibleChat`，或任何从消息到文本的函数。

READER = "reader-007"
content = EmbeddingKNNRecommender(item_encoder=encoder)
content.fit(shop.X, item_features=FeatureTable(shop.item_features))
found = content.recommend([READER], k=2).items[0]
for chat in (None, HeuristicChat()):
    lines = personalise(found, [READER], chat, recommender=content, max_length=60, language="zh")
    for title, method, line in zip(titles[found], lines.method, lines.text, strict=True):
        print(f"{title}（{method}）：{line}")

# %%
# 一轮一轮的反馈
# --------------
#
# 用户说的话会改变列表，下一轮在此基础上继续。这里由规则读懂短句；``llm=`` 可以换成语言模型。

talk = ConversationalRecommender(content, question=None).fit(shop.X, item_features=shop.item_features)
state = None
for said in ("想看关于大海的故事", "多来点像第二个的，五百页以内", "不要战争"):
    turn = talk.reply(said, state, k=3)
    state = turn.state
    print(f"{said}：{titles[turn.recommendations.items[0]].tolist()}")

# %%
# 按内容、按好友、按搜索
# ----------------------
#
# 内容：像这位读者买过的书。

print(f"内容：{titles[content.recommend([READER], k=3).items[0]].tolist()}")

# %%
# 好友：一位新读者有两位好友，推荐他们买过的书。好友关系就是一张用户特征表。（读者都是模拟的，好友也是：真实口味最接近
# 的五位。）

likeness = shop.user_tastes @ shop.user_tastes.T - 9 * np.eye(len(shop.user_tastes))
graph = (likeness >= np.sort(likeness, axis=1)[:, -5:-4]).astype(float)
social = UserKNNRecommender().fit(shop.X, user_features=(shop.user_features["user_id"], graph))
friends = shop.user_features["user_id"].isin(["reader-007", "reader-010"]).to_numpy(float)
print(f"好友：{titles[social.recommend(['新读者'], k=3, user_features=(['新读者'], [friends])).items[0]].tolist()}")

# %%
# 搜索：一段文字，不看口味，或加上读者的口味。

QUERY = "监狱与越狱"
print(f"搜索：{titles[content.search(QUERY, k=3).items[0]].tolist()}")
asked = content.recommend([READER], k=3, request=QUERY, request_weight=0.5)
print(f"搜索加上 {READER} 的口味：{titles[asked.items[0]].tolist()}")

# %%
# 图：搜索结果的前十本。字体由 ``plot_labels`` 找到；没有中文字体时，书名写成拼音，而不是方框。

best = content.search(QUERY, k=10)
labels = plot_labels([*titles[best.items[0]], QUERY, "余弦"])
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.barh(range(10), best.scores[0], color="C0")
axis.set_yticks(range(10), labels.texts[:10], family=labels.family)
axis.set_title(labels.texts[10], family=labels.family)
axis.set_xlabel(labels.texts[11], family=labels.family)
axis.invert_yaxis()
plt.show()
