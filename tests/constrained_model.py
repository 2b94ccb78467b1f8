"""What a server with constrained output makes of a senseless model: any JSON value within the schema it got."""

import json


def random_value(schema, rng):
    """A random value that fits a schema of this library; lists tend to be as long as they may be."""
    if "enum" in schema:
        return schema["enum"][rng.integers(len(schema["enum"]))]
    kind = schema["type"]
    if kind == "object":
        return {name: random_value(part, rng) for name, part in schema["properties"].items()}
    if kind == "array":
        least, most = schema.get("minItems", 0), schema["maxItems"]  # an unbounded list would never end
        length = most if rng.random() < 0.5 else int(rng.integers(least, most + 1))
        return [random_value(schema["items"], rng) for _ in range(length)]
    if kind == "string":
        return "".join(chr(rng.integers(97, 123)) for _ in range(schema["maxLength"]))
    return bool(rng.random() < 0.5) if kind == "boolean" else int(rng.integers(-9999, 9999))


def constrained(rng):
    """An ``answer`` of the test server: random text within the schema of the request."""

    def answer(messages, body):
        form = body["response_format"]
        schema = form["json_schema"]["schema"] if form["type"] == "json_schema" else form["schema"]
        return json.dumps(random_value(schema, rng))

    return answer
