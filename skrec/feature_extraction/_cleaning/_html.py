"""The text of an HTML fragment, as a browser would show it; what only looks like HTML stays as it is."""

import re
from html import unescape
from html.parser import HTMLParser

_MAY_BE_HTML = re.compile(r"<[a-zA-Z/!?]|&(?:#|[a-zA-Z])")

_BREAKING_NAMES = """
    address article aside blockquote br dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6
    header hr li main nav ol option p pre section summary table tbody td tfoot th thead title tr ul
"""
_INLINE_NAMES = """
    a abbr acronym area audio b base bdi bdo big body button canvas caption center cite code col colgroup data
    datalist del dfn dir em embed font frame frameset head html i iframe img input ins kbd label legend link map mark
    meta meter noframes noscript object output param picture progress q rp rt ruby s samp select small source span
    strike strong sub sup svg template textarea time track tt u var video wbr
"""
_BREAKING = frozenset(_BREAKING_NAMES.split())
_HIDDEN = frozenset({"script", "style"})
_KNOWN = _BREAKING | _HIDDEN | frozenset(_INLINE_NAMES.split())


def is_html(text: str) -> bool:
    """Whether a text holds a tag of HTML or a character reference that a browser would read."""
    return _MAY_BE_HTML.search(text) is not None and html_to_text(text) != text


def html_to_text(text: str) -> str:
    """Return the text without tags, comments, scripts and styles, and with character references read.

    Tags that are no elements of HTML (``<b and c>``), signs such as ``a < b`` and ``<3``, and what is not closed stay.
    Blocks and line breaks leave a space.
    """
    if _MAY_BE_HTML.search(text) is None:
        return text
    # No tag ends behind the last ">", and no comment behind the last "-->": the parser would look for it from each "<".
    end = text.rfind(">") + 1
    last_comment = text.rfind("-->") + 1
    markup = text[:last_comment] + text[last_comment:end].replace("<!--", "&lt;!--")
    reader = _Reader()
    try:
        reader.feed(markup)
        reader.close()
    except AssertionError:  # a marked section that the parser does not know, such as "<![if"
        return text
    return "".join(reader.parts) + unescape(text[end:])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _KNOWN:
            self.handle_data(self.get_starttag_text() or "")
        elif tag in _HIDDEN:
            self._hidden += 1
        elif tag in _BREAKING:
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HIDDEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(self._hidden - 1, 0)
        elif tag in _BREAKING:
            self.parts.append(" ")
        elif tag not in _KNOWN:
            self.handle_data(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
