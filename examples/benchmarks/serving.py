"""Requests per second of ``skrec serve``: HybridMF on MovieLens 100K, one user a request, k = 10, 16 connections.

    python examples/benchmarks/serving.py --folder ml-100k
    python examples/benchmarks/serving.py --folder ml-100k --requests 10000 --reload
    python examples/benchmarks/serving.py --folder ml-100k --requests 10000 --reload --feedback

The server runs in a process of its own, on the first core; the client, which is plain sockets in one thread, on the
last. Wall times mean something only where nothing else runs: the CPU time of the server per request, which is printed
beside them, says how many requests a core can answer at most. With ``--reload`` two models take each other's place
all the while, and every answer is compared with the list of the version that it names. With ``--feedback`` the model
learns events all the while: the server keeps each version that it publishes, and at its end writes their lists.
"""

import argparse
import asyncio
import hashlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import skops.io

from skrec.datasets import fetch_movielens, make_interactions
from skrec.decomposition import HybridMFRecommender

K = 10


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def one_connection(host, port, bodies, answers):
    """Requests one after the other over a kept connection; (seconds, answer) of each."""
    reader, writer = await asyncio.open_connection(host, port)
    for body in bodies:
        head = (
            f"POST /recommend HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        started = time.perf_counter()
        writer.write(f"{head}\r\n\r\n".encode() + body)
        headers = await reader.readuntil(b"\r\n\r\n")
        length = int(headers.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        answers.append((time.perf_counter() - started, headers.split(b" ")[1], answer))
    writer.close()


async def ask(host, port, users, n_requests, n_connections):
    """Answers to requests for users drawn at random."""
    rng, answers = np.random.default_rng(0), []
    bodies = [json.dumps({"users": [user], "k": K}).encode() for user in rng.choice(users, n_requests).tolist()]
    await asyncio.gather(
        *(one_connection(host, port, bodies[at::n_connections], answers) for at in range(n_connections))
    )
    return answers


def lists_of(model):
    """The list of every user."""
    found = model.recommend(k=K)
    return dict(zip(found.users.tolist(), found.items.tolist(), strict=True))


def check(answers, published):
    """Count the answers that are not a list that was published under the version that they name."""
    n_wrong, versions = 0, set()
    for _, status, answer in answers:
        read = json.loads(answer)
        versions.add(read["version"])
        row = read["lists"][0] if status == b"200" else {"user": None, "items": []}
        listed = [one["item"] for one in row["items"]]
        n_wrong += not any(lists.get(row["user"]) == listed for lists in published.get(read["version"], []))
    print(f"{len(answers)} answers, {n_wrong} of them lost or of no published version; {len(versions)} versions")


def check_what_was_said(answers, log):
    """Count the answers of a version with an event in it that recommend what its user has chosen by that event."""
    said = sqlite3.connect(log).execute("SELECT id, user, item FROM events ORDER BY id").fetchall()
    first = {}
    for number, user, item in said:
        first.setdefault((json.loads(user), json.loads(item)), number)
    n_wrong = 0
    for _, _, answer in answers:
        read = json.loads(answer)
        learned = int(read["version"].partition("+")[2] or 0)
        row = read["lists"][0]
        n_wrong += any(first.get((row["user"], one["item"]), learned + 1) <= learned for one in row["items"])
    print(f"{len(said)} events of feedback; {n_wrong} answers recommend what their version has as chosen")


def serve_and_record(path, threads, folder):
    """Serve with feedback, and keep what is published: the server of ``--feedback``."""
    import logging

    from skrec.serving import ServiceLimits, make_app, serve
    from skrec.serving._model import Publisher

    published = {}

    def publish(publisher, model):
        publisher.__dict__["now"] = model
        kept = published.setdefault(model.version, [])
        if all(one is not model.recommender for one in kept):
            kept.append(model.recommender)

    Publisher.current = property(lambda publisher: publisher.__dict__["now"], publish)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    limits = ServiceLimits(rate=0, threads=threads)
    log = Path(folder) / "feedback.sqlite"
    serve(make_app(path, limits=limits, feedback_log=log, replay="all", reload_every=0.2), port=0)
    lists = {version: [list(lists_of(one).items()) for one in kept] for version, kept in published.items()}
    (Path(folder) / "published.json").write_text(json.dumps(lists))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="holds ml-100k; made events without it")
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reload", action="store_true", help="replace the model all the while, and check the answers")
    parser.add_argument("--feedback", action="store_true", help="learn events all the while, and check the answers")
    parser.add_argument("--server", nargs=2, metavar=("MODEL", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.server:
        serve_and_record(given.server[0], given.threads, given.server[1])
        return
    X = fetch_movielens(folder=given.folder).X if given.folder else make_interactions(random_state=0).X
    X = X[["user", "item"]] if hasattr(X, "columns") else X
    seeds = range(2 if given.reload else 1)
    models = [HybridMFRecommender(n_factors=32, max_iter=4, random_state=seed).fit(X) for seed in seeds]
    files = [(skops.io.dumps(model), model) for model in models]
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        path.write_bytes(files[0][0])
        command = [sys.executable, "-m", "skrec", "serve", str(path), "--port", "0", "--rate", "0"]
        command += ["--threads", str(given.threads), "--reload-every", "0.2" if given.reload else "0"]
        if given.feedback:
            command = [sys.executable, __file__, "--server", str(path), folder, "--threads", str(given.threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        os.sched_setaffinity(server.pid, cores[:1])
        os.sched_setaffinity(0, cores[-1:])
        try:
            line = next(line for line in server.stderr if "listening at" in line)
            host, _, port = line.split("http://")[1].split(",")[0].partition(":")
            threading.Thread(target=server.stderr.read, daemon=True).start()  # or its log would fill the pipe
            answers = measure(given, host, int(port), server.pid, models[0], files, path)
        finally:
            server.terminate()
            server.wait()
        if given.feedback:
            lists = json.loads((Path(folder) / "published.json").read_text())
            check(answers, {version: [dict(one) for one in kept] for version, kept in lists.items()})
            check_what_was_said(answers, Path(folder) / "feedback.sqlite")
        else:
            check(answers, {hashlib.sha256(data).hexdigest()[:16]: [lists_of(model)] for data, model in files})


def send_feedback(host, port, model, ends):
    """Ten events of known users, ten times a second."""
    rng = np.random.default_rng(1)
    connection = http.client.HTTPConnection(host, port, timeout=30)
    while not ends.wait(0.1):
        users, items = rng.choice(model.users_, 10).tolist(), rng.choice(model.items_, 10).tolist()
        events = [{"user": user, "item": item} for user, item in zip(users, items, strict=True)]
        connection.request("POST", "/feedback", json.dumps({"events": events}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()


def measure(given, host, port, pid, model, files, path):
    """Warm up, then measure, with or without other models and events coming."""
    users = model.users_
    asyncio.run(ask(host, port, users, 200, given.connections))
    ends = threading.Event()

    def replace():
        at = 0
        while not ends.wait(0.5):
            at += 1
            new = path.with_suffix(".new")
            new.write_bytes(files[at % len(files)][0])
            os.replace(new, path)

    beside = [threading.Thread(target=replace)] if given.reload else []
    if given.feedback:
        beside.append(threading.Thread(target=send_feedback, args=(host, port, model, ends)))
    for thread in beside:
        thread.start()
    started, cpu = time.perf_counter(), cpu_seconds(pid)
    answers = asyncio.run(ask(host, port, users, given.requests, given.connections))
    seconds, cpu = time.perf_counter() - started, cpu_seconds(pid) - cpu
    ends.set()
    for thread in beside:
        thread.join()
    times = np.array([one[0] for one in answers]) * 1000
    print(f"{given.requests} requests, {given.connections} connections, k={K}")
    print(f"{given.requests / seconds:.0f} requests per second")
    print(f"p50 {np.percentile(times, 50):.1f} ms, p95 {np.percentile(times, 95):.1f} ms")
    per_request = cpu / given.requests
    print(
        f"{per_request * 1000:.2f} CPU ms of the server per request, so at most {1 / per_request:.0f} per core-second"
    )
    return answers


if __name__ == "__main__":
    main()
