"""
Serving: a list over HTTP, and a like that changes it
=====================================================

A fitted recommender becomes a service in one line. Here the service of a music shop runs in this process, on a port of
this machine alone: it is asked for a list, told what the listener liked, and asked again.
"""

import json
import socket
import tempfile
import threading
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import uvicorn

from skrec import ItemKNNRecommender, ServiceLimits, make_app
from skrec.inspection import ContextDisplay

# %%
# A model
# -------
#
# Listeners of four kinds of music. (The data are made.)

rng = np.random.default_rng(0)
kinds = ["jazz", "techno", "folk", "opera"]
albums = np.array([f"{kind} album {number}" for kind in kinds for number in range(1, 16)])
taste = rng.integers(0, 4, 300)
weight = np.where(np.repeat(np.arange(4), 15) == taste[:, None], 8.0, 1.0)
weight /= weight.sum(axis=1, keepdims=True)
rows = [(f"listener {at}", album) for at in range(300) for album in rng.choice(albums, 10, replace=False, p=weight[at])]
plays = pd.DataFrame(rows, columns=["listener", "album"])
rec = ItemKNNRecommender().fit(plays)

# %%
# A service
# ---------
#
# ``make_app`` gives an ASGI application, and any ASGI server runs it. In production it is a command: ``skrec serve
# model.skops``. The log of feedback is a file, from which the model learns. (Limits are generous here, for the first
# call of each kind compiles.)

folder = tempfile.mkdtemp()
limits = ServiceLimits(timeout=120)
app = make_app(rec, version="1", feedback_log=Path(folder) / "feedback.sqlite", limits=limits)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
thread.start()
while not server.started:
    time.sleep(0.05)
address = f"http://127.0.0.1:{listener.getsockname()[1]}"


def ask(path, **body):
    """A POST of JSON, and its answer."""
    request = Request(f"{address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


# %%
# A list with reasons
# -------------------
#
# Somebody whom the model does not know gets what is popular.

answer = ask("/recommend", users=["somebody new"], k=6, reasons=True)
for item in answer["lists"][0]["items"]:
    print(f"{item['item']}: {item['reason']}")
lists = {"at first": [item["item"] for item in answer["lists"][0]["items"]]}

# %%
# A like, and the next list
# -------------------------
#
# With ``wait``, the answer comes when the model has learned. Other requests never wait for that: each reads one
# version of the model from beginning to end.

for album in ("folk album 3", "folk album 7"):
    said = ask("/feedback", events=[{"user": "somebody new", "item": album, "value": 1}], wait=True)
    answer = ask("/recommend", users=["somebody new"], k=6, reasons=True)
    lists[f"likes {album}"] = [item["item"] for item in answer["lists"][0]["items"]]
    print(f"{album} is liked (version {answer['version']}):")
    for item in answer["lists"][0]["items"][:3]:
        print(f"  {item['item']}: {item['reason']}")

# %%
# What a service does with a mistake
# ----------------------------------
#
# An error says what was passed, and what would be right.

try:
    ask("/similar", items=["folk album 33"], k=2)
except HTTPError as error:
    print(error.code, json.load(error)["error"]["message"])

# %%
# How long does it take?
# ----------------------
#
# The time of one request after the other, from here and back. What a service bears under load is measured by
# ``examples/benchmarks/serving.py``.

times = []
for at in range(50):
    start = time.perf_counter()
    ask("/recommend", users=[f"listener {at}"], k=10)
    times.append(1000 * (time.perf_counter() - start))
print(f"median of 50 requests: {np.median(times):.1f} ms")

# %%
# What two likes change
# ---------------------

server.should_exit = True
thread.join()
shown = list(dict.fromkeys(album for row in lists.values() for album in row))
ranks = [[row.index(album) + 1 if album in row else np.nan for row in lists.values()] for album in shown]
figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
ContextDisplay(ranks=ranks, items=shown, contexts=[*lists]).plot(axis)
axis.set_xlabel("what was said (numbers are places in the list)")
axis.tick_params(axis="x", rotation=0)
plt.show()
