"""The child's side of `secondread.tools.runtime.isolated`: loads one tool, runs batches until the parent goes away."""

import os
import queue
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

from secondread.schema.errors import BadResult, SecondReadError, ToolError, ToolUnavailable
from secondread.schema.evidence import Evidence
from secondread.schema.image import ImageInfo, ImageRef
from secondread.schema.region import Box, MaskRef
from secondread.schema.study import Plane, StudyInfo, VolumeInfo
from secondread.tools.base import Card, Tool
from secondread.tools.catalogue import classes
from secondread.tools.runtime import offline
from secondread.tools.runtime.check import finite
from secondread.tools.runtime.devices import out_of_memory, placed, set_threads
from secondread.tools.runtime.isolated import error_of
from secondread.tools.runtime.pool import model_bytes
from secondread.tools.runtime.running import told
from secondread.tools.runtime.wire import WireError, receive, send

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from secondread.imaging.regrade import Regrade
    from secondread.imaging.volume.volume import Volume
    from secondread.kg.graph import Graph
    from secondread.tools.retrieve.library import Library


class Link:
    """The streams to the parent. A thread reads ahead, so that the end of the parent ends a busy child too."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._target = target
        self._came: queue.Queue[tuple[dict[str, Any], list[Any]]] = queue.Queue()
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def _read(self, source: BinaryIO) -> None:
        try:
            while True:
                self._came.put(receive(source))
        except (EOFError, OSError, WireError):
            os._exit(0)

    def next(self) -> tuple[dict[str, Any], list[Any]]:
        """The next message."""
        return self._came.get()

    def say(self, message: dict[str, Any], arrays: Sequence[Any] = ()) -> None:
        """Send a message."""
        send(self._target, message, arrays)

    def ask(self, call: str, given: list[Any], arrays: Sequence[Any] = ()) -> tuple[Any, list[Any]]:
        """What the parent's context gives.

        Raises:
            SecondReadError: What it raised.
        """
        self.say({"call": call, "given": given}, arrays)
        message, back = self.next()
        if "error" in message:
            raise error_of(message["error"])
        return message.get("value"), back


class RemoteContext:
    """The `Context` of one batch in the child: its own model and graph, everything else from the parent."""

    def __init__(self, link: Link, tool: Tool, model: Any, device: str) -> None:
        self._link, self._tool, self._model, self._device = link, tool, model, device
        self._volumes: dict[str, Volume] = {}

    def _array(self, call: str, *given: Any) -> Any:
        return self._link.ask(call, list(given))[1][0]

    def info(self, image: str) -> ImageInfo:
        """See `Context.info`."""
        return ImageInfo.model_validate(self._link.ask("info", [image])[0])

    def pixels(self, image: str) -> "NDArray[np.float32]":
        """See `Context.pixels`."""
        return self._array("pixels", image)  # type: ignore[no-any-return]  # the parent's own array

    def values(self, image: str) -> "NDArray[np.float32]":
        """See `Context.values`."""
        return self._array("values", image)  # type: ignore[no-any-return]  # the parent's own array

    def colour(self, image: str) -> "NDArray[np.uint8]":
        """See `Context.colour`."""
        return self._array("colour", image)  # type: ignore[no-any-return]  # the parent's own array

    def volume(self, image: str) -> "Volume":
        """See `Context.volume`."""
        if image not in self._volumes:
            from secondread.imaging.volume.volume import Volume
            from secondread.imaging.volume.voxels import ArrayVoxels

            value, (stored, scale) = self._link.ask("volume", [image])
            self._volumes[image] = Volume(VolumeInfo.model_validate(value), ArrayVoxels(stored), scale=scale)
        return self._volumes[image]

    def study(self, image: str) -> StudyInfo:
        """See `Context.study`."""
        return StudyInfo.model_validate(self._link.ask("study", [image])[0])

    def slice(self, image: str, plane: Plane, index: int, window: tuple[float, float] | None = None) -> ImageRef:
        """See `Context.slice`."""
        return ImageRef.model_validate(self._link.ask("slice", [image, plane, index, window])[0])

    def evidence(self, evidence_id: str) -> Evidence:
        """See `Context.evidence`."""
        return Evidence.model_validate(self._link.ask("evidence", [evidence_id])[0])

    def mask(self, mask: MaskRef) -> "NDArray[np.bool_]":
        """See `Context.mask`."""
        return self._array("mask", mask.model_dump(mode="json"))  # type: ignore[no-any-return]  # the parent's own array

    def put_mask(self, image: str, name: str, mask: "NDArray[np.bool_]") -> MaskRef:
        """See `Context.put_mask`."""
        return MaskRef.model_validate(self._link.ask("put_mask", [image, name], [mask])[0])

    def bits(self, blob: str) -> "NDArray[np.uint8]":
        """See `Context.bits`."""
        return self._array("bits", blob)  # type: ignore[no-any-return]  # the parent's own array

    def put_bits(self, image: str, bits: "NDArray[np.uint8]") -> str:
        """See `Context.put_bits`."""
        return str(self._link.ask("put_bits", [image], [bits])[0])

    def map(self, blob: str) -> "NDArray[np.float32]":
        """See `Context.map`."""
        return self._array("map", blob)  # type: ignore[no-any-return]  # the parent's own array

    def put_map(self, image: str, values: "NDArray[np.float32]") -> str:
        """See `Context.put_map`."""
        return str(self._link.ask("put_map", [image], [values])[0])

    def derive(self, image: str, box: Box, *, scale: float = 1.0) -> ImageRef:
        """See `Context.derive`."""
        return ImageRef.model_validate(self._link.ask("derive", [image, box.model_dump(mode="json"), scale])[0])

    def regrade(self, image: str, how: "Regrade") -> ImageRef:
        """See `Context.regrade`."""
        return ImageRef.model_validate(self._link.ask("regrade", [image, how.model_dump(mode="json")])[0])

    def model(self, tool: str) -> Any:
        """See `Context.model`; only the tool's own."""
        if tool != self._tool.card.name:
            raise ToolUnavailable(f"{self._tool.card.name} runs in a process of its own, where {tool} is not loaded.")
        return self._model

    def device(self, tool: str) -> str:
        """See `Context.device`."""
        return self._device

    def graph(self) -> "Graph":
        """See `Context.graph`."""
        from secondread.kg.graph import core_graph

        return core_graph()

    def library(self) -> "Library":
        """See `Context.library`: corpora of the user stay in the parent; the child has the passages that ship."""
        from secondread.tools.retrieve.library import Library

        return Library()

    def person(self, image: str, salt: str) -> str:
        """See `Context.person`."""
        return str(self._link.ask("person", [image, salt])[0])

    def cards(self) -> Sequence[Card]:
        """See `Context.cards`."""
        return [Card.model_validate(card) for card in self._link.ask("cards", [])[0]]


def find(module: str, name: str) -> Tool:
    """The tool of this name in a module.

    Raises:
        ToolUnavailable: The module cannot be imported or has no such tool.
    """
    try:
        held = import_module(module)
    except Exception as error:
        raise ToolUnavailable(
            f"The module of {name} cannot be imported in a process of its own: {told(error)}"
        ) from None
    found = next((cls for cls in classes(held, module) if cls.card.name == name), None)
    if found is None:
        raise ToolUnavailable(f"{module} has no tool {name}.")
    return found()


def error_message(error: BaseException, name: str) -> dict[str, Any]:
    """An error as the parent reads it."""
    known = error if isinstance(error, SecondReadError) else ToolError(f"{name} failed inside: {told(error)}")
    return {"class": type(known).__name__, "message": known.message, "hint": known.hint}


def result_message(result: Any, tool: Tool) -> dict[str, Any]:
    """One entry of a batch as the parent reads it; what JSON would not carry over is refused here."""
    name = tool.card.name
    if isinstance(result, SecondReadError):
        return {"error": error_message(result, name)}
    if type(result) is not tool.Result:
        kind = type(result).__name__
        return {"error": error_message(BadResult(f"{name} returned a {kind}, not its Result type."), name)}
    if not finite(result):
        return {"error": error_message(BadResult(f"{name} returned a number that is not finite."), name)}
    return {"result": result.model_dump_json()}


def serve(link: Link) -> None:
    """Load the tool that the parent names, then run what it sends."""
    hello, _ = link.next()
    sys.path[:] = [*dict.fromkeys((*hello["path"], *sys.path))]
    name = hello["tool"]
    try:
        from pathlib import Path

        tool = find(hello["module"], name)
        tool.weights_folder = Path(hello["weights"])
        set_threads(hello["threads"])
        with offline.guarded(hello["reach"]):
            model = placed(tool.load(), hello["device"])
    except BaseException as error:
        link.say({"error": error_message(error, name)})
        return
    link.say({"nbytes": model_bytes(model)})
    while True:
        message, _ = link.next()
        try:
            requests = [tool.Request.model_validate(one) for one in message["requests"]]
            with offline.guarded(message["reach"]):
                results = tool.run_batch(requests, RemoteContext(link, tool, model, hello["device"]))
            link.say({"results": [result_message(one, tool) for one in results]})
        except BaseException as error:
            link.say({"memory": True} if out_of_memory(error) else {"error": error_message(error, name)})


def main() -> None:
    """Speak over the streams the parent opened; what the tool prints goes nowhere near them."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    serve(Link(source, target))
    os._exit(0)


if __name__ == "__main__":
    main()
