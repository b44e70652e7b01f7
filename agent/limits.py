"""The budget of one run: steps, tool calls, tokens and seconds. Reaching a limit ends the run with what is known."""

import time

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
