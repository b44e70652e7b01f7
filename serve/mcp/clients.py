"""Who a request comes from: the name of the bearer token that it carried, or the one local client."""

from typing import Any

LOCAL = "local"
SCOPE_KEY = "secondread.client"
"""Where the HTTP side leaves the name in the ASGI scope of a request."""


def client_of(context: Any) -> str:
    """Name of the client behind a request.

    Args:
        context: The SDK's context of a request; over stdio and in process it carries no HTTP request.
    """
    request = getattr(context, "request_context", context)
    scope = getattr(getattr(request, "request", None), "scope", None)
    name = scope.get(SCOPE_KEY) if isinstance(scope, dict) else None
    return name if isinstance(name, str) else LOCAL
