"""Where a planner's model runs, as far as can be told without calling it: this machine, a host, or not known."""

import ipaddress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

_ADDRESSES = (
    "openai_api_base", "azure_endpoint", "base_url", "anthropic_api_url", "endpoint", "endpoint_url", "api_base",
    "groq_api_base", "server_url", "url",
)  # fmt: skip
"""Fields in which langchain's chat models keep the address of their server."""
_CLIENTS = ("root_client", "client", "_client", "async_client")


@dataclass(frozen=True)
class Destination:
    """Where prompts go. Never holds a user name, password, path or query of an address.

    Attributes:
        where: `machine`: a loopback address, or weights in this process; `remote`: any other host; `unknown`: the model
            names no address.
        host: Host name or address.
        port: As written in the address.
        model: Name of the model; empty when it has none.
    """

    where: Literal["machine", "remote", "unknown"]
    host: str | None = None
    port: int | None = None
    model: str = ""


def destination(planner: Any) -> Destination:
    """Where a planner's prompts go.

    Args:
        planner: A planner with a langchain chat model in `model`, a planner around one in `inner`, the model itself, or
            anything else, of which nothing is known.
    """
    inner = getattr(planner, "inner", None)
    if inner is not None:
        return destination(inner)
    model = getattr(planner, "model", None)
    model = planner if model is None or isinstance(model, str) else model
    name = _text(getattr(model, "model_name", None)) or _text(getattr(model, "model", None))
    if _in_process(model):
        return Destination("machine", model=name)
    for url in _addresses(model):
        parts = urlsplit(url if "://" in url else f"//{url}")
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            continue
        if host:
            return Destination("machine" if is_loopback(host) else "remote", host, port, name)
    return Destination("unknown", model=name)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine, told from its text alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_process(model: Any) -> bool:
    from secondread.agent.planners.local_model import LocalChatModel

    return isinstance(model, LocalChatModel)


def _addresses(model: Any) -> list[str]:
    """Addresses that a model names, the most specific first."""
    found = [_text(getattr(model, name, None)) for name in _ADDRESSES]
    for name in _CLIENTS:
        client = getattr(model, name, None)
        found += [_text(getattr(held, "base_url", None)) for held in (client, getattr(client, "_client", None))]
    return [url for url in found if url]


def _text(value: Any) -> str:
    """A string or URL object as text; empty for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if type(value).__name__ in ("URL", "HttpUrl", "Url", "AnyUrl") else ""
