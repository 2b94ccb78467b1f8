"""Calls of the model, from the body of a request to that of its answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from skrec._explain import Explanations, write_reasons
from skrec.exceptions import ExternalAccessError, UnsupportedArgumentError
from skrec.interactions import Recommendations, RecommenderView
from skrec.serving._errors import ServiceError
from skrec.serving._limits import ServiceLimits
from skrec.serving._model import ServedModel, plain
from skrec.serving._tables import as_ids, read_context, read_features, read_history
from skrec.utils import unwrap_recommender

Body = dict[str, Any]


def recommend(model: ServedModel, body: Body, limits: ServiceLimits) -> Body:
    """One list per user."""
    users, k = body["users"], body.get("k", min(10, limits.k))
    _check_entries(len(users), k, limits)
    reasons = body.get("reasons", False)
    if reasons and len(users) * k > limits.reasons:
        raise ServiceError(
            422,
            "too_much",
            f"reasons=true for {len(users)} users and k={k} are {len(users) * k} explanations; at most "
            f"{limits.reasons} are given at once.",
        )
    options = _options(model, body, len(users))
    found = _lists(model, "recommend", as_ids(users), k, **options)
    texts: list[list[str]] = _reasons(model, found, options, body.get("language")) if reasons else []
    lists = listed(model, found, k, "user", texts)
    for one, known in zip(lists, model.known_users(as_ids(users)), strict=True):
        one["known"] = known
    return {"lists": lists}


def _options(model: ServedModel, body: Body, n_users: int) -> dict[str, Any]:
    """Arguments of ``recommend``: those that are given."""
    options: dict[str, Any] = {name: body[name] for name in ("exclude_seen", "request_weight") if name in body}
    options["context"] = read_context(model, body.get("context"), n_users)
    options["history"] = read_history(model, body.get("history"))
    options["user_features"] = read_features(body.get("user_features"))
    if "candidates" in body:
        options["candidates"] = as_ids(body["candidates"])
    if body.get("exclude"):
        options["exclude"] = read_history(model, body["exclude"])
    request = body.get("request")
    if isinstance(request, list) and len(request) != n_users:
        message = f"request has {len(request)} texts for {n_users} users; pass one, or one per user."
        raise ServiceError(422, "invalid", message, path="request")
    options["request"] = request
    if request is not None and "request_weight" not in body:
        options["request_weight"] = model.request_weight
    return {name: value for name, value in options.items() if value is not None}


def _reasons(
    model: ServedModel, found: Recommendations, options: dict[str, Any], language: str | None
) -> list[list[str]]:
    if not (found.codes >= 0).any():
        return [[] for _ in found.codes]
    kept = {name: options[name] for name in ("context", "history") if name in options}
    try:
        texts = iter(_texts(model, call(model, "explain", found, n_evidence=2, **kept), language))
    except ServiceError as error:
        raise ServiceError(error.status, error.code, f"reasons: {error.message}") from None
    return [[next(texts) for code in row if code >= 0] for row in found.codes.tolist()]


def _texts(model: ServedModel, found: Explanations, language: str | None) -> list[str]:
    """Explanations in a language; what a language model has written stays in its own."""
    if language is None:
        return found.text
    explicit = RecommenderView(unwrap_recommender(model.recommender)).feedback == "explicit"
    return [
        write_reasons(evidence, explicit=explicit, language=language) if method == "template" else text
        for text, evidence, method in zip(found.text, found.evidence, found.method, strict=True)
    ]


def similar(model: ServedModel, body: Body, limits: ServiceLimits) -> Body:
    """One list per item."""
    items, k = body["items"], body.get("k", min(10, limits.k))
    _check_entries(len(items), k, limits)
    model.catalogue.check_items(as_ids(items))
    more = {"candidates": as_ids(body["candidates"])} if "candidates" in body else {}
    found = _lists(model, "similar_items", as_ids(items), k, **more)
    return {"lists": listed(model, found, k, "item")}


def search(model: ServedModel, body: Body, limits: ServiceLimits) -> Body:
    """One list per text."""
    texts, k = body["texts"], body.get("k", min(10, limits.k))
    texts = [texts] if isinstance(texts, str) else texts
    _check_entries(len(texts), k, limits)
    more = {"candidates": as_ids(body["candidates"])} if "candidates" in body else {}
    found = _lists(model, "search", texts, k, **more)
    return {"lists": listed(model, found, k, "text")}


def explain(model: ServedModel, body: Body, limits: ServiceLimits) -> Body:
    """One reason in words per pair, with its evidence."""
    users = [pair["user"] for pair in body["pairs"]]
    items = [pair["item"] for pair in body["pairs"]]
    model.catalogue.check_items(as_ids(items))
    options = {
        "context": read_context(model, body.get("context"), len(users)),
        "history": read_history(model, body.get("history")),
    }
    given = {name: value for name, value in options.items() if value is not None}
    found = call(model, "explain", as_ids(users), as_ids(items), n_evidence=body.get("n_evidence", 3), **given)
    texts = _texts(model, found, body.get("language"))
    return {
        "explanations": [
            {
                "user": user,
                "item": item,
                "text": texts[at],
                "method": found.method[at],
                "evidence": [_evidence(one) for one in found.evidence[at]],
            }
            for at, (user, item) in enumerate(zip(users, items, strict=True))
        ]
    }


def converse(model: ServedModel, body: Body, limits: ServiceLimits) -> Body:
    """One turn; the state is the client's, and is checked as the conversation reads it."""
    k = body.get("k", min(5, limits.k))
    options = {name: body[name] for name in ("user", "candidates", "exclude_seen") if body.get(name) is not None}
    context = read_context(model, body.get("context"), 1)
    if context is not None:
        options["context"] = context
    turn = call(model, "reply", body["text"], body.get("state"), k=k, **options)
    (row,) = listed(model, turn.recommendations, k, "user")
    state = json.loads(turn.state.to_json())
    return {"message": turn.message, "items": row["items"], "question": turn.question, "state": state}


def _evidence(one: Any) -> Body:
    written = {"kind": one.kind, "weight": number(one.weight), "item": plain(one.item), "name": one.name}
    return {**written, "keywords": list(one.keywords), "text": str(one)}


def call(model: ServedModel, method: str, *args: Any, **options: Any) -> Any:
    """A method of the recommender; what it refuses is the client's error, with the recommender's words.

    Raises
    ------
    ServiceError
        404 where it has no such method, 422 where it refuses an argument.
    """
    if not model.can(method):
        raise unsupported(model, method)
    try:
        return getattr(model.recommender, method)(*args, **options)
    except UnsupportedArgumentError as error:
        raise ServiceError(422, "unsupported", str(error), argument=error.argument) from error
    except ExternalAccessError as error:
        message = "The model would contact a server or read a file for this, and the operator has not allowed it."
        raise ServiceError(422, "not_allowed", message) from error
    except KeyError as error:
        raise ServiceError(404, "unknown_item", str(error.args[0]) if error.args else "unknown id") from error
    except (ValueError, TypeError) as error:
        raise ServiceError(422, "refused", str(error)[:1000]) from error


def _lists(model: ServedModel, method: str, queries: Any, k: int, **options: Any) -> Recommendations:
    """Lists in the codes of the catalogue, also from a recommender that gives pairs of arrays."""
    found = call(model, method, queries, k, **options)
    return Recommendations.read(found, np.asarray(queries), model.catalogue.index)


def unsupported(model: ServedModel, what: str) -> ServiceError:
    """That this model cannot do something."""
    return ServiceError(404, "unsupported", f"The model, a {model.kind}, has no {what}.")


def _check_entries(n_queries: int, k: int, limits: ServiceLimits) -> None:
    if n_queries * k > limits.entries:
        raise ServiceError(
            422,
            "too_much",
            f"{n_queries} lists of k={k} are {n_queries * k} entries; at most {limits.entries} are given at once. "
            "Ask for fewer, or in several requests.",
        )


def number(value: Any) -> float | None:
    """A score as JSON has it."""
    value = float(value)
    return value if np.isfinite(value) else None


def listed(
    model: ServedModel, found: Recommendations, k: int, query: str, reasons: list[list[str]] | None = None
) -> list[Body]:
    """Recommendations as answers show them; what is shorter than ``k`` says why."""
    index, titles = model.catalogue.index, model.catalogue.titles
    ids, codes = index.values, found.codes
    lists = []
    for row, (query_id, of_row) in enumerate(zip(found.users.tolist(), codes.tolist(), strict=True)):
        scores = found.scores[row].tolist()
        entries = [
            {"item": plain(ids[code]), "title": titles[code], "score": number(score)}
            for code, score in zip(of_row, scores, strict=True)
            if code >= 0
        ]
        for entry, reason in zip(entries, reasons[row] if reasons else (), strict=False):
            entry["reason"] = reason
        one: Body = {query: plain(query_id), "items": entries}
        if len(entries) < k:
            one["note"] = f"k is {k}, and {len(entries)} items were eligible."
        lists.append(one)
    return lists
