"""Prompts for common readings; their texts are files of `secondread.prompts`."""

from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from secondread.prompts import read

Image = Annotated[str, Field(description="Handle from list_images, image id or path below an allowed folder.")]


def chest_film(image: Image, question: str = "nothing further") -> str:
    """Read a chest film step by step, with evidence, overlays and abstentions."""
    return read("mcp/chest_film", image=image, question=question)


def heart_size(image: Image) -> str:
    """Measure the heart on a chest film."""
    return read("mcp/heart_size", image=image)


def compare(image: Image, prior: Image, question: str = "Has the heart become larger?") -> str:
    """Compare an image with an earlier one of the same patient."""
    return read("mcp/compare", image=image, prior=prior, question=question)


def explain(term: Annotated[str, Field(description="A finding, disease, measurement or structure.")]) -> str:
    """Explain a term from the knowledge graph, each statement with its source."""
    return read("mcp/explain", term=term)


def what_can_be_read(image: Image) -> str:
    """Find out what the installed tools can tell of an image."""
    return read("mcp/what_can_be_read", image=image)


def register(server: MCPServer[Any]) -> None:
    """Add the prompts to a server."""
    for one in (chest_film, heart_size, compare, explain, what_can_be_read):
        server.prompt()(one)
