"""Errors that a client gets as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """An answer that is no success.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : str
        For programs: one word per kind of error.
    message : str
        For people: what was passed, what was expected.
    headers : mapping, default=None
        Further headers, of this module's own making: never text of a client.
    **details
        Further fields of the error.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.details = details
        self.answered_by: dict[str, str] | None = None  # name and version of the model that was asked

    def to_dict(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message, **self.details}}


class ModelFileError(Exception):
    """A model file that cannot be served; the message says why, and what to do."""
