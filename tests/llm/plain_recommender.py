"""A recommender with the public contract alone: no base class, no private attribute that others read."""

import numpy as np


class PlainRecommender:
    """Ranks items by how often users chose them together with the history; by popularity without one."""

    def __init__(self, popularity_weight=0.01):
        self.popularity_weight = popularity_weight

    def get_params(self, deep=True):
        return {"popularity_weight": self.popularity_weight}

    def set_params(self, **parameters):
        vars(self).update(parameters)
        return self

    def fit(self, X, y=None, **tables):
        self.log = np.asarray(X, dtype=object)[:, :2]
        self.users_, users = np.unique(self.log[:, 0].tolist(), return_inverse=True)
        self.items_, items = np.unique(self.log[:, 1].tolist(), return_inverse=True)
        self.chosen = np.zeros((len(self.users_), len(self.items_)))
        self.chosen[users, items] = 1
        self.together = self.chosen.T @ self.chosen
        return self

    def partial_fit(self, X, y=None, **tables):
        return self.fit(np.vstack([self.log, np.asarray(X, dtype=object)[:, :2]]))

    def seen_items(self, users):
        return [np.flatnonzero(self.chosen[self.users_ == user].any(axis=0)) for user in users]

    def _scores(self, users, history=None):
        given = np.zeros((len(users), len(self.items_)))
        for row, (user, seen) in enumerate(zip(users, self.seen_items(users), strict=True)):
            later = [] if history is None else [event[1] for event in history if event[0] == user]
            given[row, seen], given[row, np.isin(self.items_, later)] = 1, 1
        return given @ self.together + self.popularity_weight * self.chosen.sum(axis=0), given

    def predict(self, X):
        scores, _ = self._scores([row[0] for row in X])
        at = np.searchsorted(self.items_, [row[1] for row in X]).clip(max=len(self.items_) - 1)
        return scores[np.arange(len(X)), at]

    def recommend(self, users=None, k=10, *, history=None, candidates=None, exclude_seen=True, **ignored):
        scores, given = self._scores(self.users_ if users is None else users, history)
        for row in range(len(scores) if candidates is not None else 0):
            scores[row, ~np.isin(self.items_, candidates[row] if np.ndim(candidates[0]) else candidates)] = -np.inf
        scores[(given > 0) & exclude_seen] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(scores, order, axis=1)
        return np.where(np.isfinite(scores), self.items_[order].astype(object), None), scores
