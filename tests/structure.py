"""Figures about the structure of the library: ``python tests/structure.py`` prints them, the tests hold them.

Imports inside functions and under ``TYPE_CHECKING`` count too. A name with an underscore in front is visible inside the
package that holds it, and nowhere else.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import skrec

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "skrec"
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Module:
    """One file: its dotted name, the package it stands in, and its syntax tree."""

    path: Path
    name: str
    package: str
    source: str
    tree: ast.Module

    @property
    def n_lines(self) -> int:
        return self.source.count("\n")


def read_modules() -> dict[str, Module]:
    """Every module of the library, by dotted name."""
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        package = ".".join(parts[:-1])
        name = package if parts[-1] == "__init__" else ".".join(parts)
        source = path.read_text(encoding="utf-8")
        modules[name] = Module(path, name, package, source, ast.parse(source))
    return modules


def imports_of(module: Module, modules: dict[str, Module]) -> set[str]:
    """Modules of the library that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
    return {name for name in found if name in modules and name != module.name}


def circles(modules: dict[str, Module]) -> list[list[str]]:
    """Groups of modules that import each other, by Tarjan's algorithm."""
    graph = {name: sorted(imports_of(module, modules)) for name, module in modules.items()}
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = lowest[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], index[other])
        if lowest[name] == index[name]:
            start = stack.index(name)
            group = stack[start:]
            del stack[start:]
            if len(group) > 1:
                groups.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return groups


def private_imports(modules: dict[str, Module]) -> list[str]:
    """Imports of a private module by code outside the package that holds it."""
    found = []
    for module in modules.values():
        for other in sorted(imports_of(module, modules)):
            parts = other.split(".")
            for depth in range(1, len(parts)):
                holder = ".".join(parts[:depth])
                if parts[depth].startswith("_") and not f"{module.package}.".startswith(f"{holder}."):
                    found.append(f"{module.name} imports {other}")
    return found


def private_attributes(modules: dict[str, Module]) -> list[str]:
    """Places that reach a private attribute of an object other than ``self``, ``cls`` or ``super()``."""
    found = []
    for module in modules.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.endswith("__"):
                continue
            owner = node.value
            own = isinstance(owner, ast.Name) and owner.id in ("self", "cls", "mcs")
            own |= isinstance(owner, ast.Call) and ast.unparse(owner.func) == "super"
            if not own:
                found.append(f"{module.path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
    return found


def public_parameters() -> dict[str, str | None]:
    """Annotation of each parameter of what the public modules list in ``__all__``, methods included."""
    found: dict[str, str | None] = {}
    for module in pkgutil.iter_modules(skrec.__path__, "skrec."):
        if module.name.split(".")[-1].startswith("_"):
            continue
        namespace = importlib.import_module(module.name)
        for name in getattr(namespace, "__all__", []):
            value = getattr(namespace, name)
            for function in _public_functions(value):
                for parameter in inspect.signature(function).parameters.values():
                    if parameter.name not in ("self", "cls"):
                        absent = parameter.annotation is inspect.Parameter.empty
                        place = f"{function.__module__}.{function.__qualname__}({parameter.name})"
                        found[place] = None if absent else inspect.formatannotation(parameter.annotation)
    return found


def _public_functions(value: Any) -> Iterator[Callable[..., Any]]:
    if inspect.isfunction(value):
        yield value
    if not inspect.isclass(value):
        return
    for owner in value.__mro__:
        if not owner.__module__.startswith("skrec."):
            continue
        for name, member in vars(owner).items():
            function = inspect.unwrap(getattr(member, "__func__", getattr(member, "fn", member)))
            if inspect.isfunction(function) and function.__module__.startswith("skrec.") and _is_public(name):
                yield function


def _is_public(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


def untyped_parameters() -> list[str]:
    """Those of :func:`public_parameters` that an editor learns nothing about."""
    unknown = (None, "Any", "'Any'", "typing.Any", "object")
    return [name for name, annotation in public_parameters().items() if annotation in unknown]


def figures() -> dict[str, float]:
    """What the tests hold."""
    modules = read_modules()
    lines = {str(module.path.relative_to(ROOT)): module.n_lines for module in modules.values()}
    in_folder = Counter(module.path.parent for module in modules.values())
    at_root = [m for m in modules.values() if m.path.parent == PACKAGE and m.path.name[:2] not in ("__",)]
    n_lines = sum(lines.values())
    return {
        "files": len(modules),
        "lines": n_lines,
        "circles of imports": len(circles(modules)),
        "files in circles": sum(map(len, circles(modules))),
        "private modules at the root": sum(m.path.name.startswith("_") for m in at_root),
        "most files in a folder": max(in_folder.values()),
        "median lines of a file": median(lines.values()),
        "most lines of a file": max(lines.values()),
        "imports of another room's private module": len(private_imports(modules)),
        "private attributes of others per 1,000 lines": 1000 * len(private_attributes(modules)) / n_lines,
        "public parameters": len(public_parameters()),
        "share of them that is untyped": len(untyped_parameters()) / len(public_parameters()),
    }


def main() -> None:
    """Print the figures, then what stands behind those that are not zero."""
    for name, value in figures().items():
        print(f"{name:48s} {value:10.4g}")
    modules = read_modules()
    for group in circles(modules):
        print("circle:", *group)
    for line in private_imports(modules):
        print(line)
    longest = sorted(((m.n_lines, str(m.path.relative_to(ROOT))) for m in modules.values()), reverse=True)[:5]
    print("longest:", *(f"{path} ({n})" for n, path in longest))
    places = Counter(line.split(":")[0] for line in private_attributes(modules)).most_common(15)
    print("private attributes of others:", *(f"{path} ({n})" for path, n in places))
    packages = Counter(".".join(name.split(".")[:2]) for name in untyped_parameters()).most_common(20)
    print("untyped public parameters:", *(f"{package} ({n})" for package, n in packages))


if __name__ == "__main__":
    main()
