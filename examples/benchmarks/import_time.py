"""What ``import skrec`` adds to ``import sklearn``, in seconds: fresh processes, in turn, medians.

python examples/benchmarks/import_time.py
"""

import argparse
import statistics
import subprocess
import sys

SCRIPT = "import time, sklearn; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(module: str) -> float:
    """Import time of a module in a fresh process in which scikit-learn is loaded."""
    command = [sys.executable, "-c", SCRIPT.format(module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print the median over the runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    for module in ("skrec", "skrec.base", "skrec.neighbors", "skrec.metrics"):
        print(f"import {module:16} {statistics.median(seconds(module) for _ in range(runs)):.3f} s after sklearn")


if __name__ == "__main__":
    main()
