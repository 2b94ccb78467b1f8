"""All rules of the scrubber. It imports them with the first text that may hold something.

Their patterns and the numbering plans take a quarter of a second, which no start of a process is to pay.
"""

from __future__ import annotations

from skrec.utils._privacy._checked import CHECKED, EMAIL
from skrec.utils._privacy._folded_text import Rule
from skrec.utils._privacy._labelled import LABELLED
from skrec.utils._privacy._phones import phone_rules


def all_rules(regions: tuple[str, ...]) -> list[Rule]:
    """The rules in the order in which they are applied, with telephone numbers of some regions."""
    return [EMAIL, *CHECKED, *phone_rules(regions), *LABELLED]
