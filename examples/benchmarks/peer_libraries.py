"""The models of ``peers.py``, one class a library: fit from events, recommend the first K items to all users."""

import numpy as np

K = 10
ALS = {"factors": 64, "regularization": 10.0, "iterations": 15}
BPR = {"factors": 64, "learning_rate": 0.05, "regularization": 0.03, "iterations": 50}


class Skrec:
    """This library."""

    def __init__(self, model):
        from skrec.decomposition import BPRRecommender, HybridMFRecommender
        from skrec.linear_model import EASERecommender
        from skrec.neighbors import ItemKNNRecommender, UserKNNRecommender

        self.model = {
            "item KNN": lambda: ItemKNNRecommender(100, similarity="cosine"),
            "BM25 KNN": lambda: ItemKNNRecommender(20, similarity="bm25"),
            "user KNN": lambda: UserKNNRecommender(100, similarity="cosine", popularity_prior=0.0),
            "EASE": lambda: EASERecommender(400.0, regularization_exponent=0.0, popularity_prior=0.0),
            "ALS": lambda: HybridMFRecommender(
                ALS["factors"], regularization=ALS["regularization"], alpha=0.0, frequency_scaling=0.0,
                max_iter=ALS["iterations"], tol=0.0,
            ),
            "BPR": lambda: BPRRecommender(
                BPR["factors"], learning_rate=BPR["learning_rate"], regularization=BPR["regularization"],
                max_iter=BPR["iterations"], popularity_weight=0.5,
            ),
        }[model]()  # fmt: skip

    def fit(self, events):
        self.model.fit(events)

    def recommend(self, n_users):
        return self.model.recommend(k=K).codes


class Skrecsys:
    """A compiled core behind scikit-learn's interface."""

    def __init__(self, model):
        import skrecsys.recommendation as peers

        self.model = {
            "item KNN": lambda: peers.ItemKNNRecommender(n_neighbors=100),
            "BM25 KNN": lambda: peers.BM25Recommender(n_neighbors=20),
            "EASE": lambda: peers.EASE(l2_reg=400.0),
            "BPR": lambda: peers.BayesianPersonalizedRanking(
                n_factors=BPR["factors"], learning_rate=BPR["learning_rate"], regularization=BPR["regularization"],
                max_iter=BPR["iterations"],
            ),
        }[model]()  # fmt: skip

    def fit(self, events):
        self.model.fit(events)

    def recommend(self, n_users):
        return self.model.recommend(np.arange(n_users), n_recommendations=K)[0]


class Implicit:
    """Its nearest neighbours count the item itself as one, so they get one more."""

    def __init__(self, model):
        self.model = implicit_model(model)

    def fit(self, events):
        import scipy.sparse as sp
        from threadpoolctl import threadpool_limits

        self.matrix = sp.csr_matrix((np.ones(len(events), np.float32), (events[:, 0], events[:, 1])))
        with threadpool_limits(1, user_api="blas"):
            self.model.fit(self.matrix, show_progress=False)

    def recommend(self, n_users):
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            return self.model.recommend(np.arange(n_users), self.matrix, N=K)[0]


def implicit_model(model):
    """A model of implicit, which RecTools wraps too."""
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender

    return {
        "item KNN": lambda: CosineRecommender(K=101),
        "BM25 KNN": lambda: BM25Recommender(K=21),
        "ALS": lambda: AlternatingLeastSquares(**ALS, alpha=1.0),
        "BPR": lambda: BayesianPersonalizedRanking(**BPR),
    }[model]()


class Rectools:
    """Wrappers of implicit, and an EASE of its own."""

    def __init__(self, model):
        from rectools.models import (
            EASEModel,
            ImplicitALSWrapperModel,
            ImplicitBPRWrapperModel,
            ImplicitItemKNNWrapperModel,
        )

        self.model = {
            "item KNN": lambda: ImplicitItemKNNWrapperModel(implicit_model(model)),
            "BM25 KNN": lambda: ImplicitItemKNNWrapperModel(implicit_model(model)),
            "EASE": lambda: EASEModel(regularization=400.0, recommend_use_gpu_ranking=False),
            "ALS": lambda: ImplicitALSWrapperModel(implicit_model(model)),
            "BPR": lambda: ImplicitBPRWrapperModel(implicit_model(model)),
        }[model]()

    def fit(self, events):
        import pandas as pd
        from rectools.dataset import Dataset

        frame = pd.DataFrame({"user_id": events[:, 0], "item_id": events[:, 1], "weight": 1.0})
        self.data = Dataset.construct(frame.assign(datetime=pd.Timestamp("2020-01-01")))
        self.model.fit(self.data)

    def recommend(self, n_users):
        found = self.model.recommend(np.arange(n_users), self.data, k=K, filter_viewed=True)
        return as_lists(found["user_id"].to_numpy(), found["rank"].to_numpy(), found["item_id"].to_numpy(), n_users)


class Lenskit:
    """Pipelines; its user KNN takes the nearest of those who had an item, item by item."""

    def __init__(self, model):
        from lenskit.als import ImplicitMFScorer
        from lenskit.knn import EASEScorer, ItemKNNScorer, UserKNNScorer
        from lenskit.pipeline import topn_pipeline

        scorer = {
            "item KNN": lambda: ItemKNNScorer(max_nbrs=100, save_nbrs=100, feedback="implicit"),
            "user KNN": lambda: UserKNNScorer(max_nbrs=100, feedback="implicit"),
            "EASE": lambda: EASEScorer(regularization=400.0),
            "ALS": lambda: ImplicitMFScorer(
                embedding_size=ALS["factors"], epochs=ALS["iterations"], regularization=ALS["regularization"], weight=1
            ),
        }[model]()
        self.model = topn_pipeline(scorer, n=K)

    def fit(self, events):
        import pandas as pd
        from lenskit.data import from_interactions_df

        self.model.train(from_interactions_df(pd.DataFrame({"user_id": events[:, 0], "item_id": events[:, 1]})))

    def recommend(self, n_users):
        from lenskit.batch import recommend

        found = recommend(self.model, np.arange(n_users), K, n_jobs=1).to_df()
        return as_lists(found["user_id"].to_numpy(), found["rank"].to_numpy(), found["item_id"].to_numpy(), n_users)


def as_lists(users, ranks, items, n_users):
    """Long form to one row per user."""
    lists = np.full((n_users, K), -1)
    lists[users, ranks - 1] = items
    return lists


ADAPTERS = {"skrec": Skrec, "skrecsys": Skrecsys, "implicit": Implicit, "rectools": Rectools, "lenskit": Lenskit}
