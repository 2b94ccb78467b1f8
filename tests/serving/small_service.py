"""A small model with texts, and a real server on the loopback address."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pandas as pd

from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.neighbors import ItemKNNRecommender
from skrec.serving import serve

TITLES = ["Emma", "Moby-Dick", "Dracula", "Walden", "Ulysses", "Middlemarch", "Persuasion", "Lord Jim"]
ITEMS = pd.DataFrame(
    {"item": [f"bk-{at}" for at in range(8)], "title": TITLES, "text": [f"A book about {t.lower()}" for t in TITLES]}
)


def events(seed=0):
    rng = np.random.default_rng(seed)
    pairs = {(f"u{rng.integers(12)}", f"bk-{rng.integers(8)}") for _ in range(40)}
    return pd.DataFrame(sorted(pairs), columns=["user", "item"])


def fitted(seed=0):
    encoder = LLMTextEmbedder(HashingTextEncoder())
    return ItemKNNRecommender(item_encoder=encoder).fit(events(seed), item_features=ITEMS)


@contextmanager
def running(app):
    """The address of a server in a thread, of which nothing is left afterwards."""
    addresses, errors = [], []

    def run():
        try:
            serve(app, port=0, ready=addresses.append)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not addresses and thread.is_alive():
        time.sleep(0.005)
    try:
        yield addresses[0]
    finally:
        app.state.stop()
        thread.join(20)
    assert not errors
    assert not thread.is_alive()
