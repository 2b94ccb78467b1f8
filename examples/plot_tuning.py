"""
Tuning: what a search gains, and what it seems to gain
======================================================

A search tries settings and keeps the one that is best on held-out events. Its own best score tends to be too good,
since it is the best of several; what it gained is seen on events that the search has never looked at. Here both are
measured, beside what more events would gain: often more than the best setting.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV

from skrec import EASERecommender, LeaveLastOut, PopularRecommender, TunedRecommender, compare, evaluate, load_bookshop
from skrec.inspection import ModelComparisonDisplay

language = "en"  # or "zh", the Chinese bookshop

# %%
# Two looks into the future
# -------------------------
#
# The last event of each reader is for the end. ``cv=LeaveLastOut()`` holds out the one before for the search.

shop = load_bookshop(language=language)
train, test = next(LeaveLastOut().split(shop.X))
X, X_test = shop.X.iloc[train], shop.X.iloc[test]
grid = {"regularization": [1, 10, 100, 1_000, 10_000], "recency_decay": [0.6, 0.8, 1.0]}
search = GridSearchCV(EASERecommender(), grid, cv=LeaveLastOut())
search.fit(X)
print(
    f"best of {len(search.cv_results_['params'])}: {search.best_params_}, validation NDCG@10 {search.best_score_:.3f}"
)

# %%
# The same in a line
# ------------------
#
# Every recommender knows its own space to search. ``TunedRecommender`` draws from it, holds out the last events of the
# training, and is itself a recommender.

tuned = TunedRecommender(EASERecommender(), n_iter=8, random_state=0).fit(X)
print("found: " + ", ".join(f"{name} {value:.3g}" for name, value in tuned.best_params_.items()))

# %%
# What it gained
# --------------

models = {
    "popularity": PopularRecommender().fit(X),
    "EASE by default": EASERecommender().fit(X),
    "EASE, grid": search.best_estimator_,
    "EASE, tuned": tuned,
}
table = evaluate(models, X_test, metrics="ndcg@10", random_state=0)
print(table[["model", "mean", "ci_low", "ci_high"]].round(3).to_string(index=False))
gains = {}
for name in ("EASE, grid", "EASE, tuned"):
    options = {"metrics": "ndcg@10", "random_state": 0}
    gains[name] = gain = compare(models[name], models["EASE by default"], X_test, **options).iloc[0]
    print(f"{name} over the default: {gain['difference']:+.3f}, {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# What more readers gain
# ----------------------
#
# A hundred readers, always the same, are asked for; the default is fitted to their events and to those of none, a
# hundred, or all of the other readers.

readers = X["user"].unique()
asked = X_test[X_test["user"].isin(readers[:100])]
sizes = {}
for n in (100, 200, 600):
    sizes[f"default, {n} readers"] = EASERecommender().fit(X[X["user"].isin(readers[:n])])
more = evaluate(sizes, asked, metrics="ndcg@10", random_state=0)
print(more[["model", "mean", "ci_low", "ci_high"]].round(3).to_string(index=False))

# %%
# What to take from it
# --------------------
#
# The best score of fifteen (dotted) is no estimate of what is to come, though it is a fair one here, with 600 readers
# and few settings. The search in the space of the model gains a little, and the interval of the gain holds zero: the
# default of EASE is good on this log. More readers gain several times as much. So look at the interval before you keep
# a setting, and at the number of events before you search.

figure, left = plt.subplots(figsize=(7, 3.5), layout="constrained")
ModelComparisonDisplay.from_evaluation(table, ax=left)
left.axvline(search.best_score_, color="0.5", linestyle=":")
left.annotate("best score of the grid", (search.best_score_, 0.4), (-8, 0), textcoords="offset points", ha="right")
left.set_title("settings")
figure, right = plt.subplots(figsize=(7, 3.5), layout="constrained")
ModelComparisonDisplay.from_evaluation(more, ax=right)
right.set_title("readers")
plt.show()
