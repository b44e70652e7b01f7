"""Runs calls: worker threads, timeouts, retry of a failing batch item, result cache, model pool."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from secondread.schema.errors import SecondReadError, ToolTimeout
from secondread.schema.evidence import CalibrationRecord, Evidence, ToolFailure
from secondread.schema.image import ImageInfo
from secondread.schema.record import short_hash
from secondread.tools.base import Card
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.runtime.calls import PlannedCall, weights_hash
from secondread.tools.runtime.context import RunContext
from secondread.tools.runtime.pool import ModelPool

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

T = TypeVar("T")
MEGABYTE = 1 << 20


def outside_validity(card: Card, info: ImageInfo) -> str | None:
    """Why an image lies outside what a tool is valid for, or None when it fits or cannot be told."""
    if card.modality and info.modality and info.modality not in card.modality:
        return f"{card.name} is valid for {'/'.join(card.modality)}, this image is {info.modality}"
    if card.views and info.view != "UNKNOWN" and info.view not in card.views:
        return f"{card.name} is valid for {'/'.join(card.views)} views, this image is {info.view}"
    return None


def wrong_dimension(card: Card, info: ImageInfo) -> str | None:
    """Why a tool cannot take an image at all, or None."""
    if card.dimension is None or card.dimension == info.dimension:
        return None
    if card.dimension == 3:
        return f"{card.name} takes volumes, this is a single image"
    return f"{card.name} takes single images, this is a volume"


class Runtime:
    """Owns the image store, the models, the worker threads and one event-loop thread.

    `ask` submits to the loop thread, so it also works where the caller's thread runs a loop of its own.
    """

    def __init__(
        self,
        *,
        tools: Catalogue | None = None,
        store: "ImageStore | None" = None,
        pixel_budget_mb: int = 512,
        model_budget_mb: int = 2048,
        workers: int = 2,
        cache_entries: int = 512,
    ) -> None:
        if store is None:
            from secondread.imaging.store import ImageStore

            store = ImageStore(byte_budget=pixel_budget_mb * MEGABYTE)
        self.store = store
        self.catalogue = tools if tools is not None else catalogue()
        self.pool = ModelPool(model_budget_mb * MEGABYTE)
        self._workers = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="secondread-tool")
        self._cache: OrderedDict[str, tuple[Any, str]] = OrderedDict()
        self._cache_entries = cache_entries
        self._cache_lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_lock = threading.Lock()
        self.executed = 0
        """Calls that really ran (neither cached nor refused)."""

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the runtime's own loop thread; returns a thread-safe future."""
        with self._loop_lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="secondread-loop", daemon=True).start()
                self._loop = loop
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def execute(
        self, call: PlannedCall, ledger: Mapping[str, Evidence], *, timeout: float | None = None
    ) -> tuple[Evidence, float]:
        """Run one call and wrap its result into Evidence.

        A typed error of the tool becomes `ToolFailure` evidence, and so do a timeout and a bug in the tool;
        the run goes on. Failures are never cached.

        Returns:
            The evidence, and the seconds it took (0.0 when it came from the cache).
        """
        tool = self.catalogue.get(call.tool)
        card = tool.card
        caveats: list[str] = []
        image = call.args.get("image")
        cache_key = call.key
        if image is not None:
            try:
                info = self.store.info(image)
                # What the caller states of an image (view, age) changes results but not the image's id.
                cache_key += short_hash(info, 8)
                wrong = wrong_dimension(card, info)
                reason = outside_validity(card, info)
            except SecondReadError as error:
                return self._failure(call, error.code, error.message, error.hint), 0.0
            if wrong is not None:
                return self._failure(call, "not_applicable", wrong), 0.0
            if reason and card.outside == "not_applicable":
                return self._failure(call, "not_applicable", reason), 0.0
            if reason:
                caveats.append(f"outside validity: {reason}")
        for name, evidence_id in call.needs.items():
            need = ledger.get(evidence_id)
            if need is None or need.kind == "tool_failure":
                told = need.result.message if need is not None and isinstance(need.result, ToolFailure) else "not run"
                return self._failure(call, "prerequisite_failed", f"{name} gave nothing to measure on: {told}"), 0.0
        with self._cache_lock:
            hit = self._cache.get(cache_key)
            if hit is not None:
                self._cache.move_to_end(cache_key)
        if hit is not None:
            return self._evidence(call, hit[0], hit[1], caveats), 0.0
        started = time.perf_counter()
        limit = min(timeout or card.timeout_seconds, card.timeout_seconds)
        loop = asyncio.get_running_loop()
        try:
            result = await asyncio.wait_for(
                loop.run_in_executor(self._workers, self._run_one, call, dict(ledger)), timeout=limit
            )
        except TimeoutError:
            late = ToolTimeout(f"{card.name} did not finish within {limit:g} s.")
            return self._failure(call, late.code, late.message), time.perf_counter() - started
        seconds = time.perf_counter() - started
        if isinstance(result, SecondReadError):
            return self._failure(call, result.code, result.message, result.hint), seconds
        summary = tool.summarise(result)
        with self._cache_lock:
            self._cache[cache_key] = (result, summary)
            while len(self._cache) > self._cache_entries:
                self._cache.popitem(last=False)
        return self._evidence(call, result, summary, caveats), seconds

    def _run_one(self, call: PlannedCall, ledger: dict[str, Evidence]) -> Any:
        tool = self.catalogue.get(call.tool)
        try:
            request = tool.Request.model_validate({**call.args, **call.needs})
            ctx = RunContext(self.store, self.pool, self.catalogue, ledger)
            self.executed += 1
            results = tool.run_batch([request], ctx)
            if len(results) != 1:
                return SecondReadError(f"{call.tool} returned {len(results)} results for one request.")
            if not isinstance(results[0], SecondReadError | tool.Result):
                return SecondReadError(f"{call.tool} returned a {type(results[0]).__name__}, not its Result type.")
            return results[0]
        except SecondReadError as error:
            return error
        except Exception as error:  # a bug in a tool must end as evidence, not end the run; the type says what broke
            return SecondReadError(f"{call.tool} failed inside: {type(error).__name__}: {error}")

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
            caveats=tuple(caveats),
            summary=summary,
        )

    def _place(self, image: str | None) -> str:
        """Which study, series and slice an image is, in words; empty when it was handed over by itself."""
        if image is None or image not in self.store:
            return ""
        place = self.store.info(image).place
        return place.words() if place is not None else ""

    def _failure(self, call: PlannedCall, code: str, message: str, hint: str = "") -> Evidence:
        failure = ToolFailure(code=code, message=message, hint=hint)
        return self._evidence(call, failure, f"{call.tool} failed: {message}", [])

    def close(self) -> None:
        """Stop the workers and the loop thread and unload every model."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        with self._loop_lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None
        self.pool.clear()
