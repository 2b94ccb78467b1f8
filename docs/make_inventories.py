"""
Write ``docs/_inventories``: where the sites of Python, NumPy and scikit-learn describe their public names.

Sphinx would fetch these lists from the sites at every build. Here they are made of the installed packages, so that
the site is built without a network. Run ``python docs/make_inventories.py`` when constraints.txt has moved.
"""

import builtins
import importlib
import inspect
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sklearn
from sklearn.utils.discovery import all_displays, all_estimators, all_functions

FOLDER = Path(__file__).parent / "_inventories"
MODULES = ("abc", "argparse", "collections.abc", "contextlib", "datetime", "functools", "itertools", "json", "logging")
MODULES += ("math", "pathlib", "pickle", "random", "re", "sqlite3", "threading", "time", "typing", "warnings")
# Pages of scikit-learn that docstrings name by a label, also docstrings that are inherited from it.
SKLEARN_LABELS = {
    "metadata_routing": ("metadata_routing.html#metadata-routing", "Metadata Routing"),
    "sphx_glr_auto_examples_miscellaneous_plot_metadata_routing.py": (
        "auto_examples/miscellaneous/plot_metadata_routing.html",
        "Metadata Routing",
    ),
}

Line = tuple[str, str, str, str]  # name, role, address, title


def python_lines() -> Iterator[Line]:
    """Built-in functions, types and exceptions, and some modules."""
    for name, value in vars(builtins).items():
        if name.startswith("_"):
            continue
        if inspect.isclass(value):
            page = "exceptions" if issubclass(value, BaseException) else "stdtypes"
            yield name, "py:exception" if page == "exceptions" else "py:class", f"library/{page}.html#{name}", "-"
            for method, what in vars(value).items():
                if callable(what) and not method.startswith("_") and page == "stdtypes":
                    yield f"{name}.{method}", "py:method", f"library/stdtypes.html#{name}.{method}", "-"
        elif callable(value):
            yield name, "py:function", f"library/functions.html#{name}", "-"
        else:
            yield name, "py:data", f"library/constants.html#{name}", "-"
    for module in MODULES:
        yield module, "py:module", f"library/{module}.html#module-{module}", "-"
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", None) or [name for name in dir(loaded) if not name.startswith("_")]:
            value = getattr(loaded, name)
            role = "py:class" if inspect.isclass(value) else "py:function" if callable(value) else "py:data"
            yield f"{module}.{name}", role, f"library/{module}.html#{module}.{name}", "-"
            for method in vars(value) if inspect.isclass(value) else ():
                if not method.startswith("_"):
                    yield (
                        f"{module}.{name}.{method}",
                        "py:method",
                        f"library/{module}.html#{module}.{name}.{method}",
                        "-",
                    )


def numpy_lines() -> Iterator[Line]:
    """The namespace ``numpy``, and generators of random numbers."""
    for name in np.__all__:
        value = getattr(np, name)
        if not inspect.ismodule(value):
            role = "py:class" if inspect.isclass(value) else "py:function" if callable(value) else "py:data"
            page = (
                "arrays.scalars"
                if inspect.isclass(value) and issubclass(value, np.generic)
                else f"generated/numpy.{name}"
            )
            yield f"numpy.{name}", role, f"reference/{page}.html#numpy.{name}", "-"
    for name in ("Generator", "RandomState"):
        page = "generator" if name == "Generator" else "legacy"
        yield f"numpy.random.{name}", "py:class", f"reference/random/{page}.html#numpy.random.{name}", "-"


def sklearn_lines() -> Iterator[Line]:
    """Estimators with their methods, displays, functions, and some labels."""
    for name, value in [*all_estimators(), *all_displays(), *all_functions()]:
        full = f"{public_module(value, name)}.{name}"
        address = f"modules/generated/{full}.html#{full}"
        yield full, "py:class" if inspect.isclass(value) else "py:function", address, "-"
        for method in dir(value) if inspect.isclass(value) else ():
            if not method.startswith("_"):
                yield f"{full}.{method}", "py:method", f"{address}.{method}", "-"
    for name in ("BaseEstimator", "ClassifierMixin", "RegressorMixin", "TransformerMixin"):
        yield f"sklearn.base.{name}", "py:class", f"modules/generated/sklearn.base.{name}.html#sklearn.base.{name}", "-"
    for label, (address, title) in SKLEARN_LABELS.items():
        yield label, "std:label", address, title


def public_module(value: object, name: str) -> str:
    """The module of scikit-learn that lists a name, where the value may be defined in a private one."""
    parts = [part for part in value.__module__.split(".") if not part.startswith("_")]
    while parts:
        module = sys.modules.get(".".join(parts))
        if module is not None and name in vars(module):
            return ".".join(parts)
        parts.pop()
    return value.__module__


def write_inventory(path: Path, project: str, version: str, lines: Iterator[Line]) -> None:
    """In Sphinx's format, version 2."""
    body = "".join(f"{name} {role} 1 {address} {title}\n" for name, role, address, title in sorted(set(lines)))
    header = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: {version}\n"
    header += "# The remainder of this file is compressed using zlib.\n"
    path.write_bytes(header.encode() + zlib.compress(body.encode(), 9))


def main() -> None:
    """Write the three files."""
    FOLDER.mkdir(exist_ok=True)
    write_inventory(
        FOLDER / "python.inv", "Python", f"{sys.version_info.major}.{sys.version_info.minor}", python_lines()
    )
    write_inventory(FOLDER / "numpy.inv", "NumPy", np.__version__, numpy_lines())
    write_inventory(FOLDER / "sklearn.inv", "scikit-learn", sklearn.__version__, sklearn_lines())


if __name__ == "__main__":
    main()
