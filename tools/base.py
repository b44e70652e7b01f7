"""The contract every expert tool follows: card, request, result, `run_batch`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import CalibrationRecord, Evidence
from secondread.schema.image import ImageInfo, ImageRef
from secondread.schema.record import Record
from secondread.schema.region import Box, MaskRef
from secondread.schema.study import Plane, StudyInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from secondread.imaging.regrade import Regrade
    from secondread.imaging.volume.volume import Volume
    from secondread.kg.graph import Graph
    from secondread.tools.retrieve.library import Library

EvidenceKind = Literal["measurement", "finding", "region", "quality", "graph_path", "passage", "similar_case", "image"]


DeviceKind = Literal["cpu", "cuda", "mps"]
WEIGHTS_FOLDER = Path(__file__).resolve().parent / "weights"


class WeightsInfo(Record):
    """The weights files a tool needs, where they come from and under which licence."""

    files: tuple[str, ...]
    """File names below `Tool.weights_folder`."""
    sha256: str
    """Over all files, in order."""
    source: str
    licence: str
    """An SPDX expression, and after a `;` what else a user must know, e.g. `Apache-2.0; trained on films under MIT`.
    Anything in it that forbids commercial use or asks for open sources decides, wherever it stands."""
    status: Literal["trained", "untrained"] = "trained"
    """An untrained tool is listed and never run."""


class Card(Record):
    """What a tool establishes, for which images it is valid, what it needs and what it costs."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str
    summary: str
    """First thing a planner reads: when to call it."""
    kind: EvidenceKind
    """Kind of evidence it produces."""
    establishes: tuple[str, ...]
    """Concept ids."""
    modality: tuple[str, ...] = ()
    """DICOM modality codes it is valid for; empty: any."""
    views: tuple[str, ...] = ()
    """Views it is valid for; empty: any."""
    population: str = "any"
    anatomy: str = "any"
    dimension: Literal[2, 3] | None = 2
    """Single images, volumes, or None for both; the other kind is always refused."""
    outside: Literal["caveat", "not_applicable"] = "caveat"
    """What happens outside the validity: a caveat on the result, or a refusal."""
    image: Literal["required", "optional", "none"] = "required"
    needs: tuple[str, ...] = ()
    """Evidence it takes: a tool by name, or a concept, which the cheapest installed tool that establishes it gives.
    Its Request has a field of each name, and the runtime fills it with the evidence id."""
    gates: tuple[str, ...] = ()
    """Tools that judge whether an image is fit for this one; intake runs them first and may end the run there."""
    in_plan: bool = True
    """False: run by the intake or by other tools only, not offered as a move of its own."""
    cost_seconds: float = 0.01
    """Typical time on two CPU cores; a hint for planning, not a promise."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """Of one request, from its start and not from when it began to wait; a batch has that much per request."""
    licence: str = "Apache-2.0"
    """Of the code, as an SPDX expression."""
    intended_use: str = "Research use only; not a medical device."
    limits: tuple[str, ...] = ()
    weights: WeightsInfo | None = None
    calibration: tuple[CalibrationRecord, ...] = ()
    """One record per finding or measurement, named after its concept; without one it gives support only."""
    examples: tuple[dict[str, Any], ...] = ()
    """Arguments of calls that make sense, without image and prerequisites; needed when a field has no default."""
    devices: tuple[DeviceKind, ...] = ("cpu",)
    """Where its model runs. The runtime moves the model to the device it chose; the tool moves its inputs to
    `Context.device`."""
    precision: str = "float32"
    """Of the arithmetic; results of another precision are not taken from the cache."""
    max_batch: int = Field(default=1, ge=1)
    """Requests that one `run_batch` takes; above 1, requests that wait at the same time run together."""
    tolerance: float = Field(default=1e-6, ge=0)
    """Largest difference of a number of its results between devices, batches and repeated runs: relative, and absolute
    below 1."""
    equivariant: tuple[Literal["shift", "crop"], ...] = ()
    """What its regions follow: the content moved inside the image, the image cut down around it."""
    tolerance_px: float = Field(default=1.0, ge=0)
    """How far a region may stray from that, in pixels."""
    isolate: bool = False
    """Run in a process of its own, which may crash or be killed without harm to the others."""
    cache: Literal["disk", "memory", "none"] = "disk"
    """How long results are kept. `disk`: they follow from image, arguments, prerequisites, code and weights alone;
    `memory`: also from what this process holds (the study, the graph, the installed tools); `none`: from more."""

    def record(self, concept: str) -> CalibrationRecord | None:
        """The calibration record of a concept, or None."""
        return next((r for r in self.calibration if r.name == concept), None)


class ToolRequest(Record):
    """Base of every request: handles and plain values, never paths or arrays."""

    image: str | None = None
    """Image id."""


class Context(Protocol):
    """What the runtime lends a tool while it runs. All arrays are read-only views."""

    def info(self, image: str) -> ImageInfo:
        """What is known of an image besides its pixels."""

    def pixels(self, image: str) -> "NDArray[np.float32]":
        """Display grey values, shape (rows, columns), 0 black to 1 white, air dark (MONOCHROME1 resolved)."""

    def values(self, image: str) -> "NDArray[np.float32]":
        """Values in `ImageInfo.unit`, shape (rows, columns): Hounsfield units for CT, no window applied."""

    def colour(self, image: str) -> "NDArray[np.uint8]":
        """Red, green and blue, shape (rows, columns, 3); a grey image gives its grey three times."""

    def volume(self, image: str) -> "Volume":
        """The volume that an id stands for or that a slice was cut from."""

    def study(self, image: str) -> StudyInfo:
        """The study that an image or volume was handed over with."""

    def slice(self, image: str, plane: Plane, index: int, window: tuple[float, float] | None = None) -> ImageRef:
        """Register a slice of a volume, `index` from 0; its regions resolve to the slice's own grid."""

    def evidence(self, evidence_id: str) -> Evidence:
        """Evidence named in the request's prerequisite fields."""

    def mask(self, mask: MaskRef) -> "NDArray[np.bool_]":
        """A stored mask, shape (rows, columns) of its grid."""

    def put_mask(self, image: str, name: str, mask: "NDArray[np.bool_]") -> MaskRef:
        """Store a mask of the image's shape under a concept id."""

    def bits(self, blob: str) -> "NDArray[np.uint8]":
        """A stored bit map."""

    def put_bits(self, image: str, bits: "NDArray[np.uint8]") -> str:
        """Store up to eight masks as one uint8 map over the whole image, of its shape or coarser; returns its handle.

        Bit k is set where mask k is.
        """

    def map(self, blob: str) -> "NDArray[np.float32]":
        """A stored float32 map."""

    def put_map(self, image: str, values: "NDArray[np.float32]") -> str:
        """Store a float32 map over the whole image, of its shape or coarser; returns its handle."""

    def derive(self, image: str, box: Box, *, scale: float = 1.0) -> ImageRef:
        """Register a crop of an image, enlarged `scale` times; its regions resolve to the parent grid."""

    def regrade(self, image: str, how: "Regrade") -> ImageRef:
        """Register an image shown in another window or contrast, or with marks; it lies on its parent one to one."""

    def model(self, tool: str) -> Any:
        """The loaded model of a tool, from the pool, on `device(tool)`; it stays in memory until the batch is done."""

    def device(self, tool: str) -> str:
        """Where the model of a tool runs: `cpu`, `cuda:0`, `mps`."""

    def graph(self) -> "Graph":
        """The knowledge graph."""

    def library(self) -> "Library":
        """The corpora that may be searched."""

    def person(self, image: str, salt: str) -> str:
        """Opaque key of the person on an image, empty when the header names none; see `imaging.identity.person`."""

    def cards(self) -> "Sequence[Card]":
        """Cards of every installed tool."""


class Tool(ABC):
    """One expert. Subclasses set `card`, `Request` and `Result`; construction must be cheap."""

    card: ClassVar[Card]
    Request: ClassVar[type[ToolRequest]] = ToolRequest
    Result: ClassVar[type[Record]]
    weights_folder: Path = WEIGHTS_FOLDER
    """Where `load` finds the files of `card.weights`."""

    def load(self) -> Any:
        """Read what `run_batch` needs (imports, checksum), on the CPU; the pool calls this once and places it.

        Raises:
            ToolUnavailable: Weights are missing, damaged or untrained, or an extra is not installed.
        """
        return None

    @abstractmethod
    def run_batch(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
        """One result or one `SecondReadError` instance per request, in the same order."""

    def summarise(self, result: Any) -> str:
        """One line that says what the result says; shown to planners and users."""
        return f"{self.card.name} returned {result.kind}"

    @classmethod
    def request_schema(cls) -> dict[str, Any]:
        """JSON schema of what a caller states: the Request less the prerequisites, which the runtime fills in."""
        schema = cls.Request.model_json_schema()
        hidden = {*cls.card.needs, *(("image",) if cls.card.image == "none" else ())}
        properties = {k: v for k, v in schema.get("properties", {}).items() if k not in hidden}
        if cls.card.image == "required":
            properties["image"] = {**properties["image"], "type": "string"}
            for loose in ("anyOf", "default"):
                properties["image"].pop(loose, None)
        required = {*schema.get("required", ()), *(("image",) if cls.card.image == "required" else ())} - hidden
        return {**schema, "properties": properties, "required": [k for k in properties if k in required]}

    @classmethod
    def result_schema(cls) -> dict[str, Any]:
        """JSON schema of its result."""
        return cls.Result.model_json_schema(mode="serialization")


def tool(
    card: Card, *, request: type[ToolRequest] = ToolRequest, result: type[Record], summary: Callable[[Any], str]
) -> Callable[[Callable[[Any, Context], Any]], type[Tool]]:
    """Turn a function of one request into a `Tool` class, for cheap CPU tools without a network.

    A `SecondReadError` raised by the function becomes that request's entry of the batch; any other exception
    is a bug and stays one.
    """

    def wrap(function: Callable[[Any, Context], Any]) -> type[Tool]:
        class FunctionTool(Tool):
            __doc__ = function.__doc__

            def run_batch(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
                results: list[Any] = []
                for one in requests:
                    try:
                        results.append(function(one, ctx))
                    except SecondReadError as error:
                        results.append(error)
                return results

            def summarise(self, result: Any) -> str:
                return summary(result)

        FunctionTool.card = card
        FunctionTool.Request = request
        FunctionTool.Result = result
        FunctionTool.__name__ = FunctionTool.__qualname__ = card.name
        FunctionTool.__module__ = function.__module__
        return FunctionTool

    return wrap
