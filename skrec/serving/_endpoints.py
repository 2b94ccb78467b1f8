"""The table of endpoints: each path with its schemas, examples and what answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from skrec.serving import _answers as answers
from skrec.serving import _schemas as schemas
from skrec.serving._limits import ServiceLimits
from skrec.serving._schemas import ID, Schema, array_of, closed

if TYPE_CHECKING:
    from skrec.serving._model import ServedModel

Answer = Callable[["ServedModel", dict[str, Any], ServiceLimits], dict[str, Any]]


@dataclass(frozen=True)
class Endpoint:
    """One POST endpoint.

    Attributes
    ----------
    path : str
    summary : str
    method : str
        What the recommender must have.
    request, response : JSON schema
    example : dict
        A request.
    answer : callable or None
        From model, body and limits to the answer, in a thread; None for feedback, which the service writes.
    """

    path: str
    summary: str
    method: str
    request: Schema
    response: Schema
    example: dict[str, Any]
    answer: Answer | None
    validator: Draft202012Validator = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "validator", Draft202012Validator(self.request))

    def with_field(self, name: str, schema: Schema) -> Endpoint:
        """The same, with a further field in its requests."""
        properties = {**self.request["properties"], name: schema}
        return replace(self, request={**self.request, "properties": properties})


def model_endpoints(limits: ServiceLimits, names: list[str]) -> list[Endpoint]:
    """Those that call a model, one of those names, and change nothing."""
    which: Schema = {"enum": names, "default": names[0], "description": "Which model answers."}
    made = [_recommend(limits), _search(limits), _similar(limits), _explain(limits), _converse(limits)]
    return [one.with_field("model", which) for one in made]


def _recommend(limits: ServiceLimits) -> Endpoint:
    row = {"type": "object", "additionalProperties": schemas.CELL, "minProperties": 1, "maxProperties": 100}
    text = {"anyOf": [schemas.text(limits), {"type": "null"}]}
    fields = {
        "users": array_of(ID, limits.queries, 1, description="Unknown users get the cold start."),
        "k": schemas.k(limits),
        "context": schemas.context(limits),
        "history": schemas.events(limits, "Events that were not in fit, in the order of time."),
        "candidates": schemas.candidates(limits),
        "exclude_seen": {"type": "boolean", "default": True},
        "exclude": schemas.events(limits, "Further pairs of user and item to exclude."),
        "request": {
            "description": "What the users want now, in free text: one for all, or one or null per user.",
            "anyOf": [schemas.text(limits), array_of(text, limits.queries, 1)],
        },
        "request_weight": {
            "description": "Of the request against the taste; 0.7 without it, unless a reranker reads the request.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
        },
        "user_features": array_of(row, limits.queries, 1, description="One object per user, with the columns of fit."),
        "reasons": {"type": "boolean", "default": False, "description": "Give a reason with each item."},
        "language": schemas.LANGUAGE,
    }
    return Endpoint(
        "/recommend",
        "Lists for users",
        "recommend",
        closed(fields, ("users",)),
        schemas.lists_of("user", {"known": {"type": "boolean", "description": "Whether the user has events."}}),
        {"users": ["u0001", "somebody new"], "k": 5},
        answers.recommend,
    )


def _search(limits: ServiceLimits) -> Endpoint:
    texts = schemas.one_or_more(schemas.text(limits), limits.queries, "One text, or several.")
    fields = {"texts": texts, "k": schemas.k(limits), "candidates": schemas.candidates(limits)}
    return Endpoint(
        "/search",
        "Items for free text",
        "search",
        closed(fields, ("texts",)),
        schemas.lists_of("text"),
        {"texts": "a long voyage at sea", "k": 5},
        answers.search,
    )


def _similar(limits: ServiceLimits) -> Endpoint:
    fields = {
        "items": array_of(ID, limits.queries, 1),
        "k": schemas.k(limits),
        "candidates": schemas.candidates(limits),
    }
    return Endpoint(
        "/similar",
        "Items similar to items",
        "similar_items",
        closed(fields, ("items",)),
        schemas.lists_of("item"),
        {"items": ["bk-0001"], "k": 5},
        answers.similar,
    )


def _explain(limits: ServiceLimits) -> Endpoint:
    pair = closed({"user": ID, "item": ID}, ("user", "item"))
    fields = {
        "pairs": array_of(pair, min(limits.queries, limits.reasons), 1),
        "n_evidence": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
        "context": schemas.context(limits),
        "history": schemas.events(limits, "Events that were not in fit, in the order of time."),
        "language": schemas.LANGUAGE,
    }
    one = {
        "type": "object",
        "properties": {
            "user": ID,
            "item": ID,
            "text": {"type": "string"},
            "method": {"type": "string"},
            "evidence": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["user", "item", "text", "method", "evidence"],
    }
    return Endpoint(
        "/explain",
        "Why items are recommended",
        "explain",
        closed(fields, ("pairs",)),
        schemas.answer({"explanations": {"type": "array", "items": one}}),
        {"pairs": [{"user": "u0001", "item": "bk-0001"}]},
        answers.explain,
    )


def _converse(limits: ServiceLimits) -> Endpoint:
    fields: dict[str, Schema] = {
        "text": {"type": "string", "maxLength": limits.text_length, "description": "Empty to begin."},
        "state": {"type": ["object", "null"], "description": "That of the last answer; null to begin."},
        "user": {**ID, "type": [*ID["type"], "null"]},
        "k": {**schemas.k(limits), "default": min(5, limits.k)},
        "context": schemas.context(limits),
        "candidates": schemas.candidates(limits),
        "exclude_seen": {"type": "boolean", "default": True},
    }
    answered: dict[str, Schema] = {
        "message": {"type": "string"},
        "items": {"type": "array", "items": schemas.LISTED},
        "question": {"type": ["string", "null"]},
        "state": {"type": "object"},
    }
    return Endpoint(
        "/converse",
        "One turn of a conversation",
        "reply",
        closed(fields, ("text",)),
        schemas.answer(answered),
        {"text": "something shorter, nothing violent", "state": None, "k": 3},
        answers.converse,
    )


def feedback_endpoint(limits: ServiceLimits) -> Endpoint:
    """Events for the log."""
    properties = {
        **schemas.EVENT["properties"],
        "context": {"type": "object", "additionalProperties": schemas.CELL, "maxProperties": 100},
        "timestamp": {
            "description": "When it happened, in the unit of fit; without it, when it is written. Unused by a model "
            "that was fitted without times.",
            "type": "number",
            "minimum": 0,
            "maximum": 1e19,
        },
        "event_id": {"type": "string", "minLength": 1, "maxLength": 100, "description": "Sent again, it counts once."},
    }
    fields = {
        "events": array_of(closed(properties, ("user", "item")), limits.history, 1),
        "wait": {"type": "boolean", "default": False, "description": "Answer when the model has learned them."},
    }
    versions = {"type": "object", "additionalProperties": {"type": "string"}, "description": "Of each model."}
    fate = {name: {"type": "integer"} for name in ("accepted", "repeated", "last_event")}
    return Endpoint(
        "/feedback",
        "Events of users, for the log and the model",
        "recommend",
        closed(fields, ("events",)),
        schemas.answer({**fate, "learned": {"type": "boolean"}, "versions": versions}),
        {"events": [{"user": "u0001", "item": "bk-0001", "value": 1}]},
        None,
    )
