"""Why a request to an endpoint failed: each kind inherits the built-in error that a caller would catch."""


class EndpointError(Exception):
    """A request that failed for good.

    Attributes
    ----------
    brief : str
        What happened, in words of this library alone: nothing that a server may have repeated from the text.
    status : int or None
        Of HTTP, where the server refused.
    said : str
        The server's own words then; they may repeat the text that was sent.
    """

    def __init__(self, message: str, brief: str = "", status: int | None = None, said: str = "") -> None:
        super().__init__(message)
        self.brief, self.status, self.said = brief, status, said


class EndpointTimeout(EndpointError, TimeoutError):
    """No answer in time."""


class EndpointUnavailable(EndpointError, ConnectionError):
    """Out of reach, overloaded or broken."""


class RequestRejected(EndpointError, ValueError):
    """The request was refused, and would be again."""


class InvalidResponse(EndpointError, ValueError):
    """Answers that are malformed, or not what the request asked for."""


class EndpointNotReady(EndpointError, ValueError):
    """The key that is to be sent is not there."""


class EndpointNeedsPackage(EndpointError, ImportError):
    """The ``openai`` package is not there."""
