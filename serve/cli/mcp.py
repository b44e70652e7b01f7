"""Serve the agent and its tools to MCP clients: to one over stdin and stdout, or to many over HTTP."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import UsageError
from secondread.serve.cli import options as shared

if TYPE_CHECKING:
    from secondread.serve.mcp.server import Served

HTTP_ONLY = ("host", "port", "token_file", "allow_host", "stateless", "tls_cert", "tls_key")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="FOLDER",
        help="folder whose images may be read; may be repeated (default: none, inline images only)",
    )
    parser.add_argument(
        "--client-roots",
        action="store_true",
        help="offer the tool use_client_roots, by which a client allows the folders it names as its roots; stdio only",
    )
    http = parser.add_argument_group("HTTP")
    http.add_argument("--http", action="store_true", help="serve over streamable HTTP instead of stdin and stdout")
    http.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    http.add_argument("--port", type=_port, help="port to listen on, 0 for any (default: 8765)")
    http.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="bearer tokens, one `name:token` a line; needed for more than loopback; also SECONDREAD_MCP_TOKEN",
    )
    http.add_argument(
        "--allow-host", action="append", metavar="HOST", help="further Host header to take, e.g. behind a proxy"
    )
    http.add_argument("--stateless", action="store_true", default=None, help="keep no sessions between requests")
    http.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain for HTTPS")
    http.add_argument("--tls-key", type=Path, metavar="FILE", help="private key for HTTPS")
    bounds = parser.add_argument_group("limits per client")
    bounds.add_argument("--at-once", type=shared.count, metavar="N", help="calls at the same time (default: 16)")
    bounds.add_argument("--per-minute", type=shared.count, metavar="N", help="requests in a minute (default: 6000)")
    bounds.add_argument("--call-seconds", type=shared.count, metavar="S", help="longest call (default: 600)")
    bounds.add_argument(
        "--runs", type=shared.count, metavar="N", help="questions worked on at a time, of all clients (default: 2)"
    )
    bounds.add_argument(
        "--drain-seconds",
        type=shared.count,
        metavar="S",
        help="time for work to end when the server stops; then it is checkpointed (default: 30, over stdio 0)",
    )
    shared.add_agent_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until the client goes or a signal comes."""
    if not args.http:
        for name in HTTP_ONLY:
            if getattr(args, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} goes with --http.")
        from secondread.serve.mcp.stdio import serve_stdio

        serve_stdio(_served(args))
        return 0
    if args.client_roots:
        raise UsageError("--client-roots is for stdio: over HTTP a client's folders are not this machine's.")
    from secondread.agent.config import server_token
    from secondread.serve.mcp.http import Listening, check, serve_http
    from secondread.serve.mcp.tokens import load_tokens

    tokens = load_tokens(args.token_file, server_token())
    given = {
        "host": args.host,
        "port": args.port,
        "allowed_hosts": tuple(args.allow_host) if args.allow_host else None,
        "stateless": args.stateless,
        "certificate": args.tls_cert,
        "key": args.tls_key,
        "drain_seconds": args.drain_seconds,
    }
    listening = Listening(**{name: value for name, value in given.items() if value is not None})
    check(listening, tokens)
    serve_http(
        _served(args),
        listening,
        tokens,
        lambda url: print(f"secondread: serving on {url}", file=sys.stderr, flush=True),
    )
    return 0


def _served(args: argparse.Namespace) -> "Served":
    import anyio

    from secondread.serve.mcp.images import AllowedImages
    from secondread.serve.mcp.limits import Limits
    from secondread.serve.mcp.server import Served
    from secondread.serve.mcp.tool_listing import keep_listing, listing_key, read_listing

    images = AllowedImages([Path(root) for root in args.root])
    settings = shared.settings_of(args)

    def find() -> Any:
        from secondread.agent.installed import installed_tools

        return installed_tools(settings)

    given = {"at_once": args.at_once, "per_minute": args.per_minute, "seconds": args.call_seconds, "runs": args.runs}
    key = listing_key(settings.allowed_licences, settings.retrieval, args.client_roots)
    folder = None if settings.mcp_servers else settings.cache_dir  # mounted servers may list other tools each time
    kept = read_listing(folder, key)
    served = Served(
        lambda: shared.open_agent(settings),
        find,
        images,
        limits=Limits(**{name: value for name, value in given.items() if value is not None}),
        listing=kept,
        client_roots=args.client_roots,
        drain_seconds=float(args.drain_seconds or 0),
    )
    if kept is None:
        keep_listing(folder, key, anyio.run(served.server.list_tools))
    return served


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)
