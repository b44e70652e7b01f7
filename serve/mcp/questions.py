"""The tools that ask: at once with progress, or started, looked after and cancelled."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, TextContent
from pydantic import Field

from secondread.schema.answer import Answer
from secondread.schema.errors import SecondReadError
from secondread.serve.export import pictured
from secondread.serve.mcp.asking import Asked, Desk
from secondread.serve.mcp.clients import client_of
from secondread.serve.mcp.expert import links
from secondread.serve.mcp.jobs import MAX_WAIT, Jobs, JobStands, JobState
from secondread.serve.mcp.wire import lean, plain, refusal

JobId = Annotated[str, Field(max_length=64, description="`job` of ask_start.")]


class Questions:
    """`ask`, `ask_start`, `ask_poll` and `ask_cancel`.

    Args:
        desk: Answers.
        jobs: Holds what was started.
    """

    def __init__(self, desk: Desk, jobs: Jobs) -> None:
        self._desk, self._jobs = desk, jobs
        self.ask = _with_arguments(self._ask, Annotated[CallToolResult, Answer])
        self.ask_start = _with_arguments(self._ask_start, Annotated[CallToolResult, JobStands])

    async def _ask(self, ctx: Any, asked: Asked) -> CallToolResult:
        """Answer a question about a medical image with cited evidence, or abstain and say why. Tells its progress."""
        steps: asyncio.Queue[str] = asyncio.Queue()

        async def tell() -> None:
            count = 0
            while True:
                line = await steps.get()
                count += 1
                await ctx.report_progress(count, None, line)

        telling = asyncio.create_task(tell())
        try:
            answer = await self._desk.answer(client_of(ctx), asked, steps.put_nowait)
            while not steps.empty() and not telling.done():
                await asyncio.sleep(0)
        finally:
            telling.cancel()
        return answered(answer)

    async def _ask_start(self, ctx: Any, asked: Asked) -> CallToolResult:
        """Start to answer a question and return at once; ask_poll tells how it stands."""
        client = client_of(ctx)
        try:
            return stands(self._jobs.start(client, lambda step: self._desk.answer(client, asked, step)), answer=False)
        except SecondReadError as error:
            raise refusal(error) from None

    async def ask_poll(
        self,
        ctx: Context,
        job: JobId,
        since: Annotated[int, Field(ge=0, description="`step` of the last poll; only later steps are told.")] = 0,
        wait: Annotated[float, Field(ge=0, le=MAX_WAIT, description="Seconds to wait for news.")] = 10.0,
    ) -> Annotated[CallToolResult, JobState]:
        """How a started question stands; its answer once it is done."""
        try:
            state = await self._jobs.poll(client_of(ctx), job, since, wait)
        except SecondReadError as error:
            raise refusal(error) from None
        return stands(state)

    async def ask_cancel(self, ctx: Context, job: JobId) -> Annotated[CallToolResult, JobStands]:
        """Stop a started question. Where traces are kept, `secondread resume` can take it up again."""
        try:
            return stands(await self._jobs.cancel(client_of(ctx), job), answer=False)
        except SecondReadError as error:
            raise refusal(error) from None


def answered(answer: Answer) -> CallToolResult:
    """An answer as a result: its text, links to pictures, and all of it as structured content."""
    return CallToolResult(
        content=[TextContent(text=f"{answer.text}\n{answer.notice}"), *links(answer.trace, pictured(answer))[:24]],
        structured_content=plain(lean(answer)),
    )


def stands(state: JobState, *, answer: bool = True) -> CallToolResult:
    """How a job stands as a result; with its answer, the answer's text and links, once there is one."""
    if state.answer is None or not answer:
        told = plain(state) if answer else state.model_dump(mode="json", exclude={"answer"})
        return CallToolResult(content=[TextContent(text=_line(state))], structured_content=told)
    small = state.model_copy(update={"answer": lean(state.answer)})
    return CallToolResult(content=answered(state.answer).content, structured_content=plain(small))


def _line(state: JobState) -> str:
    last = f": {state.steps[-1]}" if state.steps else ""
    return f"{state.job} {state.state} after {state.seconds:.1f} s{f': {state.error}' if state.error else last}"


def _with_arguments(method: Callable[[Any, Asked], Any], result: Any) -> Callable[..., Any]:
    """A function whose arguments are the fields of `Asked` and the context, as the SDK reads them."""
    parameters = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=Context)]
    for name, field in Asked.model_fields.items():
        kind: Any = field.annotation
        annotation = Annotated[kind, *field.metadata, Field(description=field.description)]
        default = inspect.Parameter.empty if field.is_required() else field.default
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )

    async def asked(*, ctx: Any, **given: Any) -> Any:
        return await method(ctx, Asked.model_validate(given))

    asked.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]  # functions take it
    asked.__annotations__ = {"ctx": Context}
    asked.__name__ = method.__name__.lstrip("_")
    asked.__doc__ = method.__doc__
    return asked
