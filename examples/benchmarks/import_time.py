"""What ``import skrec`` adds to ``import sklearn``, and how long a process takes to the first list of a saved model.

    python examples/benchmarks/import_time.py

Seconds of the clock and of the processor of fresh processes, medians; numba's cache is warm.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib

from skrec import HybridMFRecommender
from skrec.datasets import load_bookshop

SCRIPT = "import time, sklearn; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
FIRST_LIST = "import sys, joblib; joblib.load(sys.argv[1]).recommend([sys.argv[2]], k=10)"
NOW = "; import time; print(time.time(), time.process_time())"
PARTS = {
    "the first list of a saved HybridMFRecommender": FIRST_LIST,
    "  of it import sklearn.base and numba": "import sklearn.base, numba",
    "  of it import sklearn.base": "import sklearn.base",
}


def seconds(module: str) -> float:
    """Import time of a module in a fresh process in which scikit-learn is loaded."""
    command = [sys.executable, "-c", SCRIPT.format(module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def until_done(script: str, *arguments: str) -> tuple[float, float]:
    """Seconds of the clock and of the processor from the start of a process to the end of its script."""
    start, command = time.time(), [sys.executable, "-c", script + NOW, *arguments]
    end, used = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(end) - start, float(used)


def main() -> None:
    """Print the medians over the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    for module in ("skrec", "skrec.base", "skrec.neighbors", "skrec.metrics"):
        print(f"import {module:16} {statistics.median(seconds(module) for _ in range(runs)):.3f} s after sklearn")
    with tempfile.TemporaryDirectory() as folder:
        path, shop = str(Path(folder) / "model.joblib"), load_bookshop()
        rec = HybridMFRecommender(random_state=0).fit(shop.X)
        joblib.dump(rec, path)
        for name, script in PARTS.items():
            until_done(script, path, str(rec.users_[0]))
            clock, processor = zip(*(until_done(script, path, str(rec.users_[0])) for _ in range(runs)), strict=True)
            print(f"{name:46} {statistics.median(clock):.2f} s, {statistics.median(processor):.2f} of the processor")


if __name__ == "__main__":
    main()
