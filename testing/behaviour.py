"""Checks of behaviour: repeated, in batches, from threads, on other devices; bounded, and without traces."""

import hashlib
import threading
import time
from typing import Any

from secondread.schema.errors import SecondReadError
from secondread.testing.compare import difference
from secondread.testing.report import Fault, Skip
from secondread.testing.subject import Case, Subject
from secondread.tools.runtime.check import RESULT_BYTES
from secondread.tools.runtime.devices import Devices
from secondread.tools.runtime.runtime import Runtime

THREADS = 4
COST_FACTOR, COST_SLACK = 25.0, 1.0
"""A card's cost is a hint on two cores: a call may take that many times as long, and a second more."""


def _one(subject: Subject) -> tuple[Case, Any]:
    if not subject.answers:
        raise Skip("no image gave a result")
    return subject.answers[0]


def _same(subject: Subject, one: Any, other: Any, what: str) -> None:
    told = difference(one, other, subject.tool.card, subject.runtime.store)
    if told:
        raise Fault(f"{what}: {told}")


def repeats(subject: Subject) -> None:
    """Does the same request give the same result again?"""
    _one(subject)
    for case, found in subject.answers:
        [again] = subject.call(case)
        _same(subject, found, again, "a second call differs")


def batch(subject: Subject) -> None:
    """Does a batch give what single calls give, also with a request in it that fails?"""
    _one(subject)
    cases = [case for case, _ in subject.answers]
    alone = [found for _, found in subject.answers]
    if len(cases) == 1:
        cases, alone = cases * 2, alone * 2
    if subject.tool.card.image != "none":
        bad = Case("img-none", cases[0].request.model_copy(update={"image": "img-0000000000000000"}), cases[0].ledger)
        cases.insert(1, bad)
        alone.insert(1, SecondReadError(""))
    together = subject.call(*cases)
    for number, (single, joint) in enumerate(zip(alone, together, strict=True), 1):
        if isinstance(single, SecondReadError):
            if not isinstance(joint, SecondReadError):
                raise Fault("in a batch, a request for an unknown image gave a result")
            continue
        _same(subject, single, joint, f"request {number} of a batch differs from the same request alone")


def threads(subject: Subject) -> None:
    """Does it give the same result when several threads call it at once?"""
    case, found = _one(subject)
    ready = threading.Barrier(THREADS, timeout=60)
    got: list[Any] = [None] * THREADS

    def work(number: int) -> None:
        try:
            ready.wait()
            got[number] = subject.call(case)[0]
        except BaseException as error:
            got[number] = error

    running = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for one in got:
        if isinstance(one, BaseException) and not isinstance(one, SecondReadError):
            raise Fault(f"from {THREADS} threads at once: {one}"[:300])
        _same(subject, found, one, f"from {THREADS} threads at once")


def devices(subject: Subject) -> None:
    """Does every device of its card that is here give the same result as the processor?"""
    case, found = _one(subject)
    kinds = [kind for kind in subject.tool.card.devices if kind != "cpu"]
    if not kinds:
        raise Skip("its card names the processor only")
    here = [kind for kind in kinds if kind in Devices("auto")._present()]
    if not here:
        raise Skip(f"there is no {' or '.join(kinds)} device here")
    for kind in here:
        other = Runtime(tools=subject.runtime.catalogue, store=subject.runtime.store, device=kind, cache_entries=0)
        try:
            moved = Subject(subject.tool, other, subject.images, subject.args, subject.defaults)
            [again] = moved.call(case)
        finally:
            other.close()
        _same(subject, found, again, f"on {kind}")


def inputs_untouched(subject: Subject) -> None:
    """Are the pixels after a call those before it?"""
    case, _ = _one(subject)
    if case.image is None:
        raise Skip("it takes no image")
    before = _digest(subject, case.image)
    subject.call(case)
    if _digest(subject, case.image) != before:
        raise Fault("it changed the pixels of the image")


def _digest(subject: Subject, image: str) -> str:
    store = subject.runtime.store
    array = store.volume(image).stored if store.info(image).dimension == 3 else store.pixels(image)
    return hashlib.sha256(array.tobytes()).hexdigest()


def bounds(subject: Subject) -> None:
    """Is a call about as quick as its card says, and its result small?"""
    case, found = _one(subject)
    card = subject.tool.card
    size = len(found.model_dump_json())
    if size > RESULT_BYTES:
        raise Fault(f"a result has {size / 1e6:.0f} MB, at most {RESULT_BYTES / 1e6:.0f} MB are taken")
    started = time.perf_counter()
    subject.call(case)
    seconds = time.perf_counter() - started
    if seconds > card.timeout_seconds:
        raise Fault(f"a call took {seconds:.1f} s, its card allows {card.timeout_seconds:g} s")
    if seconds > COST_FACTOR * card.cost_seconds + COST_SLACK:
        raise Fault(f"a call took {seconds:.2f} s, its card says about {card.cost_seconds:g} s")
