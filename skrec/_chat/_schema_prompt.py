"""A JSON schema stated in the prompt, for models without constrained output, and one repair."""

import json
from typing import Any

from skrec._chat._messages import Message
from skrec._chat._prompts import load_prompt


def with_schema(messages: list[Message], schema: dict[str, Any]) -> list[Message]:
    """The conversation with the schema behind its last message."""
    *before, last = messages
    request = _write("json_schema-v1", schema=_compact(schema))
    return [*before, {**last, "content": f"{last['content']}\n\n{request}"}]


def with_repair(messages: list[Message], answer: str, problem: str, schema: dict[str, Any]) -> list[Message]:
    """The conversation with an answer that did not fit, and what is wrong with it."""
    request = _write("json_repair-v1", problem=problem, schema=_compact(schema))
    return [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": request}]


def _write(name: str, **fields: str) -> str:
    return load_prompt(name).write(**fields)[-1]["content"]


def _compact(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
