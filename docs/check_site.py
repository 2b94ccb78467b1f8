"""
Check the built site: ``python docs/check_site.py docs/_build``.

No mail address, nothing that a browser would fetch from elsewhere, no link to a page or place that does not exist, an
output or a picture on every page of the guide, and every question of ``docs/questions.toml`` within two clicks of the
front page.
With ``--search`` a browser types each question's words into the site's own search and reads the first five results.
With ``--look`` it opens the front page, the guide and the gallery as wide as a phone: nothing is cut off, no picture is
broken, no markup is left in the text.
"""

import argparse
import contextlib
import functools
import http.server
import re
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

QUESTIONS = Path(__file__).with_name("questions.toml")
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
FIRST = 5  # results of a search that a reader looks at
CLICKS = 2
PHONE = {"width": 390, "height": 844}
# What is seen to be wrong with an open page. What stands in a box that scrolls sideways may be wide.
LOOK = r"""() => {
    const faults = [], article = document.querySelector("article") || document.body;
    const scrolls = e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
    const inScroller = e => e !== article && (scrolls(e) || inScroller(e.parentElement));
    for (const e of article.querySelectorAll("h1, h2, h3, p, li, code, a, img, table, pre, math")) {
        const box = e.getBoundingClientRect();
        if (box.width && box.right > innerWidth + 1 && !inScroller(e))
            faults.push(`cut off at the right: ${e.tagName} ${(e.alt || e.textContent).trim().slice(0, 50)}`);
    }
    for (const e of document.images)
        if (e.getBoundingClientRect().width && e.complete && !e.naturalWidth) faults.push(`broken picture ${e.src}`);
    const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        if (!text.parentElement.closest("pre, code, script, style") && /``|:[a-z]+:`|`_|\.\. [a-z]+::/.test(text.data))
            faults.push(`markup left in ${text.data.trim().slice(0, 50)}`);
    }
    return faults;
}"""


@dataclass
class Page(HTMLParser):
    """What a page links to, fetches, and can be linked at."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    n_shown: int = 0  # outputs and pictures in the article
    text: str = ""

    def __post_init__(self) -> None:
        """Read the page."""
        super().__init__()
        self._in_article = self._in_script = False
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Links, pictures and anchors."""
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        self._in_article = self._in_article or tag == "article"
        self._in_script = tag in ("script", "style")
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if (
            tag in FETCHED
            and given.get(FETCHED[tag])
            and given.get("rel") not in ("canonical", "prev", "next", "author")
        ):
            self.fetched.append(given[FETCHED[tag]])
        self.n_shown += self._in_article and tag == "img"

    def handle_endtag(self, tag: str) -> None:
        """Where the article ends."""
        self._in_article = self._in_article and tag != "article"
        self._in_script = False

    def handle_data(self, data: str) -> None:
        """The text; a prompt in a block of code has its output below it."""
        if not self._in_script:
            self.text += data
            self.n_shown += self._in_article and ">>>" in data

    @property
    def targets(self) -> Iterator[tuple[Path, str]]:
        """Files and places in them that the page links to."""
        for link in [*self.links, *self.fetched]:
            address, place = urldefrag(link)
            if not urlsplit(link).scheme and not link.startswith("//"):
                yield (
                    (self.path.parent / unquote(address).split("?")[0]).resolve() if address else self.path,
                    unquote(place),
                )


def check_pages(root: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Faults of single pages."""
    for path, page in pages.items():
        name = path.relative_to(root)
        yield from (f"{name}: mail address {link}" for link in page.links if link.startswith("mailto:"))
        yield from (f"{name}: fetches {link}" for link in page.fetched if re.match(r"(https?:)?//", link))
        for target, place in page.targets:
            if target.is_dir() or (target in pages and (not place or place in pages[target].ids)):
                continue
            if target in pages:
                yield f"{name}: no place #{place} in {target.relative_to(root)}"
            elif not target.exists():
                yield f"{name}: no file {target.name}"
        if (
            name.parts[0] == "user_guide"
            and name.stem != "index"
            and not page.n_shown
            and 'class="output' not in raw(path)
        ):
            yield f"{name}: neither an output nor a picture"
    for sheet in root.rglob("*.css"):
        for address in re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", raw(sheet)):
            yield f"{sheet.relative_to(root)}: fetches {address}"


@functools.cache
def raw(path: Path) -> str:
    """The file as text."""
    return path.read_text(encoding="utf-8", errors="replace")


def clicks_from_front(root: Path, pages: dict[Path, Page]) -> dict[Path, int]:
    """How many links lead from the front page to each page, not counting those of the navigation's search."""
    reached, at = {(root / "index.html").resolve(): 0}, [(root / "index.html").resolve()]
    for path in at:
        for target, _ in pages[path].targets:
            if target in pages and target not in reached:
                reached[target] = reached[path] + 1
                at.append(target)
    return reached


def check_questions(root: Path, pages: dict[Path, Page], questions: list[dict[str, str]]) -> Iterator[str]:
    """Is each answered where the list says, and near the front?"""
    reached = clicks_from_front(root, pages)
    for asked in questions:
        path = (root / asked["page"]).resolve()
        if path not in pages:
            yield f"{asked['question']!r}: no page {asked['page']}"
        elif asked["answer"] not in " ".join(pages[path].text.split()):
            yield f"{asked['question']!r}: {asked['page']} does not say {asked['answer']!r}"
        elif reached.get(path, CLICKS + 1) > CLICKS:
            yield f"{asked['question']!r}: {asked['page']} is more than {CLICKS} clicks away"


def check_search(root: Path, questions: list[dict[str, str]]) -> Iterator[str]:
    """Type the words of each question into the search of the site, in a browser."""
    with browsed(root) as (page, address):
        for asked in questions:
            page.goto(f"{address}/search.html?q={asked['search'].replace(' ', '+')}")
            page.wait_for_function(
                "document.querySelector('#search-results p.search-summary')?.innerText.includes('found')"
            )
            found = page.eval_on_selector_all("#search-results li a", "links => links.map(a => a.getAttribute('href'))")
            first = [urldefrag(link)[0].split("?")[0] for link in found[:FIRST]]
            if asked["page"] not in first:
                yield f"{asked['question']!r}: a search for {asked['search']!r} gives {first}, not {asked['page']}"


def check_look(root: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Open each page that is read from beginning to end on a narrow screen, and look for what is cut off or broken."""
    with browsed(root) as (page, address):
        page.set_viewport_size(PHONE)
        for path in pages:
            name = path.relative_to(root)
            if name.parts[0] in ("index.html", "contributing.html", "user_guide", "auto_examples"):
                page.goto(f"{address}/{name.as_posix()}")
                yield from (f"{name}: {fault}" for fault in page.evaluate(LOOK))


@contextlib.contextmanager
def browsed(root: Path) -> Iterator[tuple[Any, str]]:
    """An empty page of Chromium, and the address of the site."""
    from playwright.sync_api import sync_playwright

    with served(root) as address, sync_playwright() as browsers:
        chromium = browsers.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium.new_page(), address
        chromium.close()


@contextlib.contextmanager
def served(root: Path) -> Iterator[str]:
    """The folder over HTTP on this machine alone."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Print what is wrong, and exit with 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of the built site")
    parser.add_argument("--search", action="store_true", help="also ask the site's search, in Chromium")
    parser.add_argument("--look", action="store_true", help="also look at the pages on a narrow screen, in Chromium")
    given = parser.parse_args()
    root = given.root.resolve()
    pages = {path: Page(path) for path in sorted(root.rglob("*.html")) if "_static" not in path.parts}
    questions = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"]
    faults = [*check_pages(root, pages), *check_questions(root, pages, questions)]
    if given.search:
        faults += check_search(root, questions)
    if given.look:
        faults += check_look(root, pages)
    print("\n".join(faults))
    print(f"{len(pages)} pages, {len(questions)} questions, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
