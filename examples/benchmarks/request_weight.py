"""What weight a typed search should have against the taste of who typed it: both bookshops, validation events alone.

    python examples/benchmarks/request_weight.py

The last event of 200 readers is held out, a theme of that book asked for ("a book about the sea"), and a list made with
different ``request_weight``. Beside it the same with a theme that the reader has no taste for. "On top" is the share of
lists whose first book has the theme (weight 2 or 3 of 3), "in 10" the share of such books, "next" the NDCG@10 of the
book that was bought.
"""

import numpy as np

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import NgramTextEncoder
from skrec.interactions import FeatureTable
from skrec.neighbors import ItemKNNRecommender

WEIGHTS = (0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
WORDING = {"en": "a book about {}", "zh": "关于{}的书"}


def readers_and_themes(shop, held_out, rng):
    """User, the item they bought next, a theme of it, and a theme that is not theirs."""
    item_code = {item: code for code, item in enumerate(shop.item_features["item_id"])}
    user_code = {user: code for code, user in enumerate(shop.user_features["user_id"])}
    for user, item in zip(held_out["user"], held_out["item"], strict=True):
        own = np.flatnonzero(shop.item_themes[item_code[item]] >= 2)
        if len(own):
            far = np.flatnonzero(shop.user_tastes[user_code[user]] == 0)
            yield user, item_code[item], rng.choice(own), rng.choice(far)


def measure(model, shop, language, readers):
    """One line per weight."""
    item_code = {item: code for code, item in enumerate(shop.item_features["item_id"])}
    users, targets, *asked = (list(column) for column in zip(*readers, strict=True))
    print("weight   next   | theme of theirs: on top  in 10 | another: on top  in 10")
    for weight in WEIGHTS:
        cells = []
        for themes in asked:
            texts = [WORDING[language].format(shop.theme_names[theme]) for theme in themes]
            rows = model.recommend(users, k=10, request=texts, request_weight=weight).items
            codes = np.array([[item_code[item] for item in row] for row in rows])
            fits = shop.item_themes[codes, np.array(themes)[:, None]] >= 2
            hits = codes == np.array(targets)[:, None]
            cells += [(hits / np.log2(np.arange(2, 12))).sum(axis=1).mean(), fits[:, 0].mean(), fits.mean()]
        next_one, top, ten, _, far_top, far_ten = cells
        print(f"{weight:<6}   {next_one:.4f} | {top:>23.3f}  {ten:.3f} | {far_top:>15.3f}  {far_ten:.3f}")


def main():
    for language in WORDING:
        shop = load_bookshop(language=language)
        is_last = ~shop.interactions["user"].duplicated(keep="last")
        held_out = shop.interactions[is_last].sample(200, random_state=0)
        readers = list(readers_and_themes(shop, held_out, np.random.default_rng(0)))
        hybrid = HybridMFRecommender(item_encoder="auto", random_state=0)
        for model in (hybrid, ItemKNNRecommender(item_encoder=NgramTextEncoder(random_state=0))):
            model.fit(shop.interactions[~is_last], item_features=FeatureTable(shop.item_features))
            print(f"{language}, {type(model).__name__}, {len(readers)} searches")
            measure(model, shop, language, readers)


if __name__ == "__main__":
    main()
