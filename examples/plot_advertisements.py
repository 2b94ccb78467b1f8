"""
Advertisements: what is the probability of a click worth?
=========================================================

An advertiser pays by the click. Which advertisement to show is then a matter of probability times price, and a
probability that is wrong by a factor costs money, however good the order is.
:class:`~skrec.neural_network.TwoTowerRecommender` gives probabilities that are calibrated on held-out events.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay

from skrec import FeatureTable, TwoTowerRecommender
from skrec.inspection import ModelComparisonDisplay

# %%
# Shown and clicked
# -----------------
#
# Each row is an advertisement that was shown; y says whether it was clicked. People of five interests, advertisements
# of five kinds, with prices per click. (The data are made, and so the true probabilities are known.)

rng = np.random.default_rng(0)
n_people, n_ads = 400, 60
interest, kind = rng.integers(0, 5, n_people), np.arange(n_ads) % 5
appeal, price = rng.normal(-2.2, 0.7, n_ads), rng.uniform(0.1, 2.0, n_ads).round(2)
logit = appeal + 2.2 * (interest[:, None] == kind)
truth = 1 / (1 + np.exp(-logit))
n = 20_000
shown = pd.DataFrame({"person": rng.integers(0, n_people, n), "ad": rng.integers(0, n_ads, n)})
clicked = (rng.random(n) < truth[shown["person"], shown["ad"]]).astype(int)
is_test = np.arange(n) >= 15_000
X, y, X_test, y_test = shown[~is_test], clicked[~is_test], shown[is_test], clicked[is_test]
print(f"{len(X)} shown, {y.mean():.1%} clicked")

# %%
# Probabilities
# -------------
#
# With ``n_negatives=0`` the model learns from what was shown alone, clicked or not.

ads = FeatureTable((np.arange(n_ads), np.eye(5)[kind]))
people = FeatureTable((np.arange(n_people), np.eye(5)[interest]))
settings = {"loss": "bce", "n_negatives": 0, "use_history": False, "max_iter": 8, "random_state": 0, "verbose": False}
rec = TwoTowerRecommender(16, calibration="isotonic", **settings).fit(X, y, item_features=ads, user_features=people)
probability = rec.predict_proba(X_test)[:, 1]
true = truth[X_test["person"], X_test["ad"]]
guesses = {"the mean": np.full(len(X_test), y.mean()), "two towers": probability, "the truth": true}
for name, guess in guesses.items():
    print(f"Brier score of {name}: {np.mean((guess - y_test) ** 2):.4f}")

# %%
# What the probabilities earn
# ---------------------------
#
# Each person of the test is shown one advertisement. What it earns in the mean is known here: the true probability
# times the price. The interval is over people.

pairs = pd.DataFrame({"person": np.repeat(np.arange(n_people), n_ads), "ad": np.tile(np.arange(n_ads), n_people)})
expected = rec.predict_proba(pairs)[:, 1].reshape(n_people, n_ads)
rate = pd.Series(y).groupby(X["ad"].to_numpy()).mean().reindex(range(n_ads), fill_value=0).to_numpy()
choices = {
    "highest price": np.full(n_people, price.argmax()),
    "most clicked": np.full(n_people, rate.argmax()),
    "clicks x price": np.full(n_people, (rate * price).argmax()),
    "likeliest click": expected.argmax(axis=1),
    "probability x price": (expected * price).argmax(axis=1),
}
earned = {name: (truth * price)[np.arange(n_people), ads_shown] for name, ads_shown in choices.items()}
values = {}
for name, money in earned.items():
    half = 1.96 * money.std() / np.sqrt(n_people)
    values[name] = [money.mean(), money.mean() - half, money.mean() + half]
    print(f"{name:20s} {money.mean():.3f} a view")
best = (truth * price).max(axis=1).mean()
print(f"{'with the truth':20s} {best:.3f} a view")
gain = earned["probability x price"] - earned["clicks x price"]
half = 1.96 * gain.std() / np.sqrt(n_people)
low, high = gain.mean() - half, gain.mean() + half
print(f"what knowing the person adds: {gain.mean():+.3f}, 95 % interval {low:+.3f} to {high:+.3f}")

# %%
# Are they probabilities?
# -----------------------
#
# Of what is clicked with a probability of 20 %, a fifth should be clicked. The order alone does not pay: whoever shows
# the likeliest click, whatever it is worth, earns less than who knows the price alone of what is often clicked. (For a
# service in which nobody pays by the click, the order is all that counts, and calibration does not pay.)

figure, left = plt.subplots(figsize=(6, 4), layout="constrained")
CalibrationDisplay.from_predictions(y_test, probability, n_bins=8, strategy="quantile", name="two towers", ax=left)
end = 1.1 * np.quantile(probability, 0.99)
left.set(xlim=(0, end), ylim=(0, end), xlabel="predicted probability of a click", ylabel="share that was clicked")
figure, right = plt.subplots(figsize=(7, 4), layout="constrained")
ModelComparisonDisplay(metric="earned", values=values).plot(right)
right.axvline(best, color="0.5", linestyle=":")
right.set_xlabel("earned per view, 95 % interval (dotted: with the truth)")
# sphinx_gallery_thumbnail_number = 2
plt.show()
