"""Every error this library raises on purpose.

SecondReadError
├── UsageError              the call or command line is wrong
├── InputError              the image, folder or question cannot be used
│   ├── UnreadableImage     missing, empty, truncated or not an image
│   ├── UnsupportedImage    a real image of a kind that cannot be read here
│   ├── NotApplicable       a tool was asked about an image it is not valid for
│   └── NotMeasurable       the image does not show what the measurement needs
├── ToolError               a tool could not finish
│   ├── ToolTimeout         it ran past its time limit
│   ├── ToolUnavailable     a missing extra, weights file or model
│   ├── ToolCrashed         its process ended before it answered
│   ├── OutOfMemory         it asked for more memory than there is, also in smaller batches
│   └── BadResult           its result is not finite, too large, or lies outside the image
├── PlannerError            a planner's reply cannot be turned into moves
├── NetworkRefused          an offline run tried to reach something; also a PermissionError
├── ApprovalNeeded          a run waits for a person's yes to a tool
├── ReplayError             a trace does not fit what is replayed
└── StoreError              an id or handle that the image store does not hold
"""

from typing import ClassVar


class SecondReadError(Exception):
    """Base class: `except SecondReadError` catches all that this library raises on purpose.

    Attributes:
        message: What was found, in one sentence; names the file when there is one.
        hint: What the caller can do about it; may be empty.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False
    """May a planner call again with other arguments?"""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message = message
        self.hint = hint


class UsageError(SecondReadError):
    """The call or the command line is wrong."""

    code, exit_code, retry = "usage", 2, True


class InputError(SecondReadError):
    """The image, folder or question cannot be used."""

    code, exit_code = "bad_input", 2


class UnreadableImage(InputError):
    """A file that is missing, empty, truncated or not an image."""

    code = "unreadable_image"


class UnsupportedImage(InputError):
    """A real image of a kind that cannot be read here."""

    code = "unsupported_image"


class NotApplicable(InputError):
    """A tool was asked about an image it is not valid for."""

    code = "not_applicable"


class NotMeasurable(InputError):
    """The image does not show what the measurement needs."""

    code = "not_measurable"


class ToolError(SecondReadError):
    """A tool could not finish."""

    code = "tool_error"


class ToolTimeout(ToolError):
    """A tool ran past its time limit."""

    code = "tool_timeout"


class ToolUnavailable(ToolError):
    """A tool lacks an extra, a weights file or a model."""

    code = "tool_unavailable"


class ToolCrashed(ToolError):
    """The process of an isolated tool ended before it answered."""

    code = "tool_crashed"


class OutOfMemory(ToolError):
    """A tool asked for more memory than there is, also in smaller batches and with other models unloaded."""

    code = "out_of_memory"


class BadResult(ToolError):
    """A tool's result is not finite, too large, of another type than promised, or lies outside the image."""

    code = "bad_result"


class PlannerError(SecondReadError):
    """A planner's reply cannot be turned into moves."""

    code, retry = "planner_error", True


class NetworkRefused(SecondReadError, PermissionError):
    """An offline run tried to reach another machine, or a program on this one.

    Also an OSError, so that network libraries report it as they do a connection that fails.
    """

    code = "offline"


class ApprovalNeeded(SecondReadError):
    """A run waits for a person's yes to a tool.

    Attributes:
        run: Id of the run.
        tools: Names of the tools.
    """

    code, exit_code = "approval_needed", 4

    def __init__(self, message: str, *, hint: str = "", run: str = "", tools: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.run = run
        self.tools = tools


class ReplayError(SecondReadError):
    """A trace does not fit what is replayed."""

    code, exit_code = "replay_error", 2


class StoreError(SecondReadError):
    """A store that cannot be used, or an id that a store does not hold."""

    code = "store_error"
