"""Recommend to users, by a saved recommender.

examples:
  skrec recommend model.skops --user ann --user bob -k 5
  skrec recommend model.skops --user "somebody new" --request "a long voyage at sea"
  skrec recommend model.skops --format csv > lists.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import Any

from skrec.base import typed_request_weight
from skrec.cli._errors import CommandError
from skrec.serving import ModelFileError, load_recommender

NAME = "recommend"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``skrec recommend``."""
    parser.add_argument("model", help="file of a fitted recommender")
    users = "may be given several times; all users of the model where there is none"
    parser.add_argument("--user", metavar="ID", action="append", default=None, help=users)
    parser.add_argument("-k", type=int, default=10, help="items per user; default: %(default)s")
    parser.add_argument("--request", metavar="TEXT", help="what the users want now")
    parser.add_argument("--with-seen", action="store_true", help="also what the users have had")
    parser.add_argument("--format", choices=["table", "csv", "json"], default="table")
    parser.add_argument("--allow-pickle", action="store_true", help="load pickles too: they run code of their writer")
    parser.add_argument("--allow-external", action="store_true", help="let the model contact servers and read files")


def run(given: argparse.Namespace) -> None:
    """Print the lists."""
    try:
        rec: Any = load_recommender(given.model, allow_pickle=given.allow_pickle, allow_external=given.allow_external)
    except ModelFileError as error:
        raise CommandError(str(error)) from error
    options: dict[str, Any] = {} if given.request is None else {"request": given.request}
    if given.request is not None and (weight := typed_request_weight(rec)) is not None:
        options["request_weight"] = weight
    if given.with_seen:
        options["exclude_seen"] = False
    users = None if given.user is None else _ids(given.user, rec.users_)
    found = rec.recommend(users, given.k, **options)
    if given.format == "table":
        print(found)
        return
    rows = [row for at in range(len(found)) for row in _rows(found[at])]
    if given.format == "json":
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    writer = csv.DictWriter(sys.stdout, ["user", "rank", "item", "title", "score"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _rows(one: Any) -> list[dict[str, Any]]:
    (user,) = one.users.tolist()
    items, scores = one.items[0].tolist(), one.scores[0].tolist()
    titles = [None] * len(items) if one.titles is None else one.titles[0].tolist()
    return [
        {"user": user, "rank": rank, "item": item, "title": title, "score": score}
        for rank, (item, title, score) in enumerate(zip(items, titles, scores, strict=True), 1)
        if item is not None
    ]


def _ids(texts: list[str], users: Any) -> list[Any]:
    """Ids of the kind of the model: a shell knows only text."""
    if users.dtype.kind not in "iuf":
        return texts
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise CommandError(f"The users of this model are numbers, as {users[0]}; got {texts}.") from None
