"""
Where the guide speaks of a public name: the links at the top of each API page.

They are found in the sources of the guide, so that nothing is marked by hand: a section is about a name that stands in
its title, in a role or in backquotes, less so where its code alone uses the name. ``conf.py`` hands them to the
templates of autosummary.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

MOST = 3  # links on one page
# What a mention is worth; a section whose worth is below a third of the best one's is not linked.
IN_TITLE, IN_ROLE, IN_TEXT, IN_CODE = 6.0, 4.0, 1.0, 1.0
CODE_COUNTS = 2  # lines of code, at most
# Pages that name everything in passing, or are not in English.
PASSING = {
    *("faq", "chooser", "coming_from", "getting_started", "when_something_goes_wrong", "benchmarks", "your_csv"),
    *("conventions", "persistence"),
}
LEFT_OUT = {"index", "your_csv_zh"}


@dataclass(frozen=True)
class Section:
    """A title of the guide and what stands below it, up to the next title."""

    page: str
    page_title: str
    title: str
    lines: tuple[str, ...]

    @property
    def link(self) -> str:
        """As reStructuredText; labels of sections are those of ``sphinx.ext.autosectionlabel``."""
        if self.title == self.page_title:
            return f":doc:`/user_guide/{self.page}`"
        return f":ref:`{self.page_title}: {self.title} <user_guide/{self.page}:{self.title}>`"


def sections_of(path: Path) -> Iterator[Section]:
    """The sections of one page."""
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [
        at
        for at, (title, rule) in enumerate(pairwise(lines))
        if re.fullmatch(r"([=~^-])\1{3,}", rule) and len(rule) >= len(title) and re.match(r"\S", title)
    ]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield Section(path.stem, lines[starts[0]], lines[start], tuple(lines[start + 2 : end]))


def public_names(package: Path) -> dict[str, list[str]]:
    """Each public module of a package, by its file or folder, and the names of its ``__all__``."""
    found = {}
    for file in [*package.glob("[!_]*.py"), *package.glob("[!_]*/__init__.py")]:
        name = file.parent.name if file.stem == "__init__" else file.stem
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                found[f"{package.name}.{name}"] = ast.literal_eval(node.value)
    return found


def mentions(section: Section, names: set[str]) -> Counter[str]:
    """What the section is worth for each of the names."""
    worth: Counter[str] = Counter()
    in_code: Counter[str] = Counter()
    for line in section.lines:
        if line.lstrip().startswith((">>>", "...")) or line.startswith("   "):
            in_code.update(set(re.findall(r"\w+", line)) & names)
        worth.update(dict.fromkeys(set(re.findall(r":\w+:`~?[\w.]*?(\w+)`", line)) & names, IN_ROLE))
        for quoted in re.findall(r"``(.+?)``", line):
            worth.update(dict.fromkeys(set(re.findall(r"\w+", quoted)[:1]) & names, IN_TEXT))
    worth.update({name: IN_CODE * min(n, CODE_COUNTS) for name, n in in_code.items()})
    in_title = set(re.findall(r"\w*[A-Z_]\w*", section.title))  # "compare" in a title is a word
    worth.update(dict.fromkeys(in_title & names, IN_TITLE))
    return worth


def guide_links(guide: Path, package: Path) -> dict[str, list[str]]:
    """Links for each public name, best first, one for a page; a name of no page gets the page of its module."""
    modules = public_names(package)
    names = {name for listed in modules.values() for name in listed}
    worth: defaultdict[str, dict[Section, float]] = defaultdict(dict)
    for path in sorted(guide.glob("*.rst")):
        if path.stem not in LEFT_OUT:
            for section in sections_of(path):
                share = 1 / 3 if path.stem in PASSING else 1.0
                for name, value in mentions(section, names).items():
                    worth[name][section] = value * share
    found = {}
    for module, listed in modules.items():
        together: Counter[Section] = Counter()
        for name in listed:
            for section, value in worth[name].items():
                together[section] += min(value, IN_ROLE)
        for name in listed:
            found[f"{module}.{name}"] = [
                section.link for section in best_of(worth[name] or dict(together.most_common(1)))
            ]
    return found


def best_of(worth: dict[Section, float]) -> list[Section]:
    """The most telling section of each page, of the pages worth a third of the best or more."""
    best: dict[str, Section] = {}
    ordered = sorted(worth, key=lambda section: (-worth[section], section.page))
    for section in ordered:
        if worth[section] >= worth[ordered[0]] / 3:
            best.setdefault(section.page, section)
    return list(best.values())[:MOST]
