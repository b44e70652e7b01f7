"""What one agent may reach, and the record of what its planner sends: both held for the time of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from secondread.tools.runtime.offline import Level

if TYPE_CHECKING:
    from secondread.agent.agent import Agent


def reach(agent: "Agent") -> Level:
    """What a run of this agent may connect to: offline nothing, or this machine where its planner's server is on it."""
    if not agent.settings.offline:
        return "open"
    if agent.planner is agent.fallback:
        return "none"
    from secondread.agent.destination import destination

    where = destination(agent.planner)
    return "loopback" if where.where == "machine" and where.host is not None else "none"


@contextmanager
def audited(agent: "Agent", run: str) -> Iterator[None]:
    """Record every call of a language model that a run makes, beside its trace.

    Nothing is recorded where no traces are kept, where the setting `audit` is off, and for the built-in planner, which
    calls no model.
    """
    folder = agent.settings.trace_dir
    if folder is None or not agent.settings.audit or agent.planner is agent.fallback:
        yield
        return
    from secondread.agent.audit import Auditor, watching
    from secondread.agent.destination import destination

    with watching(Auditor(folder, run, agent.planner.name, destination(agent.planner))):
        yield
