"""Serve the agent and its tools to an MCP client over stdin and stdout."""

import argparse
from pathlib import Path

from secondread.serve.cli import options as shared


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="FOLDER",
        help="folder whose images may be read; may be repeated (default: none, inline images only)",
    )
    shared.add_agent_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until the client goes."""
    from secondread.serve.mcp.images import AllowedImages
    from secondread.serve.mcp.server import build

    images = AllowedImages([Path(root) for root in args.root])
    agent = shared.open_agent(shared.settings_of(args))
    try:
        build(agent, images).run("stdio")
    finally:
        agent.close()
    return 0
