"""One writer at a time: a lock file with process id and start time."""

import os
from pathlib import Path

from secondread.schema.errors import InputError

NAME = "writing.lock"


class BuildLock:
    """The right to write to a corpus folder; without a path, to one in memory."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    @classmethod
    def take(cls, folder: Path) -> "BuildLock":
        """Take the lock; one left by a process that has ended is taken over.

        Raises:
            InputError: A living process holds it, or the folder cannot be written.
        """
        path = folder / NAME
        mine = f"{os.getpid()} {_started(os.getpid())}"
        for _ in range(3):
            try:
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                try:
                    held = path.read_text().split()
                except OSError:
                    continue
                if len(held) == 2 and held[0].isdecimal() and _started(int(held[0])) == held[1]:
                    raise InputError(
                        f"Another process ({held[0]}) writes to {folder}.", hint="Wait for it, or stop it."
                    ) from None
                path.unlink(missing_ok=True)
                continue
            except OSError as error:
                raise InputError(f"{folder} cannot be written: {error.strerror or error}.") from error
            with os.fdopen(handle, "w") as file:
                file.write(mine)
            return cls(path)
        raise InputError(f"{folder} cannot be locked for writing.")

    def release(self) -> None:
        """Let others in."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _started(pid: int) -> str:
    """When a process started, as the system tells; `alive` where only its life can be told, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
