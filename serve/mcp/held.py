"""What the server keeps for its clients: images they may name again, and evidence whose pictures they may ask for.

Both are bounded. What leaves takes its pixels, masks and derived images out of the image store.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from secondread.schema.answer import Answer
from secondread.schema.errors import InputError, SecondReadError
from secondread.schema.evidence import Evidence
from secondread.schema.image import ImageInfo
from secondread.serve.mcp.images import Source

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.agent.sources import Handed, Stated

KEPT_IMAGES = 32
"""Images of all clients that may be named by id."""
KEPT_RUNS = 64
"""Answers and single tool results, of all clients, whose pictures and evidence can be asked for."""
KEPT_PER_CLIENT = 32


@dataclass
class Kept:
    """One answer, or the result of one tool, and whose it is."""

    client: str
    evidence: tuple[Evidence, ...]
    answer: Answer | None = None
    images: tuple[ImageInfo, ...] = ()

    def item(self, evidence: str) -> Evidence:
        """The evidence of this id.

        Raises:
            InputError: There is none.
        """
        for one in self.evidence:
            if one.id == evidence:
                return one
        raise InputError("This run has no such evidence.")


@dataclass
class _Image:
    info: ImageInfo
    clients: set[str] = field(default_factory=set)


class Held:
    """Images and results of a server's clients. Used on one event loop.

    Args:
        agent: Its store holds the pixels, its leases say who needs them.
    """

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent
        self._images: OrderedDict[str, _Image] = OrderedDict()
        self._runs: OrderedDict[str, Kept] = OrderedDict()

    async def enter(
        self,
        client: str,
        source: Source,
        stated: "Stated",
        *,
        films: bool,
        prior: Source | None = None,
    ) -> "Handed":
        """Enter images into the store; the caller holds them until it gives them back with `release`.

        Raises:
            InputError: Nothing in it can be read.
            UsageError: Too many images, several patients, or a statement that makes no sense here.
        """
        from secondread.agent.sources import hand_over

        store, leases = self._agent.runtime.store, self._agent.leases
        async with leases.entering():
            handed = await asyncio.to_thread(
                hand_over, store, source.given, prior.given if prior is not None else None, stated, films=films
            )
            leases.take(handed.infos)
        for info in handed.infos:
            self.own(client, info)
        return handed

    def release(self, infos: Sequence[ImageInfo]) -> None:
        """Give images back that `enter` handed out."""
        self._agent.leases.give_back(infos)

    def own(self, client: str, info: ImageInfo) -> None:
        """Let a client name an image by its id."""
        known = self._images.get(info.ref.id)
        if known is None:
            known = self._images[info.ref.id] = _Image(info)
            self._agent.leases.take((info,))
        known.clients.add(client)
        self._images.move_to_end(info.ref.id)
        while len(self._images) > KEPT_IMAGES:
            _, old = self._images.popitem(last=False)
            self._agent.leases.give_back((old.info,))

    def image(self, client: str, name: str) -> ImageInfo | None:
        """The image of this id, if this client may name it."""
        known = self._images.get(name)
        if known is None or client not in known.clients:
            return None
        self._images.move_to_end(name)
        return known.info

    def keep_answer(self, client: str, answer: Answer) -> None:
        """Keep an answer under its run id."""
        self._keep(answer.trace, Kept(client, answer.evidence, answer))

    def keep_call(self, client: str, evidence: Sequence[Evidence]) -> str:
        """Keep what one tool and its prerequisites gave; returns the id it is kept under."""
        from functools import partial

        from secondread.agent.painter import paint

        ledger = tuple(evidence)
        for item in ledger:
            item._painter = partial(paint, ledger=ledger, store=self._agent.runtime.store)
        name = f"call-{secrets.token_hex(8)}"
        self._keep(name, Kept(client, ledger))
        return name

    def _keep(self, name: str, kept: Kept) -> None:
        store = self._agent.runtime.store
        ids = dict.fromkeys(e.image for e in kept.evidence if e.image is not None)
        kept.images = self._agent.leases.take(store.info(i) for i in ids if i in store)
        for info in kept.images:
            self.own(kept.client, info)
        for item in kept.evidence:
            if item.result.kind == "image" and item.result.image in store:
                self.own(kept.client, store.info(item.result.image))
        self._runs[name] = kept
        own = [n for n, one in self._runs.items() if one.client == kept.client]
        for old in own[: max(0, len(own) - KEPT_PER_CLIENT)]:
            self._drop(old)
        while len(self._runs) > KEPT_RUNS:
            self._drop(next(iter(self._runs)))

    def _drop(self, name: str) -> None:
        self._agent.leases.give_back(self._runs.pop(name).images)

    def run(self, client: str, name: str) -> Kept:
        """What is kept under a run or call id.

        Raises:
            InputError: Nothing, or it is another client's.
        """
        found = self._runs.get(name)
        if found is None or found.client != client:
            raise InputError("This run is not among the latest ones.", hint="Ask again.")
        return found


async def picture(kept: Kept, evidence: str) -> bytes:
    """PNG of one piece of evidence.

    Raises:
        SecondReadError: There is no such evidence, it shows nothing on an image, or its pixels are gone.
    """
    from secondread.serve.mcp.wire import png

    item = kept.item(evidence)
    try:
        return await asyncio.to_thread(png, item)
    except SecondReadError:
        raise
    except OSError as error:
        raise InputError(f"The picture cannot be made: {type(error).__name__}.") from None
