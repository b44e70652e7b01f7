"""How far a batch is: cases done, rate, and the time that the rest will take at that rate."""

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0
"""The rate is that of the last minute."""
EVERY_SECONDS = 0.2
"""Least time between two lines."""


class Pace:
    """Counts cases and tells a line. Thread-safe.

    Args:
        total: Cases to do.
        show: Told the line.
        clock: Seconds.
    """

    def __init__(self, total: int, show: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self._show, self._clock = show, clock
        self._lock = threading.Lock()
        self._ends: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._told = -EVERY_SECONDS

    def one(self, failed: bool) -> None:
        """A case is done."""
        with self._lock:
            self.done += 1
            self.failed += failed
            now = self._clock()
            self._ends.append((now, self.done))
            while len(self._ends) > 2 and now - self._ends[0][0] > WINDOW_SECONDS:
                self._ends.popleft()
            if now - self._told >= EVERY_SECONDS or self.done == self.total:
                self._told = now
                self._show(self.line())

    def line(self) -> str:
        """For example `30 of 100 studies, 2.0/s, 35 s left, 1 with errors`."""
        (start, before), (end, after) = self._ends[0], self._ends[-1]
        text = f"{self.done} of {self.total} {'study' if self.total == 1 else 'studies'}"
        if end > start and after > before:
            rate = (after - before) / (end - start)
            text += f", {rate:.1f}/s, {spoken((self.total - self.done) / rate)} left"
        return text + (f", {self.failed} with errors" if self.failed else "")


def spoken(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s")]
    first = next((n for n, (value, _) in enumerate(parts) if value), 3)
    return " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2] if value) or "0 s"
