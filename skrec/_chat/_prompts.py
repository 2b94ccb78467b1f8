"""Prompts: named, versioned text files that can be overridden."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from skrec._chat._messages import Message
from skrec.utils import template_fields

_SEPARATOR = "\n---\n"


@dataclass(frozen=True)
class Prompt:
    """A system message and the template of a user message.

    Attributes
    ----------
    name : str
        Name and version, as in "rerank_listwise-v1".
    system : str
        Sent as it is.
    template : str
        Bare field names in braces; each is substituted once; inserted text is never expanded again.
    """

    name: str
    system: str
    template: str

    def as_text(self) -> str:
        """The prompt in the format of its file."""
        return self.system + _SEPARATOR + self.template

    def write(self, **fields: str) -> list[Message]:
        """The messages with the fields filled in.

        Raises
        ------
        ValueError
            If the template names a field that is not given.
        """
        parts = template_fields(self.template)
        unknown = [field for _, field in parts if field is not None and field not in fields]
        if unknown:
            raise ValueError(
                f"The prompt {self.name!r} names {unknown}; the fields are {sorted(fields)}. Write {{{{ for a brace."
            )
        text = "".join(literal + (fields[field] if field else "") for literal, field in parts)
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": text}]


@cache
def load_prompt(name: str) -> Prompt:
    """A prompt of this library, from ``skrec/_chat/prompts/NAME.txt``: system message, a line ``---``, template."""
    text = files("skrec._chat").joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8")
    return _read(name, text)


def read_prompt(given: str | None, default: str) -> Prompt:
    """The prompt of a parameter: None for the library's own, else its text (system, ``---``, template).

    A text without a line ``---`` is a template that keeps the library's system message, with its rules on
    what is data.
    """
    own = load_prompt(default)
    if given is None:
        return own
    prompt = _read(f"{default}-custom", given)
    return prompt if _SEPARATOR in given else Prompt(prompt.name, own.system, prompt.template)


def _read(name: str, text: str) -> Prompt:
    system, separator, template = text.partition(_SEPARATOR)
    if not separator:
        system, template = "", text
    template_fields(template, "prompt")  # refuses what is more than a bare field name
    return Prompt(name, system.strip(), template.strip())
