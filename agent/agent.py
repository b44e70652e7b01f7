"""`Agent`: ask a question about an image, get an answer whose claims cite evidence."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, get_args

from secondread.agent.config import Settings
from secondread.agent.durable.driving import Decide, Request, begin, take_up
from secondread.agent.installed import installed_tools
from secondread.agent.leases import Leases
from secondread.agent.mapping import IN_FLIGHT, Mapper, Questions, Reading, Studies, map_studies
from secondread.agent.planners.base import Planner
from secondread.agent.planners.protocol import ProtocolPlanner
from secondread.agent.serving import wants_film
from secondread.agent.sessions.converse import Conversations
from secondread.agent.sources import Stated
from secondread.kg.graph import core_graph
from secondread.kg.questions import parse
from secondread.schema.answer import Answer
from secondread.schema.errors import UsageError
from secondread.schema.study import Plane
from secondread.tools.runtime.runtime import Runtime

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from secondread.agent.durable.checkpoints import Checkpoints

MAX_QUESTION = 2000
"""Characters; a longer text is not one question."""
Event = dict[str, Any]


class Agent:
    """Answers questions about medical images.

    Keep one alive for many questions: images, models and results stay loaded.

    Args:
        planner: `protocol` (default, no language model), a planner, a langchain chat model, or a spec as on the
            command line (`provider:model`, a base URL, a folder with weights).
        tools: Names of the tools it may use; None: all that are installed.
        risk: Largest P(wrong | answered) to promise at 95 % confidence; None: the default cut-off is used.
        settings: Everything else; None reads environment and settings file.
        runtime: A runtime to share with other agents; None makes one.

    Raises:
        UsageError: A tool name or planner spec is unknown.
    """

    def __init__(
        self,
        planner: "str | Planner | BaseChatModel | None" = None,
        *,
        tools: Sequence[str] | None = None,
        risk: float | None = None,
        settings: Settings | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self.settings = settings if settings is not None else Settings.load()
        self.risk = risk if risk is not None else self.settings.risk
        self._own_runtime = runtime is None
        self.runtime = runtime or runtime_of(self.settings)
        if tools is not None:
            self.runtime.catalogue = self.runtime.catalogue.only(tuple(tools))
        self.leases = Leases(self.runtime.store)
        self._checkpoints: Checkpoints | None = None
        self._opening = threading.Lock()
        self._conversations = Conversations(self.settings.trace_dir)
        self.fallback: Planner = ProtocolPlanner()
        wanted = planner if planner is not None else self.settings.planner
        self.planner = self.fallback if wanted == "protocol" else self._chosen(wanted)

    def _chosen(self, wanted: Any) -> Planner:
        """A planner from its spec, from a langchain chat model, or as given."""
        if isinstance(wanted, str):
            from secondread.agent.planners.models import planner_from

            return planner_from(wanted, self.settings, pixels=self._png)
        if hasattr(wanted, "propose") and hasattr(wanted, "word"):
            given: Planner = wanted
            return given
        from langchain_core.language_models import BaseChatModel

        from secondread.agent.destination import destination
        from secondread.agent.planners.chat import ChatPlanner

        if not isinstance(wanted, BaseChatModel):
            raise UsageError(
                f"A {type(wanted).__name__} is no planner.", hint="Give a spec, a Planner or a chat model."
            )
        if self.settings.offline and destination(wanted).where == "remote":
            raise UsageError("Offline: the planner's address is not on this machine.", hint="Use a loopback address.")
        pixels = self._png if self.settings.send_pixels else None
        return ChatPlanner(wanted, timeout=self.settings.planner_timeout_s, pixels=pixels)

    def _png(self, image: str) -> bytes:
        """A thumbnail as PNG bytes, for a planner that may see pixels."""
        import io

        from secondread.imaging.draw.render import thumbnail

        buffer = io.BytesIO()
        thumbnail(self.runtime.store.pixels(image), 512).save(buffer, "PNG")
        return buffer.getvalue()

    def ask(
        self,
        image: Any,
        question: str,
        *,
        prior: Any = None,
        region: tuple[float, float, float, float] | None = None,
        series: int | None = None,
        slice: int | None = None,
        plane: str = "axial",
        masks: Mapping[str, Any] | None = None,
        choices: Sequence[str] | None = None,
        view: str | None = None,
        age: float | None = None,
        session: str | None = None,
        approve: Collection[str] = (),
        decide: Decide | None = None,
    ) -> Answer:
        """Answer one question. Works inside a running event loop too.

        Args:
            image: Path, bytes, numpy array, PIL image or torch tensor; a folder or zip with one study, a volume file,
                a `Study` or a `Volume`; a list of images; or None for a question that is about no image.
            question: One question in free wording, at most 2,000 characters.
            prior: An earlier image of the same patient.
            region: x0, y0, x1, y1 in pixels of the first image; the question is then asked of that crop.
            series: Number of a series in the study, from 1; None: the one that fits the question best.
            slice: Number of a slice of a volume or of a frame of a clip, from 1; slices count from the feet, the back
                or the patient's left. None: the whole volume.
            plane: Plane of `slice`: `axial`, `coronal` or `sagittal`.
            masks: Outlines of structures, by name: an array of the image's or volume's shape, a path, or a path and the
                label value that is meant.
            choices: Answers to choose from.
            view: Projection that the header lacks, recorded as stated by the caller (`PA`, `AP`, `LATERAL`).
            age: Age in years that the header lacks, recorded as stated.
            session: Name of a conversation: later questions of the same name may refer to earlier ones ("and on the
                left?", "compare with the previous one"), also from another process.
            approve: Names of tools that a person has to allow before a planner's move runs them. The guards of intake
                run without asking.
            decide: Asks that person: gets an `Approval`, returns True, False, or None to pause the run.

        Returns:
            The answer; `abstained` is True when no verdict can be backed.

        Raises:
            ApprovalNeeded: A tool waits for a yes; `resume` goes on.
            InputError: The image cannot be read.
            UsageError: The question is empty or too long, or an argument makes no sense.
        """
        work = self.aask(
            image,
            question,
            prior=prior,
            region=region,
            series=series,
            slice=slice,
            plane=plane,
            masks=masks,
            choices=choices,
            view=view,
            age=age,
            session=session,
            approve=approve,
            decide=decide,
        )
        return self._waited(work)

    def _waited(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer of work on the runtime's loop; leaving early cancels it."""
        future = self.runtime.submit(work)
        try:
            return future.result()
        finally:
            future.cancel()

    def resume(self, run: str, image: Any = None, *, prior: Any = None, decide: Decide | None = None) -> Answer:
        """Go on with a run that was cut off, cancelled or paused. No completed call is made twice.

        Args:
            run: Its id, from `Answer.trace` or `unfinished`.
            image: What it was asked about; None finds the files again where they were.
            prior: The earlier image, as for `ask`.
            decide: Answers for a person, as for `ask`.

        Returns:
            The answer; the recorded one when the run has ended.

        Raises:
            ReplayError: There is no such run, or it was about other images.
            UsageError: Runs are not kept, or its images were no files and are not handed over again.
            StoreError: Masks that it needs are not kept any more.
            ApprovalNeeded: A tool waits for a yes.
        """
        return self._waited(take_up(self, run, image, prior, decide, lambda node, message: None))

    def unfinished(self) -> list[str]:
        """Ids of runs that were cut off or paused, oldest first."""
        kept = self.checkpoints()
        return kept.unfinished() if kept is not None else []

    async def aask(
        self, image: Any, question: str, *, progress: Callable[[str, str], None] | None = None, **options: Any
    ) -> Answer:
        """Like `ask`, for callers with an event loop.

        Args:
            image: As for `ask`.
            question: As for `ask`.
            progress: Called with node and message as things happen, on this loop or on the runtime's threads.
            options: Further arguments of `ask`.
        """
        return await self._run(image, question, progress or (lambda node, message: None), **options)

    def stream(self, image: Any, question: str, **options: Any) -> Iterator[Event]:
        """Progress events as they happen, each `{"node", "message"}`, and at the end `{"answer": Answer}`.

        With `tokens=True` the text of a model's replies comes too, piece by piece, under the node `token`.
        """
        events: queue.Queue[Event | BaseException | None] = queue.Queue()

        async def work() -> None:
            try:
                answer = await self._run(
                    image, question, lambda node, message: events.put({"node": node, "message": message}), **options
                )
                events.put({"answer": answer})
            except BaseException as error:  # handed to the caller's thread, raised there
                events.put(error)
                if isinstance(error, asyncio.CancelledError):
                    raise
            finally:
                events.put(None)

        future = self.runtime.submit(work())
        try:
            while (event := events.get()) is not None:
                if isinstance(event, asyncio.CancelledError):
                    raise CancelledError
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            future.cancel()

    def map(
        self,
        studies: Studies,
        questions: Questions,
        *,
        ordered: bool = True,
        in_flight: int = IN_FLIGHT,
        timeout: float | None = None,
        retries: int = 1,
        finish: Callable[[Reading], Any] | None = None,
        keep: bool = False,
    ) -> AsyncIterator[Reading]:
        """Ask about many studies, several at a time, with no more of them in memory than `in_flight`.

            async for reading in agent.map(paths, ["Is the heart enlarged?"]):
                print(reading.subject.source, reading.answers)

        Args:
            studies: Whatever `ask` takes as image, or `Subject`s with priors and statements; an iterable or an
                asynchronous one, of any length.
            questions: Texts or `Asked`s; or a function from a `Reading` so far to its next question, for follow-ups.
            ordered: Give readings in the order of the studies; False: as they get done.
            in_flight: Studies at work, or done and not yet taken.
            timeout: Seconds for one question.
            retries: Further tries of a question after a timeout, a crash or a defect.
            finish: Called with each reading in a worker thread while its images are held, for pictures and exports;
                what it returns becomes `Reading.finished`. What it raises ends the map.
            keep: Hold the images after a study is done; memory then grows with the number of studies.

        Yields:
            One `Reading` per study. An error of a question is its outcome and never raised.

        Raises:
            UsageError: No question, two of one id, or `in_flight` below 1.
        """
        mapper = Mapper(self, questions, finish=finish, timeout=timeout, retries=retries, keep=keep)
        return map_studies(mapper, studies, ordered=ordered, in_flight=in_flight)

    def wants_film(self, question: str, choices: Sequence[str] | None = None) -> bool:
        """Whether a question is answered from a frontal film where a study has one.

        Raises:
            UsageError: It is no question.
        """
        check_question(question)
        graph = core_graph()
        return wants_film(parse(question, graph, choices).concepts, self.runtime.catalogue, graph)

    async def _run(
        self,
        image: Any,
        question: str,
        emit: Callable[[str, str], None],
        *,
        prior: Any = None,
        region: tuple[float, float, float, float] | None = None,
        series: int | None = None,
        slice: int | None = None,
        plane: str = "axial",
        masks: Mapping[str, Any] | None = None,
        choices: Sequence[str] | None = None,
        view: str | None = None,
        age: float | None = None,
        session: str | None = None,
        approve: Collection[str] = (),
        decide: Decide | None = None,
        tokens: bool = False,
    ) -> Answer:
        check_question(question)
        asked = Request(
            image=image,
            question=question,
            prior=prior,
            stated=Stated(view=view, age=age, region=region, series=series, slice=slice, plane=_plane(plane)),
            masks=masks,
            choices=choices,
            session=session,
            approve=frozenset(approve),
            decide=decide,
            tokens=tokens,
        )
        if session is None:
            return await begin(self, asked, emit)
        return await self._conversations.ask(self, asked, lambda one: begin(self, one, emit))

    def checkpoints(self) -> "Checkpoints | None":
        """The file of the states of running loops; None when nothing is kept.

        Raises:
            StoreError: It cannot be opened.
        """
        folder = self.settings.trace_dir
        if folder is None or not self.settings.checkpoints:
            return None
        with self._opening:
            if self._checkpoints is None:
                from secondread.agent.durable.checkpoints import Checkpoints

                self._checkpoints = Checkpoints(folder)
            return self._checkpoints

    def close(self) -> None:
        """Stop the worker threads and unload the models."""
        with self._opening:
            if self._checkpoints is not None:
                self._checkpoints.close()
                self._checkpoints = None
        if self._own_runtime:
            self.runtime.close()

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _plane(name: str) -> Plane:
    """A plane by its name.

    Raises:
        UsageError: Another word.
    """
    known: tuple[Plane, ...] = get_args(Plane)
    for plane in known:
        if name == plane:
            return plane
    raise UsageError("The plane is not known.", hint=f"Use one of {', '.join(known)}.")


def runtime_of(settings: Settings) -> Runtime:
    """The runtime that the settings describe.

    Raises:
        UsageError: The device is not there.
    """
    return Runtime(
        tools=installed_tools(settings),
        pixel_budget_mb=settings.pixel_budget_mb,
        model_budget_mb=settings.model_budget_mb,
        cache_dir=settings.cache_dir,
        cache_mb=settings.cache_mb,
        device=settings.device,
        threads=settings.threads,
        corpora=settings.corpora,
        graphs=settings.graphs,
    )


def check_question(question: object) -> None:
    """Refuse what is no question.

    Raises:
        UsageError: Not text, empty, or longer than `MAX_QUESTION` characters.
    """
    if not isinstance(question, str):
        raise UsageError(f"The question is a {type(question).__name__}, not text.")
    if not question.strip():
        raise UsageError("The question is empty.", hint="Ask for example 'Is the heart enlarged?'.")
    if len(question) > MAX_QUESTION:
        raise UsageError(
            f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} are taken.",
            hint="Ask one thing at a time.",
        )
