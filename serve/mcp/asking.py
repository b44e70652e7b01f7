"""Questions of clients: the images they name, their turn, progress, cancellation, and what is kept of the answer."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from secondread.schema.answer import Answer
from secondread.schema.errors import SecondReadError, UsageError
from secondread.schema.record import Record
from secondread.schema.units import Years
from secondread.serve.mcp.held import Held
from secondread.serve.mcp.images import AllowedImages, Source
from secondread.serve.mcp.limits import Limits
from secondread.serve.mcp.opened import Opened
from secondread.serve.mcp.wire import cleaned, refusal

if TYPE_CHECKING:
    from secondread.agent.agent import Agent

IMAGE_PREFIX = "secondread://image/"
IMAGE_HELP = (
    "Handle from list_images, image id from an earlier result, path below an allowed folder, or base64: followed by "
    "the bytes."
)
Step = Callable[[str], None]


class Asked(Record):
    """A question and what it is asked of; the arguments of `ask` and `ask_start`."""

    question: Annotated[str, Field(min_length=1, max_length=2000)]
    """One question in plain words."""
    image: str | None = None
    """Handle from list_images, image id from an earlier result, path below an allowed folder, or `base64:` followed by
    the bytes. None for a question of knowledge."""
    prior: str | None = None
    """An earlier image of the same patient, named in the same ways."""
    region: Annotated[list[float], Field(min_length=4, max_length=4)] | None = None
    """x0, y0, x1, y1 in pixels of the image; the question is then asked of that part."""
    series: Annotated[int, Field(ge=1)] | None = None
    """Number of a series in a study, from 1."""
    slice: Annotated[int, Field(ge=1)] | None = None
    """Number of a slice of a volume or of a frame of a clip, from 1."""
    plane: Literal["axial", "coronal", "sagittal"] = "axial"
    """Plane of `slice`."""
    choices: Annotated[list[str], Field(min_length=2, max_length=26)] | None = None
    """Answer with one of these."""
    view: Literal["PA", "AP", "LATERAL"] | None = None
    """Projection, if you know it and the image does not say."""
    age: Years | None = None
    """Age in years, if you know it and the image does not say."""


class Desk:
    """Takes questions and images of clients to the agent.

    Args:
        opened: The agent.
        images: What clients may name.
        limits: How many questions are worked on at a time.
    """

    def __init__(self, opened: Opened, images: AllowedImages, limits: Limits) -> None:
        self.opened, self.images, self.limits = opened, images, limits
        self.turns = asyncio.Semaphore(limits.runs)
        self.open = True
        """False while the server shuts down: no further question is taken."""
        self._held: Held | None = None

    async def held(self) -> Held:
        """Images and results that are kept; opens the agent."""
        agent = await self.opened.get()
        if self._held is None:
            self._held = Held(agent)
        return self._held

    async def named(self, client: str, name: str) -> Source:
        """The source that an image argument stands for, other than the id of an image that is held.

        Raises:
            UsageError: It is not allowed, or unknown.
            InputError: Inline bytes are damaged or too large.
        """
        return await asyncio.to_thread(self.images.source, name.removeprefix(IMAGE_PREFIX))

    async def entered(self, client: str, name: str, *, films: bool = False) -> str:
        """The id in the image store of what a client names; it may be named by that id from then on.

        Raises:
            SecondReadError: It cannot be read, is not allowed, or unknown; names of files are not in the message.
        """
        name = name.removeprefix(IMAGE_PREFIX)
        held = await self.held()
        known = held.image(client, name)
        if known is not None:
            return known.ref.id
        from secondread.agent.sources import Stated

        source = await self.named(client, name)
        try:
            handed = await held.enter(client, source, Stated(), films=films)
        except SecondReadError as error:
            raise refusal(error, source) from None
        held.release(handed.infos)
        return handed.infos[0].ref.id

    async def answer(self, client: str, asked: Asked, step: Step) -> Answer:
        """Answer a question, in turn. Cancelling stops the run; where traces are kept it can be taken up again.

        Args:
            client: Who asks.
            asked: The question.
            step: Called with one line per step, on this event loop.

        Raises:
            ToolError: With code, message and hint, when it cannot be answered.
        """
        sources: list[Source | None] = []
        try:
            if not self.open:
                raise UsageError("The server is shutting down.", hint="Ask again later.")
            agent = await self.opened.get()
            held = await self.held()
            image, prior = await self._source(client, held, asked.image), await self._source(client, held, asked.prior)
            sources += [s for s in (image, prior) if isinstance(s, Source)]
            if self.turns.locked():
                step("waiting: other questions are being answered")
            async with self.turns:
                return await self._run(agent, held, client, asked, image, prior, step, sources)
        except SecondReadError as error:
            raise refusal(error, *sources) from None

    async def _source(self, client: str, held: Held, name: str | None) -> Any:
        """A source, or what is known of a held image; None for none."""
        if name is None:
            return None
        return held.image(client, name.removeprefix(IMAGE_PREFIX)) or await self.named(client, name)

    async def _run(
        self,
        agent: "Agent",
        held: Held,
        client: str,
        asked: Asked,
        image: Any,
        prior: Any,
        step: Step,
        sources: Sequence[Source | None],
    ) -> Answer:
        from secondread.agent.sources import Handed, Stated

        taken: list[Any] = []
        given: list[Any] = [None, None]
        stated = Stated(view=asked.view, age=asked.age)
        try:
            for place, one in enumerate((image, prior)):
                if isinstance(one, Source):
                    films = await asyncio.to_thread(agent.wants_film, asked.question, asked.choices)
                    handed = await held.enter(client, one, stated if place == 0 else Stated(), films=films)
                    taken.extend(handed.infos)
                    given[place] = one.given
                elif one is not None:
                    if asked.region or asked.slice or asked.series or asked.view or asked.age is not None or prior:
                        raise UsageError(
                            "An image named by its id takes no region, series, slice, view, age or prior.",
                            hint="Name the file or handle instead.",
                        )
                    given[place] = Handed((one,))
            loop = asyncio.get_running_loop()
            work = agent.aask(
                given[0],
                asked.question,
                prior=given[1],
                region=tuple(asked.region) if asked.region else None,
                series=asked.series,
                slice=asked.slice,
                plane=asked.plane,
                choices=asked.choices,
                view=asked.view,
                age=asked.age,
                progress=lambda node, message: _tell(loop, step, f"{node}: {message}"),
            )
            answer = await asyncio.wrap_future(agent.runtime.submit(work))
            answer = cleaned(answer, *sources)
            held.keep_answer(client, answer)
            return answer
        finally:
            held.release(taken)


def _tell(loop: asyncio.AbstractEventLoop, step: Step, line: str) -> None:
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(step, line)
