"""What the checks found."""

from dataclasses import dataclass
from typing import Literal


class Fault(Exception):
    """A check found that the contract is not kept; the text says how."""


class Skip(Exception):
    """A check does not apply; the text says why."""


class NotConforming(AssertionError):
    """A tool does not keep the contract; the message lists every check that failed."""


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Attributes:
        check: Its name.
        status: Whether the contract is kept, or the check does not apply.
        detail: What is wrong, or why it does not apply.
    """

    check: str
    status: Literal["passed", "failed", "skipped"]
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """What all checks found of one tool."""

    tool: str
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The checks that failed."""
        return tuple(o for o in self.outcomes if o.status == "failed")

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    def __str__(self) -> str:
        width = max(len(o.check) for o in self.outcomes)
        return "\n".join(
            [self.tool, *(f"  {o.status:8}{o.check.ljust(width)}  {o.detail}".rstrip() for o in self.outcomes)]
        )
