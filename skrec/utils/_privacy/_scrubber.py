"""The scrubber: all rules in turn, until nothing more is found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from skrec.utils._privacy._folded_text import LETTER, FoldedText, Rule

_MOST_PASSES = 32  # bounds the time that a text of nothing but numbers takes
_ANY_NUMBER = Rule("phone", re.compile(r"\d(?:[ .()/+-]*\d)*"))
_MAY_HOLD = re.compile(r"[\d@]|wechat|weixin|wx|vx|微信|威信|薇信", re.IGNORECASE)
"""Found in every text that holds anything for the scrubber but names: most texts are done with it alone."""
DEFAULT_REGIONS = ("CN", "DE", "ES", "FR", "GB", "US")

Names = Callable[[str], Iterable[str]]


class Scrubber:
    """Take personal data out of a text: a mark such as ``[email]`` or ``[phone]`` stands in its place.

    - *email*: e-mail addresses, wherever they stand.
    - *card*: 14 to 19 digits with the start of a card network and a right check digit.
    - *iban*: bank accounts with a right check sum.
    - *id*: identity numbers of China and France, DNI and NIE of Spain, by their check digits; United States social
      security numbers, by their form.
    - *phone*: international numbers (``+44 20 7946 0958``); national ones grouped as in one of ``regions``
      (``0571-8888 8888``); bare mobile numbers of these regions (``13812345678``), but not of North America,
      whose numbers any ten digits may be; any number of 7 to 15 digits after a word such as "tel.", "call" or
      "电话".
    - *ip*: addresses of the internet.
    - *account*: WeChat and QQ numbers, after these names.
    - *passport*, *plate*: numbers of passports and cars, after a word for them; Chinese plates anywhere.
    - *name*: where a model is given that finds names.

    Full-width digits, other spaces and dashes, and zero-width characters are read as what they look like; what is
    not taken out stays as it was written. Chinese, Japanese, Korean and Thai text may stand right next to a number.

    What shops write stays: ISBN, EAN, prices, years, dates, pages, versions, numbers of an article or an order. A
    run of digits that nothing marks as personal stays too, since it may be any of these; and so do names without a
    model. It does not find everything: do not rely on it for text that must not be sent.

    Parameters
    ----------
    names : callable (text) -> iterable of str, default=None
        The names of people in a text, as they stand there: a wrapped named-entity model.
    regions : list of str, default=("CN", "DE", "ES", "FR", "GB", "US")
        Two-letter codes of the regions whose national telephone numbers are looked for. Each region more takes
        a little more time, and a few more codes and counts for numbers.

    Examples
    --------
    >>> from skrec.llm import Scrubber
    >>> text, counts = Scrubber()("Write to ada@example.org or call 555-123-4567; ISBN 978-0-306-40615-7, 12.99")
    >>> text
    'Write to [email] or call [phone]; ISBN 978-0-306-40615-7, 12.99'
    >>> dict(counts)
    {'email': 1, 'phone': 1}
    >>> Scrubber(names=lambda text: ["Ada Lovelace"])("a gift for Ada Lovelace")[0]
    'a gift for [name]'
    >>> Scrubber()("我的手机是13812345678，微信号：shu_chong88")[0]
    '我的手机是[phone]，微信号：[account]'
    """

    def __init__(self, names: Names | None = None, regions: Iterable[str] = DEFAULT_REGIONS) -> None:
        if names is not None and not callable(names):
            raise TypeError(f"names must be a function from a text to the names in it; got {names!r}.")
        from skrec.utils._privacy._phones import read_regions

        self.names = names
        self.regions = read_regions(regions)

    def __call__(self, text: str) -> tuple[str, Counter[str]]:
        """The text without personal data, and how much of each kind was taken out.

        Parameters
        ----------
        text : str

        Returns
        -------
        text : str
        counts : Counter
            By kind; never what was found.
        """
        counts: Counter[str] = Counter()
        folded = FoldedText(text)
        if self.names is not None:
            _take_out(folded, _name_rules(text, self.names), counts)
        if not _MAY_HOLD.search(folded.folded):
            return folded.original(), counts
        from skrec.utils._privacy._rules import all_rules

        rules = all_rules(self.regions)
        for _ in range(_MOST_PASSES):
            if not _take_out(folded, rules, counts):
                return folded.original(), counts
            # What stood beside a number may only now be seen to be one.
        _take_out(folded, [_ANY_NUMBER], counts)  # so long a row of them that all there are count as such
        return folded.original(), counts


def read_scrub(scrub: Any, *, leaves: bool) -> Scrubber | None:
    """The scrubber of a parameter ``scrub``; ``leaves``: whether the texts leave the process.

    Raises
    ------
    ValueError
        If it is neither "auto", a bool nor a :class:`Scrubber`.
    """
    if isinstance(scrub, Scrubber):
        return scrub
    if scrub == "auto":
        return Scrubber() if leaves else None
    if isinstance(scrub, bool):
        return Scrubber() if scrub else None
    raise ValueError(f"scrub must be 'auto', True, False or a Scrubber; got {scrub!r}.")


def _name_rules(text: str, names: Names) -> list[Rule]:
    found = sorted({FoldedText(name).folded.strip() for name in names(text)} - {""}, key=len, reverse=True)
    either = "|".join(re.escape(name) for name in found)
    return [Rule("name", re.compile(rf"(?<!{LETTER})(?:{either})(?!{LETTER})"))] if found else []


def _take_out(text: FoldedText, rules: list[Rule], counts: Counter[str]) -> int:
    """Apply the rules one after the other; return how much they took out."""
    before = counts.total()
    for rule in rules:
        n_found = text.take_out(rule)
        if n_found:
            counts[rule.kind] += n_found
    return counts.total() - before
