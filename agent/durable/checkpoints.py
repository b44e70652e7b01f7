"""SQLite checkpoints of running loops, and the masks and maps that their results name, in one private file.

A row of a run lives as long as the run: once its answer is in the trace, nothing of it is left here.
"""

import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.sqlite import SqliteSaver

from secondread.schema.errors import StoreError
from secondread.tools.runtime.cache import handles

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

FILE_NAME = "runs.sqlite"
BUSY_SECONDS = 30.0
"""How long a write waits for that of another process."""


class Checkpoints(SqliteSaver):
    """The loop's states by run, written before the next node starts.

    langgraph's asynchronous saver hands every statement to a thread of its own, which costs some 10 ms a step; a
    statement on this file takes a fraction of a millisecond, so the asynchronous methods run it where they are.

    Args:
        folder: Made when missing; the file in it is readable by its owner alone.

    Raises:
        StoreError: The file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self.file, check_same_thread=False, timeout=BUSY_SECONDS)
            super().__init__(connection)
            self.setup()
            connection.execute("PRAGMA synchronous=NORMAL")
            with self.cursor() as cursor:
                cursor.execute(
                    "CREATE TABLE IF NOT EXISTS blobs (run TEXT, handle TEXT, head TEXT, data BLOB, "
                    "PRIMARY KEY (run, handle))"
                )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"{self.file} cannot be used for checkpoints: {type(error).__name__}.",
                hint="Name another folder in the setting trace_dir, or switch the setting checkpoints off.",
            ) from None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `get_tuple`."""
        return self.get_tuple(config)

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: Any
    ) -> RunnableConfig:
        """See `put`."""
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(self, config: RunnableConfig, writes: Any, task_id: str, task_path: str = "") -> None:
        """See `put_writes`. Of what a node returned nothing is kept by itself.

        The loop runs one node at a time and puts the state after it at once; a node that is cut off in between runs
        again and finds its results in the trace.
        """
        if any(channel in WRITES_IDX_MAP for channel, _ in writes):  # an interrupt, its answer, an error
            self.put_writes(config, writes, task_id, task_path)

    def keep(self, run: str, result: Any, store: "ImageStore") -> None:
        """Keep the masks and maps that a result names, so that what is measured on them can go on after a crash.

        Args:
            run: Id of the run.
            result: A JSON value; handles inside it name what is kept.
            store: Holds them.

        Raises:
            StoreError: The store no longer holds one of them.
        """
        found = [(handle, *store.blobs.dump(handle)) for handle in dict.fromkeys(handles(result))]
        with self.cursor() as cursor:
            cursor.executemany(
                "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?)",
                [(run, handle, json.dumps(head), data) for handle, head, data in found],
            )

    def restore(self, run: str, store: "ImageStore") -> None:
        """Enter everything that was kept of a run into the image store."""
        with self.cursor(transaction=False) as cursor:
            rows = cursor.execute("SELECT head, data FROM blobs WHERE run = ?", (run,)).fetchall()
        for head, data in rows:
            store.blobs.restore(json.loads(head), data)

    def finish(self, run: str) -> None:
        """Drop what was kept of a run that has its answer."""
        with self.cursor() as cursor:
            for statement in (
                "DELETE FROM checkpoints WHERE thread_id = ?",
                "DELETE FROM writes WHERE thread_id = ?",
                "DELETE FROM blobs WHERE run = ?",
            ):
                cursor.execute(statement, (run,))

    def unfinished(self) -> list[str]:
        """Runs without an answer, oldest first."""
        with self.cursor(transaction=False) as cursor:
            found = cursor.execute("SELECT thread_id FROM checkpoints GROUP BY thread_id ORDER BY min(checkpoint_id)")
            return [row[0] for row in found.fetchall()]

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.conn.close()
