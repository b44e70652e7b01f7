"""Runs calls: prerequisites, cache, batches, worker threads, timeouts, model pool; whatever goes wrong is evidence."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import CalibrationRecord, Evidence, ToolFailure
from secondread.schema.image import ImageInfo
from secondread.schema.record import short_hash
from secondread.tools.base import Card, Tool
from secondread.tools.calibrators import calibrator_id
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.licences import notice
from secondread.tools.retrieve.library import Library
from secondread.tools.runtime.cache import DiskResults, ResultCache
from secondread.tools.runtime.calls import Call, PlannedCall, plan, weights_hash
from secondread.tools.runtime.context import RunContext
from secondread.tools.runtime.devices import Devices, set_threads
from secondread.tools.runtime.dispatch import Dispatcher
from secondread.tools.runtime.isolated import IsolatedProcess
from secondread.tools.runtime.jobs import Batch, Job, Outcome
from secondread.tools.runtime.paths import without_paths
from secondread.tools.runtime.pool import MEGABYTE, ModelPool
from secondread.tools.runtime.running import BatchRunner
from secondread.tools.runtime.stamp import code_stamp
from secondread.tools.runtime.validity import outside_validity, wrong_dimension

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

__all__ = ["Runtime", "outside_validity", "wrong_dimension"]

T = TypeVar("T")
WORKERS = 8
"""Threads for tools without a model, which mostly wait or run outside of Python's lock."""
COMPANY_SECONDS = 0.003
"""A request waits that long for others to join its batch, and only while other askers are at work."""
KEPT_TEXTS = 64
CLOSING_SECONDS = 2.0
"""What still runs on the loop gets that long to end before it is cancelled."""


class Runtime:
    """Owns the image store, the models, the worker threads, the kept results and one event-loop thread.

    `ask` submits to the loop thread, so it also works where the caller's thread runs a loop of its own; `execute` may
    be awaited on any loop, and calls of all loops share batches, models and results.

    Args:
        tools: What is installed; None: the catalogue of this process.
        store: Where images are; None makes one.
        pixel_budget_mb: Decoded pixels kept in memory by a store made here.
        model_budget_mb: Model parameters kept in memory.
        workers: Worker threads, besides those that hang.
        cache_entries: Results kept in memory; 0: none.
        cache_dir: Folder for results of earlier processes; None: memory only.
        cache_mb: Size of that folder.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        threads: Of torch's operators, set once per process; None leaves torch's own choice.
        corpora: Folders of the corpora that retrieval tools search, besides the passages that ship.
        graphs: Folders of built graphs whose image nodes they walk.

    Raises:
        UsageError: A device was named that this machine does not have.
    """

    def __init__(
        self,
        *,
        tools: Catalogue | None = None,
        store: "ImageStore | None" = None,
        pixel_budget_mb: int = 512,
        model_budget_mb: int = 2048,
        workers: int = WORKERS,
        cache_entries: int = 512,
        cache_dir: Path | None = None,
        cache_mb: int = 512,
        device: str = "auto",
        threads: int | None = None,
        corpora: Sequence[Path] = (),
        graphs: Sequence[Path] = (),
    ) -> None:
        if store is None:
            from secondread.imaging.store import ImageStore

            store = ImageStore(byte_budget=pixel_budget_mb * MEGABYTE)
        self.store = store
        self.library = Library(corpora, graphs)
        self.catalogue = tools if tools is not None else catalogue()
        self.devices = Devices(device)
        self._threads = threads
        self.pool = ModelPool(model_budget_mb * MEGABYTE, device_of=self.devices.of, load=self._load)
        self.cache = ResultCache(cache_entries, store, DiskResults(cache_dir, cache_mb) if cache_dir else None)
        if self.cache.disk is not None:
            self.cache.disk.open_ahead()
        self._dispatch = Dispatcher(
            BatchRunner(store, self.pool, self.context, self._ran),
            store=self._keep,
            gave_up=self._gave_up,
            device_of=self.devices.of,
            slots=model_slots,
            workers=workers,
            company_s=COMPANY_SECONDS,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._texts: OrderedDict[int, tuple[Any, str]] = OrderedDict()
        self.executed = 0
        """Requests that a tool was really given (neither cached nor refused)."""
        self.batches = 0
        """Batches in which they ran."""

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the runtime's own loop thread; returns a thread-safe future."""
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="secondread-loop", daemon=True).start()
                self._loop = loop
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def context(self, ledger: Mapping[str, Evidence]) -> RunContext:
        """What a tool gets while it runs; to be closed."""
        return RunContext(self.store, self.pool, self.catalogue, ledger, self.devices, self.library)

    async def run(
        self,
        calls: Sequence[Call],
        *,
        ledger: Mapping[str, Evidence] | None = None,
        defaults: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: float | None = None,
    ) -> dict[str, Evidence]:
        """Run calls and what they need, each as soon as its prerequisites are there.

        A prerequisite that several calls need runs once, also when they come from different callers at the same time.

        Args:
            calls: What is wanted.
            ledger: Evidence that is there already; it is used, and ids run on from it.
            defaults: Arguments by tool that are filled in where a call lacks them.
            timeout: Seconds that one call may run at most; a card may ask for less.

        Returns:
            The new evidence by id, prerequisites before what needs them.

        Raises:
            ToolUnavailable: A tool is not installed.
            UsageError: An argument is wrong.
        """
        done: dict[str, Evidence] = dict(ledger or {})
        planned = plan(calls, done, self.catalogue, next_id=len(done) + 1, defaults=defaults or {})
        tasks: dict[str, asyncio.Task[None]] = {}

        async def one(call: PlannedCall) -> None:
            for need in call.needs.values():
                if need in tasks:
                    await asyncio.shield(tasks[need])
            done[call.id], _ = await self.execute(call, done, timeout=timeout)

        for call in planned:
            tasks[call.id] = asyncio.create_task(one(call))
        try:
            await asyncio.gather(*tasks.values())
        finally:
            for task in tasks.values():
                task.cancel()
        return {call.id: done[call.id] for call in planned}

    async def execute(
        self, call: PlannedCall, ledger: Mapping[str, Evidence], *, timeout: float | None = None
    ) -> tuple[Evidence, float]:
        """Run one call and wrap its result into Evidence.

        A typed error of the tool becomes `ToolFailure` evidence, and so do a timeout, a crash, memory that ran out, a
        result that cannot be used and a bug in the tool; the run goes on. Failures are never cached. Equal calls made
        at the same time run once; when one caller is cancelled, the others still get their result.

        Returns:
            The evidence, and the seconds it took (0.0 when it came from the cache).
        """
        asker = id(ledger)
        self._dispatch.at_work(asker, 1)
        try:
            return await self._executed(call, ledger, timeout, asker)
        finally:
            self._dispatch.at_work(asker, -1)

    async def _executed(
        self, call: PlannedCall, ledger: Mapping[str, Evidence], timeout: float | None, asker: int
    ) -> tuple[Evidence, float]:
        tool = self.catalogue.get(call.tool)
        card = tool.card
        image = call.args.get("image")
        info: ImageInfo | None = None
        caveats: list[str] = []
        try:
            if image is not None:
                info = self.store.info(image)
            refused = self._refused(card, info, caveats)
        except SecondReadError as error:
            return self._failure(call, error), 0.0
        if refused is not None:
            return self._failure(call, refused), 0.0
        needs: dict[str, Evidence] = {}
        for name, evidence_id in call.needs.items():
            need = ledger.get(evidence_id)
            if need is None or need.kind == "tool_failure":
                told = need.result.message if need is not None and isinstance(need.result, ToolFailure) else "not run"
                return self._failed(call, "prerequisite_failed", f"{name} gave nothing to measure on: {told}"), 0.0
            needs[name] = need
        key = self._key(call, tool, info, needs)
        started = time.perf_counter()
        outcome, cached = await self._outcome(key, call, tool, needs, timeout, asker)
        seconds = 0.0 if cached else time.perf_counter() - started
        if outcome.error is not None:
            return self._failure(call, outcome.error), seconds
        return self._evidence(call, outcome.result, outcome.summary, caveats), seconds

    async def _outcome(
        self,
        key: str,
        call: PlannedCall,
        tool: Tool,
        needs: Mapping[str, Evidence],
        timeout: float | None,
        asker: int,
    ) -> tuple[Outcome, bool]:
        """The outcome of a call, and whether it was kept from an earlier one."""
        card = tool.card
        found = self.cache.get(key) if card.cache != "none" else None
        loop = asyncio.get_running_loop()
        if found is None and self._on_disk(card):
            found = await loop.run_in_executor(None, self.cache.read, key, tool)
        if found is not None:
            return found, True
        if not self.devices.known(card):
            await loop.run_in_executor(None, self.devices.of, card)  # imports torch
        limit = min(timeout or card.timeout_seconds, card.timeout_seconds)
        job = Job(key, tool, call.args, needs, limit, asker)
        again = (lambda: self.cache.get(key)) if card.cache != "none" else (lambda: None)
        return await asyncio.wrap_future(self._dispatch.submit(job, again)), False

    def _refused(self, card: Card, info: ImageInfo | None, caveats: list[str]) -> SecondReadError | None:
        """Why a call is not made at all; what the result must carry otherwise goes into `caveats`."""
        from secondread.schema.errors import NotApplicable, ToolUnavailable

        if card.weights is not None and card.weights.status != "trained":
            return ToolUnavailable(f"The weights of {card.name} are not trained, so it is not run.")
        if info is not None:
            wrong = wrong_dimension(card, info)
            if wrong is not None:
                return NotApplicable(wrong)
            reason = outside_validity(card, info)
            if reason and card.outside == "not_applicable":
                return NotApplicable(reason)
            if reason:
                caveats.append(f"outside validity: {reason}")
        licence = notice(card)
        if licence:
            caveats.append(licence)
        return None

    def _key(self, call: PlannedCall, tool: Tool, info: ImageInfo | None, needs: Mapping[str, Evidence]) -> str:
        """Hash over everything a result depends on, in this process and in later ones.

        What the caller states of an image (view, age) changes results but not the image's id, so all that is known of
        it goes in; prerequisites by what they say; code by its files.
        """
        card = tool.card
        return short_hash(
            {
                "call": call.key,
                "tool": card.name,
                "version": card.version,
                "weights": card.weights.sha256 if card.weights else None,
                "args": call.args,
                "image": info.model_dump(mode="json") if info is not None else None,
                "needs": {name: self._text(need.result) for name, need in needs.items()},
                "precision": card.precision,
                "device": self.devices.setting if card.devices != ("cpu",) else "cpu",
                "code": code_stamp(tool),
            },
            64,
        )

    def _text(self, result: Any) -> str:
        """Hash of a result; the last few are remembered, since several tools need the same one."""
        with self._lock:
            known = self._texts.get(id(result))
            if known is not None:
                return known[1]
        text = short_hash(result, 32)
        with self._lock:
            self._texts[id(result)] = result, text  # holding the result keeps its id from being reused
            while len(self._texts) > KEPT_TEXTS:
                self._texts.popitem(last=False)
        return text

    def _on_disk(self, card: Card) -> bool:
        """Whether results of a tool are kept for later processes. Derived images live in the store of this one only."""
        return self.cache.disk is not None and card.cache == "disk" and card.kind != "image"

    def _keep(self, job: Job, outcome: Outcome) -> None:
        card = job.tool.card
        if card.cache == "none":
            return
        self.cache.put(job.key, outcome)
        if self._on_disk(card):
            self.cache.write(job.key, outcome)

    def _load(self, tool: Tool) -> Any:
        """The model of a tool, or the process that holds it."""
        if tool.card.isolate:
            return IsolatedProcess(tool, device=self.devices.of(tool.card), threads=self._threads)
        set_threads(self._threads)
        return tool.load()

    def _gave_up(self, batch: Batch) -> None:
        """A batch hangs: what its thread may still use is forgotten, its process killed."""
        for name in dict.fromkeys((batch.tool.card.name, *batch.models())):
            self.pool.abandon(name)

    def _ran(self, requests: int) -> None:
        with self._lock:
            self.executed += requests
            self.batches += 1

    def _evidence(self, call: PlannedCall, result: Any, summary: str, caveats: list[str]) -> Evidence:
        card = self.catalogue.get(call.tool).card
        records: tuple[CalibrationRecord, ...] = card.calibration
        return Evidence(
            id=call.id,
            call_key=call.key,
            kind=result.kind,
            tool=card.name,
            tool_version=card.version,
            weights=weights_hash(self.catalogue, call.tool),
            image=call.args.get("image"),
            place=self._place(call.args.get("image")),
            result=result,
            reliability=records[0] if len(records) == 1 else None,
            calibrators=tuple(calibrator_id(r) for r in records),
            caveats=tuple(caveats),
            summary=summary,
        )

    def _place(self, image: str | None) -> str:
        """Which study, series and slice an image is, in words; empty when it was handed over by itself."""
        if image is None or image not in self.store:
            return ""
        place = self.store.info(image).place
        return place.words() if place is not None else ""

    def _failure(self, call: PlannedCall, error: SecondReadError) -> Evidence:
        return self._failed(call, error.code, error.message, error.hint)

    def _failed(self, call: PlannedCall, code: str, message: str, hint: str = "") -> Evidence:
        message = without_paths(message)
        failure = ToolFailure(code=code, message=message, hint=without_paths(hint))
        return self._evidence(call, failure, f"{call.tool} failed: {message}", [])

    def close(self) -> None:
        """Stop the workers and the loop thread, finish writing what is kept on disk, unload every model."""
        self._dispatch.close()
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_last_words(loop), loop)
        self.cache.close()
        self.pool.clear()


async def _last_words(loop: asyncio.AbstractEventLoop) -> None:
    """Let what runs on the loop end (its calls have failed by now), cancel what does not, and stop."""
    others = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    if others:
        _, pending = await asyncio.wait(others, timeout=CLOSING_SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.sleep(0)
    loop.call_soon(loop.stop)


def model_slots(device: str) -> int:
    """Batches with models that may run at the same time: one on a GPU, and on a processor one per four cores."""
    import os

    return max(1, (os.cpu_count() or 1) // 4) if device == "cpu" else 1
