"""ALS fit and top 10 for all users, against the C++ of the implicit library: time, loss, memory.

    python examples/benchmarks/als_vs_implicit.py

Five million synthetic events of 50,000 users and 10,000 items of power-law popularity, repeats of a pair
merged; 64 factors, five sweeps, the same objective and threads for both, one BLAS thread. Both start from the
same CSR matrix. Runs alternate, so that a busy machine slows both; compile time is excluded and reported.
Memory is the growth of the peak over what stands after imports and a warm-up fit (Linux only).
"""

import argparse
import ctypes
import gc
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

REGULARIZATION, ALPHA = 0.1, 1.0


def make_matrix(n_events: int, n_users: int, n_items: int, seed: int = 0) -> sp.csr_matrix:
    """Distinct pairs of an event log in which few items have most of the events."""
    rng = np.random.default_rng(seed)

    def draw(n: int, exponent: float) -> np.ndarray:
        share = np.cumsum((1.0 + np.arange(n)) ** -exponent)
        return rng.permutation(n)[np.searchsorted(share / share[-1], rng.random(n_events))]

    users, items = draw(n_users, 0.5), draw(n_items, 0.8)
    matrix = sp.csr_matrix((np.ones(n_events, np.float32), (users, items)), shape=(n_users, n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def fit_skrec(matrix: sp.csr_matrix, n_factors: int, sweeps: int, threads: int) -> tuple:
    """The solver of HybridMFRecommender on a CSR matrix; user and item factors."""
    from skrec._kernels.als.sweeps import Side, aligned_zeros, fit_als, make_row_solver

    sides = []
    for entries in (matrix, matrix.T.tocsr()):
        penalty = np.full(entries.shape[0], REGULARIZATION, np.float32)
        rows = make_row_solver(entries, ALPHA, n_jobs=threads, device=None)
        sides.append(Side(rows, aligned_zeros(entries.shape[0], n_factors), penalty))
    users, items = sides
    items.factors[:, :n_factors] = 0.01 * np.random.default_rng(0).standard_normal((len(items.factors), n_factors))
    fit_als(users, items, max_iter=sweeps, tol=0)
    return users.factors[:, :n_factors], items.factors[:, :n_factors]


def make_implicit(n_factors: int, sweeps: int, threads: int):
    """The unfitted model of implicit."""
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        n_factors, regularization=REGULARIZATION, alpha=1.0, iterations=sweeps, num_threads=threads, random_state=0
    )


def fit_implicit(confidence: sp.csr_matrix, n_factors: int, sweeps: int, threads: int) -> tuple:
    """User and item factors; implicit reads the values as confidences."""
    model = make_implicit(n_factors, sweeps, threads)
    model.fit(confidence, show_progress=False)
    return model.user_factors, model.item_factors


def with_confidence(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The same entries, valued 1 + alpha * y."""
    return sp.csr_matrix((1 + np.float32(ALPHA) * matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)


FITS = {"skrec": fit_skrec, "implicit": fit_implicit}
INPUTS = {"skrec": lambda matrix: matrix, "implicit": with_confidence}


def loss(matrix: sp.csr_matrix, p: np.ndarray, q: np.ndarray) -> float:
    """The common objective, in float64: all pairs through the Gram matrices, then what the seen ones change."""
    p, q = p.astype(np.float64), q.astype(np.float64)
    total = ((p.T @ p) * (q.T @ q)).sum() + REGULARIZATION * ((p**2).sum() + (q**2).sum())
    for start in range(0, matrix.shape[0], 1024):
        rows = matrix[start : start + 1024].tocoo()
        score = np.einsum("ij,ij->i", p[start + rows.row], q[rows.col])
        total += ((1 + ALPHA * rows.data) * (1 - score) ** 2 - score**2).sum()
    return float(total)


def compare_fits(arguments: argparse.Namespace, matrix: sp.csr_matrix) -> None:
    """Alternate the fits; print times, their ratio and the losses."""
    seconds: dict[str, list[float]] = {name: [] for name in FITS}
    inputs, losses = {name: make(matrix) for name, make in INPUTS.items()}, {}
    for name, fit in FITS.items():
        fit(inputs[name][:200], arguments.factors, 1, arguments.threads)
    for _ in range(arguments.repeats):
        for name, fit in FITS.items():
            start = time.perf_counter()
            factors = fit(inputs[name], arguments.factors, arguments.sweeps, arguments.threads)
            seconds[name].append(time.perf_counter() - start)
            losses[name] = loss(matrix, *factors)
    report("fit", seconds)
    print(f"loss    skrec {losses['skrec']:.6g}, implicit {losses['implicit']:.6g}")


def report(what: str, seconds: dict[str, list[float]]) -> None:
    """One row: least and median seconds, and implicit over skrec."""
    ours, theirs = np.array(seconds["skrec"]), np.array(seconds["implicit"])
    print(
        f"{what:8}skrec {ours.min():.2f} s (median {np.median(ours):.2f}), implicit {theirs.min():.2f} s "
        f"(median {np.median(theirs):.2f}): {theirs.min() / ours.min():.2f} x by the least, "
        f"{np.median(theirs / ours):.2f} x by the median of alternate runs",
        flush=True,
    )


def compare_top10(arguments: argparse.Namespace, matrix: sp.csr_matrix) -> None:
    """The public estimator, from events to lists, and the model of implicit, from a matrix to lists."""
    from skrec.decomposition import HybridMFRecommender

    X = np.column_stack(matrix.nonzero())
    rec = HybridMFRecommender(
        arguments.factors,
        regularization=REGULARIZATION,
        alpha=ALPHA,
        frequency_scaling=0.0,
        max_iter=arguments.sweeps,
        tol=0,
        random_state=0,
        n_jobs=arguments.threads,
    )
    start = time.perf_counter()
    rec.fit(X)
    print(f"        HybridMFRecommender.fit(X), ids and histories included: {time.perf_counter() - start:.2f} s")
    confidence = with_confidence(matrix)
    model = make_implicit(arguments.factors, arguments.sweeps, arguments.threads)
    model.fit(confidence, show_progress=False)
    users = np.arange(matrix.shape[0])
    rec.recommend(users[:10])
    seconds: dict[str, list[float]] = {name: [] for name in FITS}
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        rec.recommend(users, k=10)
        seconds["skrec"].append(time.perf_counter() - start)
        start = time.perf_counter()
        model.recommend(users, confidence, N=10)
        seconds["implicit"].append(time.perf_counter() - start)
    report("top 10", seconds)


def memory_of(arguments: argparse.Namespace, matrix: sp.csr_matrix) -> None:
    """Print the growth of the peak of one fit, in MB; run in a process of its own."""
    fit, matrix = FITS[arguments.memory], INPUTS[arguments.memory](matrix)
    fit(matrix[:200], arguments.factors, 1, arguments.threads)
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    fit(matrix, arguments.factors, arguments.sweeps, arguments.threads)
    print(f"memory  {arguments.memory:9} +{(status('VmHWM') - before) / 1024:.0f} MB at the peak of fit", flush=True)


def status(name: str) -> int:
    """A field of the process status, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def compile_time(arguments: argparse.Namespace) -> None:
    """Seconds of a first tiny fit without and with the kernels on disk, each in a new process."""
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from als_vs_implicit import fit_skrec, make_matrix\n"
        "matrix = make_matrix(1000, 100, 50); start = time.perf_counter()\n"
        "fit_skrec(matrix, int(sys.argv[2]), 1, 1); print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", script, str(Path(__file__).parent), str(arguments.factors)]
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        first, second = (float(subprocess.check_output(command, env=environment, text=True)) for _ in range(2))
    print(f"compile {first:.1f} s in the first process ever, {second:.1f} s from disk in later ones", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--sweeps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", choices=sorted(FITS), help="measure this one's memory alone")
    arguments = parser.parse_args()
    # A limit reaches only the libraries that are loaded when it is set.
    for name in ("implicit.cpu.als", "scipy.linalg"):
        importlib.import_module(name)
    with threadpool_limits(1, user_api="blas"):
        matrix = make_matrix(arguments.events, arguments.users, arguments.items)
        if arguments.memory:
            memory_of(arguments, matrix)
            return
        print(f"{matrix.nnz} distinct pairs, {arguments.factors} factors, {arguments.threads} threads", flush=True)
        compile_time(arguments)
        compare_fits(arguments, matrix)
        compare_top10(arguments, matrix)
    for name in FITS:
        subprocess.run([sys.executable, *sys.argv, "--memory", name], check=True)


if __name__ == "__main__":
    main()
