"""The live side of one run: what the nodes use but the state never holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from secondread.agent.limits import Meter
from secondread.agent.planners.base import Planner
from secondread.agent.state import LoopState
from secondread.agent.trace import TraceWriter
from secondread.schema.evidence import DerivedImage, Evidence
from secondread.schema.image import ImageInfo
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.calls import PlannedCall

if TYPE_CHECKING:
    from secondread.agent.consistency import Told
    from secondread.kg.graph import Graph
    from secondread.kg.rulebook import Rule


class Executor(Protocol):
    """What runs a planned call: the runtime, or a recorded run on replay."""

    catalogue: Catalogue

    async def execute(
        self, call: PlannedCall, ledger: Mapping[str, Evidence], *, timeout: float | None = None
    ) -> tuple[Evidence, float]:
        """The call's evidence and the seconds it took."""


@dataclass(frozen=True)
class Approval:
    """What a paused run asks a person."""

    run: str
    tools: tuple[str, ...]
    """Tools that wait for a yes."""
    why: str
    """What the planner wants of them."""


@dataclass
class Run:
    """Handles of one run."""

    executor: Executor
    planner: Planner
    fallback: Planner
    """Takes over when the planner's reply cannot be read, and supplies moves that the planner left out."""
    graph: "Graph"
    meter: Meter
    trace: TraceWriter
    infos: dict[str, ImageInfo]
    """By image id; asked images only."""
    tool_defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tool_timeout: float | None = None
    rethink: bool = True
    exemplars: bool = False
    """A planner is shown similar cases with what is known of them."""
    witnesses_off: frozenset[str] = frozenset()
    cutoff: float = 0.75
    rules: "Sequence[Rule]" = ()
    """Clinical rules that an answer has to keep."""
    earlier: "Sequence[Told]" = ()
    """What was answered before of the same study, in the same conversation."""
    emit: Callable[[str, str], None] = lambda node, message: None
    keep: Callable[[Evidence], None] | None = None
    """Keeps the masks and maps that evidence names before the evidence counts as recorded."""
    approve: frozenset[str] = frozenset()
    """Tools that a person has to allow before a planner's move runs them."""
    decide: "Callable[[Approval], bool | None] | None" = None
    """Asks that person; None, or an answer of None, pauses the run."""
    serves: dict[tuple[str, str, str | None], frozenset[str]] = field(default_factory=dict)
    """Tools by what they serve (kind, concept, structure), once looked up: neither graph nor tools change in a run."""
    _parsed: dict[str, Evidence] = field(default_factory=dict)

    def ledger(self, state: LoopState) -> dict[str, Evidence]:
        """Evidence of the state by id, in id order; each item is parsed once."""
        for key, value in state.get("evidence", {}).items():
            if key not in self._parsed:
                self._parsed[key] = Evidence.model_validate(value)
        return {k: self._parsed[k] for k in sorted(state.get("evidence", {}), key=lambda i: int(i[1:]))}

    def enter_crop(self, image: str, crop: DerivedImage) -> None:
        """Know of a crop what is known of its image, so that it can be asked about in its place."""
        from secondread.imaging.derive import derived_info

        assert crop.box is not None, "a slice is no crop"
        info, _ = derived_info(self.infos[image], crop.box, 1.0, [self.infos[image].ref])
        self.infos[crop.image] = info

    def family(self, image: str, ledger: Mapping[str, Evidence]) -> tuple[str, ...]:
        """An asked image and every image derived from it in this run, oldest first."""
        ids = [image]
        for item in ledger.values():
            if isinstance(item.result, DerivedImage) and item.image in ids and item.result.image not in ids:
                ids.append(item.result.image)
        return tuple(ids)
