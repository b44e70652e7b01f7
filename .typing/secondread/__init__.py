"""A second reader for medical images: plans, measures, checks, and answers with cited evidence or abstains.

from secondread import Agent

answer = Agent().ask("chest.dcm", "Is the heart enlarged?")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.imaging.load import load
    from secondread.schema.answer import Answer, Claim
    from secondread.schema.errors import SecondReadError
    from secondread.schema.evidence import Evidence

    __version__: str

__all__ = ["Agent", "Answer", "Claim", "Evidence", "SecondReadError", "__version__", "load"]

_HOMES = {
    "Agent": "secondread.agent.agent",
    "Answer": "secondread.schema.answer",
    "Claim": "secondread.schema.answer",
    "Evidence": "secondread.schema.evidence",
    "SecondReadError": "secondread.schema.errors",
    "load": "secondread.imaging.load",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import secondread` stays light."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("secondread")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'secondread' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
