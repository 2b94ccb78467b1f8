"""Requests per second of ``skrec serve``: HybridMF on MovieLens 100K, one user a request, k = 10, 16 connections.

    python examples/benchmarks/serving.py --folder ml-100k
    python examples/benchmarks/serving.py --folder ml-100k --requests 10000 --reload

The server runs in a process of its own, on the first core; the client, which is plain sockets in one thread, on the
last. Wall times mean something only where nothing else runs: the CPU time of the server per request, which is printed
beside them, says how many requests a core can answer at most. With ``--reload`` two models take each other's place
all the while, and every answer is compared with the list of the version that it names.
"""

import argparse
import asyncio
import json
import os
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


def check(answers, models):
    """Count the answers that are not the list of the version that they name."""
    import hashlib

    lists = {}
    for data, model in models:
        found = model.recommend(k=K)
        rows = zip(found.users.tolist(), found.items.tolist(), strict=True)
        lists[hashlib.sha256(data).hexdigest()[:16]] = {user: row for user, row in rows}
    n_wrong, versions = 0, set()
    for _, status, answer in answers:
        read = json.loads(answer)
        versions.add(read["version"])
        row = read["lists"][0] if status == b"200" else {"user": None, "items": []}
        n_wrong += [one["item"] for one in row["items"]] != lists[read["version"]].get(row["user"])
    print(f"{len(answers)} answers, {n_wrong} of them lost or of no published version; {len(versions)} versions")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="holds ml-100k; made events without it")
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reload", action="store_true", help="replace the model all the while, and check the answers")
    given = parser.parse_args()
    X = fetch_movielens(folder=given.folder).X if given.folder else make_interactions(random_state=0)[0]
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
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        os.sched_setaffinity(server.pid, cores[:1])
        os.sched_setaffinity(0, cores[-1:])
        try:
            line = next(line for line in server.stderr if "listening at" in line)
            host, _, port = line.split("http://")[1].split(",")[0].partition(":")
            measure(given, host, int(port), server.pid, models[0].users_, files, path)
        finally:
            server.terminate()
            server.communicate()


def measure(given, host, port, pid, users, files, path):
    """Warm up, then measure, with or without other models coming."""
    asyncio.run(ask(host, port, users, 200, given.connections))
    ends = threading.Event()

    def replace():
        at = 0
        while not ends.wait(0.5):
            at += 1
            beside = path.with_suffix(".new")
            beside.write_bytes(files[at % len(files)][0])
            os.replace(beside, path)

    replacer = threading.Thread(target=replace)
    if given.reload:
        replacer.start()
    started, cpu = time.perf_counter(), cpu_seconds(pid)
    answers = asyncio.run(ask(host, port, users, given.requests, given.connections))
    seconds, cpu = time.perf_counter() - started, cpu_seconds(pid) - cpu
    ends.set()
    if given.reload:
        replacer.join()
    times = np.array([one[0] for one in answers]) * 1000
    print(f"{given.requests} requests, {given.connections} connections, k={K}")
    print(f"{given.requests / seconds:.0f} requests per second")
    print(f"p50 {np.percentile(times, 50):.1f} ms, p95 {np.percentile(times, 95):.1f} ms")
    per_request = cpu / given.requests
    print(
        f"{per_request * 1000:.2f} CPU ms of the server per request, so at most {1 / per_request:.0f} per core-second"
    )
    check(answers, files)


if __name__ == "__main__":
    main()
