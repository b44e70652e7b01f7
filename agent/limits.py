"""The budget of one run: steps, tool calls, tokens and seconds. Reaching a limit ends the run with what is known."""

import time
from collections.abc import Mapping

from secondread.schema.answer import Budget

SEARCHES = ("literature", "similar_cases", "find_images")
MAX_SEARCHES = 3
"""Calls of search tools in one run: what further rounds gain is small beside their cost."""


class Meter:
    """Counts what a run uses against what it may use."""

    def __init__(self, *, max_steps: int, max_calls: int, max_tokens: int, max_seconds: float) -> None:
        self._max = (max_steps, max_calls, max_tokens, max_seconds)
        self._started = time.monotonic()
        self.steps = self.calls = self.tokens = 0

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def exhausted(self) -> str | None:
        """Name of the first limit that is reached, or None."""
        steps, calls, tokens, seconds = self._max
        if self.steps >= steps:
            return "steps"
        if self.calls >= calls:
            return "calls"
        if self.tokens >= tokens:
            return "tokens"
        if self.seconds >= seconds:
            return "seconds"
        return None

    def calls_left(self) -> int:
        """Tool calls that may still be made."""
        return max(0, self._max[1] - self.calls)

    def seconds_left(self) -> float:
        """Seconds until the deadline; 0 after it."""
        return max(0.0, self._max[3] - self.seconds)

    def admitted(self, planned: int) -> tuple[int, str | None]:
        """How many of so many planned calls may still be made, and the limit that forbids the others."""
        if self.seconds_left() <= 0.0:
            return 0, "seconds"
        left = self.calls_left()
        return (planned, None) if planned <= left else (left, "calls")

    def spent(self) -> dict[str, float]:
        """What was used so far, for `restore`."""
        return {"steps": self.steps, "calls": self.calls, "tokens": self.tokens, "seconds": round(self.seconds, 3)}

    def restore(self, spent: Mapping[str, float]) -> None:
        """Go on from what a run had used before it was cut off; the time in between does not count."""
        self.steps, self.calls, self.tokens = (int(spent[name]) for name in ("steps", "calls", "tokens"))
        self._started = time.monotonic() - spent["seconds"]

    def snapshot(self, exhausted: str | None = None) -> Budget:
        """The budget as it goes into an answer."""
        steps, calls, tokens, seconds = self._max
        return Budget(
            steps=self.steps,
            max_steps=steps,
            calls=self.calls,
            max_calls=calls,
            tokens=self.tokens,
            max_tokens=tokens,
            seconds=round(self.seconds, 3),
            max_seconds=seconds,
            exhausted=exhausted,
        )
