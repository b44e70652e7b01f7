"""What a failed request to a chat model means: try again, ask in another form, or give up."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""HTTP states after which the same request may succeed."""
_REFUSED = (400, 405, 413, 415, 422, 501)
"""HTTP states of a request whose form the server does not take."""
_FEATURES = ("tool", "response_format", "json_schema", "grammar", "jinja", "image")
"""Words by which servers name the feature that they lack, where they report it as an error of their own."""


class Failure(Exception):
    """A request without a reply. Its text names the kind of error, never the words of a provider."""

    def __init__(self, kind: Literal["passing", "refused", "gone"], text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.kind = kind
        self.wait = wait
        """Seconds that the server asks to wait; 0 when it asks for none."""


def failure_of(error: Exception) -> Failure:
    """The failure that an exception of a provider's client stands for, told from its HTTP state and its class."""
    status = _status(error)
    name = f"failed: {type(error).__name__}" + (f" ({status})" if status else "")
    if status in _REFUSED or (status == 500 and any(word in str(error).lower() for word in _FEATURES)):
        return Failure("refused", name)
    if status in _PASSING:
        wait = _wait(error)
        return Failure("passing", f"{name}, wants {wait:.0f} s of rest" if wait else name, wait)
    if (status is None and _lost(error)) or isinstance(error, json.JSONDecodeError):
        return Failure("passing", name)
    return Failure("gone", name)


def _status(error: Exception) -> int | None:
    found: Any = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return int(found) if isinstance(found, int) else None


def _lost(error: Exception) -> bool:
    """Whether the connection was refused or broke off; a timeout is not tried again."""
    names = [c.__name__ for c in type(error).__mro__]
    return not any("Timeout" in n for n in names) and any(
        n in ("ConnectionError", "APIConnectionError", "TransportError", "ProtocolError") for n in names
    )


def _wait(error: Exception) -> float:
    """Seconds of a `Retry-After` header, as number or date."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    told = str(headers.get("retry-after", ""))
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
