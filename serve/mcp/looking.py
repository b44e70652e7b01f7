"""The tools that look: which images there are, pictures and evidence of results, cards of the tools."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context, Image
from mcp_types import CallToolResult, TextContent
from pydantic import Field

from secondread.schema.errors import SecondReadError
from secondread.schema.record import Record
from secondread.serve.mcp.asking import Desk
from secondread.serve.mcp.clients import client_of
from secondread.serve.mcp.expert import AnyShown, show
from secondread.serve.mcp.held import picture
from secondread.serve.mcp.listing import Kind
from secondread.serve.mcp.wire import PAGE, plain, refusal

Run = Annotated[str, Field(max_length=64, description="`trace` of an answer, or `run` of a tool result.")]
EvidenceId = Annotated[str, Field(max_length=16, description="Evidence id, e.g. E3.")]
CARDS = 20
"""Cards of one page."""


class ListedImage(Record):
    """Something that may be asked about."""

    image: str
    """Handle; says nothing about names and holds while the server lives."""
    kind: Kind
    """`study`: all DICOM files of a folder together."""
    format: str
    bytes: int
    files: int


class ListedImages(Record):
    """A page of what may be asked about."""

    images: tuple[ListedImage, ...]
    next: str | None
    """Cursor of the next page; None: this is the last."""
    total: int
    complete: bool
    """False: the folders hold more than is listed."""


class Cards(Record):
    """A page of cards."""

    cards: tuple[dict[str, Any], ...]
    next: int | None
    """First card of the next page; None: this is the last."""


class Looking:
    """`list_images`, `get_overlay`, `get_evidence` and `list_tools_cards`.

    Args:
        desk: Knows what the clients may see.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list_images(
        self,
        cursor: Annotated[str | None, Field(max_length=64, description="`next` of the page before.")] = None,
        limit: Annotated[int, Field(ge=1, le=500, description="Most entries.")] = 100,
    ) -> ListedImages:
        """Images, volumes, clips, archives and studies below the allowed folders, by handle; handles hold no names."""
        try:
            page = self._desk.images.page(cursor, limit)
        except SecondReadError as error:
            raise refusal(error) from None
        entries = tuple(
            ListedImage(image=handle, kind=one.kind, format=one.format, bytes=one.bytes, files=one.files)
            for handle, one in page.entries
        )
        return ListedImages(images=entries, next=page.next, total=page.total, complete=page.complete)

    async def get_overlay(self, ctx: Context, run: Run, evidence: EvidenceId) -> Image:
        """Picture of one piece of evidence of a recent result: masks, landmarks and numbers drawn on the image."""
        try:
            kept = (await self._desk.held()).run(client_of(ctx), run)
            return Image(data=await picture(kept, evidence), format="png")
        except SecondReadError as error:
            raise refusal(error) from None

    async def get_evidence(
        self,
        ctx: Context,
        run: Run,
        evidence: EvidenceId,
        first: Annotated[int, Field(ge=0, le=10_000_000, description="First entry of its long lists.")] = 0,
        count: Annotated[int, Field(ge=1, le=5000, description="Entries of each long list.")] = PAGE,
    ) -> Annotated[CallToolResult, AnyShown]:
        """One piece of evidence of a recent result in full, long lists in pages."""
        try:
            item = (await self._desk.held()).run(client_of(ctx), run).item(evidence)
        except SecondReadError as error:
            raise refusal(error) from None
        shown = show(run, item, first=first, count=count)
        return CallToolResult(content=[TextContent(text=shown.summary)], structured_content=plain(shown))

    async def list_tools_cards(
        self, first: Annotated[int, Field(ge=0, le=100_000, description="First card of the page.")] = 0
    ) -> Cards:
        """Cards of the expert tools: what each establishes, for which images it is valid, needs, limits, licence."""
        cards = (await self._desk.opened.get()).runtime.catalogue.cards()
        return Cards(
            cards=tuple(c.model_dump(mode="json", exclude={"calibration"}) for c in cards[first : first + CARDS]),
            next=first + CARDS if first + CARDS < len(cards) else None,
        )
