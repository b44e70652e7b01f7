"""From what a user writes after `--planner` to a planner."""

import ipaddress
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from secondread.agent.planners.base import Planner
from secondread.schema.errors import ToolUnavailable, UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from secondread.agent.config import Settings

EXTRA = 'pip install "secondread[llm]"'
_PROVIDER = re.compile(r"[a-z][a-z0-9_]*:[^/\\\s][^\s]*")
_HELP = "Use protocol, provider:model, a base URL such as http://127.0.0.1:8000/v1#model, or a folder with weights."
DISCOVERY_SECONDS = 5.0
_SECRET_HEADERS = ("authorization", "api-key", "openai-organization", "openai-project", "cookie")
"""Headers that the client may fill from the environment; a server on this machine needs none of them."""


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine: `localhost` or a loopback address, told from its text alone."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def planner_from(spec: str, settings: "Settings", *, pixels: Callable[[str], bytes] | None = None) -> Planner:
    """The planner that a specification names.

    Args:
        spec: `protocol`, `provider:model`, the base URL of an OpenAI-compatible server with an optional `#model`, or a
            folder with a transformers causal language model and its tokenizer.
        settings: `offline` refuses whatever may leave this machine; without `send_pixels` only text goes to a model.
        pixels: Gives the PNG bytes of an image id; used with `send_pixels` only.

    Raises:
        UsageError: The specification names nothing, or `offline` refuses it.
        ToolUnavailable: The extra `llm`, a provider's package or a weights file is missing.
    """
    spec = spec.strip()
    if spec == "protocol":
        from secondread.agent.planners.protocol import ProtocolPlanner

        return ProtocolPlanner()
    from secondread.agent.planners.chat import ChatPlanner

    shown = pixels if settings.send_pixels else None
    model = chat_model(spec, settings)
    return ChatPlanner(model, timeout=settings.planner_timeout_s, pixels=shown, name=_label(spec))


def _label(spec: str) -> str:
    """Name for traces: a URL without user, password and query; a folder by its last part."""
    if "://" in spec:
        parts = urlsplit(spec)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}#{parts.fragment}"
    return Path(spec).name if Path(spec).is_dir() else spec


def chat_model(spec: str, settings: "Settings") -> "BaseChatModel":
    """The langchain chat model that a specification names; errors as for `planner_from`."""
    if re.match(r"https?://", spec):
        if settings.offline and not is_loopback(spec):
            raise UsageError("Offline: the planner's address is not on this machine.", hint="Use a loopback address.")
        return _server(spec)
    if spec and Path(spec).is_dir():
        from secondread.agent.planners.local_model import local_chat_model

        return local_chat_model(Path(spec), device=settings.device)
    if _PROVIDER.fullmatch(spec):
        if settings.offline:
            raise UsageError(f"Offline: {spec.partition(':')[0]!r} may need a network.", hint=_HELP)
        return _provider(spec)
    raise UsageError(f"There is no planner {spec[:80]!r}.", hint=_HELP)


def _provider(spec: str) -> "BaseChatModel":
    try:
        from langchain.chat_models import init_chat_model
    except ImportError:
        raise ToolUnavailable("Planners of a provider need the extra `llm`.", hint=f"Run {EXTRA}.") from None
    try:
        model: BaseChatModel = init_chat_model(spec, max_retries=0)
    except ImportError as error:
        raise ToolUnavailable(f"The package of {spec.partition(':')[0]!r} is missing.", hint=str(error)[:200]) from None
    except Exception as error:  # providers raise errors of their own kinds for missing keys and unknown names
        raise UsageError(
            f"The planner {spec!r} cannot be set up: {type(error).__name__}.", hint=_first(error)
        ) from None
    return model


def _first(error: Exception) -> str:
    """First line of an error that names a setting, without anything that looks like a key."""
    lines = str(error).splitlines() or [""]
    return re.sub(r"\b(?:sk|key)-\S+", "***", lines[0])[:200]


def _server(spec: str) -> "BaseChatModel":
    try:
        import httpx
        from langchain_openai import ChatOpenAI
    except ImportError:
        raise ToolUnavailable("A planner on a server needs the extra `llm`.", hint=f"Run {EXTRA}.") from None
    parts = urlsplit(spec)
    if not parts.hostname:
        raise UsageError(f"{spec[:80]!r} names no host.", hint=_HELP)
    base = parts._replace(fragment="").geturl().rstrip("/")
    options: dict[str, Any] = {"base_url": base, "max_retries": 0}  # the planner tries again itself, without pictures
    local = is_loopback(spec)
    if local:  # no key of another service and no proxy for a server on this machine
        options |= {"api_key": "none", "organization": "", "openai_proxy": ""}

        def bare(request: httpx.Request) -> None:
            for name in _SECRET_HEADERS:
                request.headers.pop(name, None)

        async def abare(request: httpx.Request) -> None:
            bare(request)

        options["http_client"] = httpx.Client(trust_env=False, event_hooks={"request": [bare]})
        options["http_async_client"] = httpx.AsyncClient(trust_env=False, event_hooks={"request": [abare]})
    options["model"] = parts.fragment or _only_model(base, local)
    try:
        made: BaseChatModel = ChatOpenAI(**options)
    except Exception as error:  # the client's own errors: a missing key, a malformed address
        found = f"The planner at {_label(spec)} cannot be set up: {type(error).__name__}."
        raise UsageError(found, hint=_first(error)) from None
    return made


def _only_model(base: str, local: bool) -> str:
    """The first model that a server lists."""
    import httpx

    hint = f"Name the model: {base}#model."
    try:
        with httpx.Client(trust_env=not local, timeout=DISCOVERY_SECONDS) as client:
            listed = client.get(f"{base}/models").raise_for_status().json()
        return str(listed["data"][0]["id"])
    except httpx.HTTPError as error:
        raise UsageError(f"The server's list of models cannot be read: {type(error).__name__}.", hint=hint) from None
    except (json.JSONDecodeError, KeyError, IndexError, TypeError):
        raise UsageError("The server lists no model.", hint=hint) from None
