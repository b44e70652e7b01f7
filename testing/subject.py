"""A tool under test: the images it may read, the evidence it needs, and ways to call it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Evidence
from secondread.schema.image import ImageInfo
from secondread.schema.region import Box
from secondread.testing.report import Fault
from secondread.tools.base import Tool
from secondread.tools.runtime.calls import Call, plan
from secondread.tools.runtime.runtime import Runtime
from secondread.tools.runtime.validity import wrong_dimension

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

Defaults = Callable[["ImageStore", str | None], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Case:
    """One request with the evidence that it needs.

    Attributes:
        image: Image id, or None.
        request: As the tool gets it.
        ledger: Evidence of its prerequisites by id.
    """

    image: str | None
    request: Any
    ledger: Mapping[str, Evidence]


@dataclass(eq=False)
class Subject:
    """The tool, a runtime in which it is installed, and its cases.

    Attributes:
        tool: The tool.
        runtime: Knows it and what it needs.
        images: Ids of the images it may read.
        args: Arguments of each call beside the image.
        defaults: Arguments by tool that the caller of an image fills in, as the agent does.
        answers: Case and result of each call that gave one, filled by `first_answers`.
        errors: What the other calls gave.
        broken: Set when a first call raised, or gave another number of results; nothing more is called then.
    """

    tool: Tool
    runtime: Runtime
    images: tuple[str | None, ...]
    args: tuple[Mapping[str, Any], ...]
    defaults: "Defaults" = lambda store, image: {}
    answers: list[tuple[Case, Any]] = field(default_factory=list)
    errors: list[SecondReadError] = field(default_factory=list)
    broken: Fault | None = None

    @property
    def name(self) -> str:
        """Name of the tool."""
        return self.tool.card.name

    def case(self, image: str | None, args: Mapping[str, Any]) -> Case:
        """A request, its prerequisites run by the runtime.

        Raises:
            SecondReadError: An argument is wrong, or a prerequisite gave nothing for this image.
        """
        given = dict(args) if image is None else {**args, "image": image}
        defaults = self.defaults(self.runtime.store, image)
        planned = plan([Call(tool=self.name, args=given)], {}, self.runtime.catalogue, next_id=1, defaults=defaults)
        last = planned[-1]
        ledger: dict[str, Evidence] = {}

        async def needs() -> None:
            for call in planned[:-1]:
                ledger[call.id], _ = await self.runtime.execute(call, ledger)

        self.runtime.submit(needs()).result()
        for need, evidence_id in last.needs.items():
            if ledger[evidence_id].kind == "tool_failure":
                raise SecondReadError(f"{need} gave nothing: {ledger[evidence_id].summary}")
        return Case(image, self.tool.Request.model_validate({**last.args, **last.needs}), ledger)

    def call(self, *cases: Case) -> list[Any]:
        """What `run_batch` gives for these requests, called as the runtime calls it.

        Raises:
            Fault: It raised something, or gave another number of results.
        """
        ledger: dict[str, Evidence] = {}
        requests = []
        for number, case in enumerate(cases):
            names = {}
            for need in self.tool.card.needs:
                evidence_id = getattr(case.request, need)
                if evidence_id in case.ledger:
                    names[need] = evidence_id if len(cases) == 1 else f"{number}.{evidence_id}"
                    ledger[names[need]] = case.ledger[evidence_id]
            requests.append(case.request.model_copy(update=names))
        ctx = self.runtime.context(ledger)
        try:
            results = self.tool.run_batch(requests, ctx)
        except Exception as error:
            raise Fault(f"run_batch raised {type(error).__name__}: {error}"[:300]) from error
        finally:
            ctx.close()
        if not isinstance(results, list) or len(results) != len(cases):
            got = len(results) if isinstance(results, list) else type(results).__name__
            raise Fault(f"run_batch gave {got} for {len(cases)} requests")
        return results

    def first_answers(self) -> None:
        """Call the tool once per image and set of arguments."""
        for image in self.images:
            for args in self.args:
                try:
                    case = self.case(image, args)
                    [result] = self.call(case)
                except SecondReadError as error:
                    self.errors.append(error)
                    continue
                except Fault as fault:
                    self.broken, self.answers = fault, []
                    return
                if isinstance(result, SecondReadError):
                    self.errors.append(result)
                else:
                    self.answers.append((case, result))


def enter(runtime: Runtime, tool: Tool, images: Sequence[Any]) -> tuple[str | None, ...]:
    """Ids of the images that a tool may read by their dimension.

    Args:
        runtime: Where they are entered.
        tool: Says whether it takes pictures or volumes.
        images: Anything `ImageStore.add` takes, a `Volume`, or such a thing with what is stated of it and which part
            is meant: `(image, {"view": "PA", "age": 60, "region": (x0, y0, x1, y1), "slice": ("axial", 12)})`.
    """
    if tool.card.image == "none":
        return (None,)
    found: list[str | None] = []
    for given in images:
        info = _entered(runtime.store, *(given if isinstance(given, tuple) else (given, {})))
        if wrong_dimension(tool.card, info) is None:
            found.append(info.ref.id)
    if tool.card.image == "optional":
        found.append(None)
    return tuple(dict.fromkeys(found))


def _entered(store: "ImageStore", source: Any, stated: Mapping[str, Any]) -> ImageInfo:
    """An image, or the part of it that is meant, in a store."""
    known = dict(stated)
    region, part = known.pop("region", None), known.pop("slice", None)
    info = store.add_volume(source) if isinstance(source, Volume) else store.add(source, **known)
    if part is not None:
        info = store.slice(info.ref.id, *part)
    if region is not None:
        x0, y0, x1, y1 = region
        box = Box(grid=info.ref.grid, x0=x0, y0=y0, x1=x1, y1=y1)
        info = store.info(store.derive(info.ref.id, box).id)
    return info
