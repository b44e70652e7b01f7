"""Checks of failure: what cannot be read is refused with a reason, damaged weights are noticed, nobody is named."""

import getpass
import shutil
import tempfile
from pathlib import Path
from typing import Any

from secondread.schema.errors import SecondReadError, ToolUnavailable
from secondread.schema.evidence import ToolFailure
from secondread.testing.images import NAME, PATIENT_ID, body, dicom_of_a_person, ellipses
from secondread.testing.images import odd_images as odd
from secondread.testing.report import Fault, Skip
from secondread.testing.subject import Case, Subject
from secondread.tools.runtime.calls import PlannedCall
from secondread.tools.runtime.check import checked
from secondread.tools.runtime.validity import wrong_dimension as does_not_fit


def unknown_image(subject: Subject) -> None:
    """Is an image that does not exist refused by an entry of the batch?"""
    if subject.tool.card.image == "none":
        raise Skip("it takes no image")
    if not subject.answers:
        raise Skip("no image gave a result")
    known = subject.answers[0][0]
    bad = Case("img-none", known.request.model_copy(update={"image": "img-0000000000000000"}), known.ledger)
    [found] = subject.call(bad)
    if not isinstance(found, SecondReadError):
        raise Fault("an unknown image gave a result")


def wrong_dimension(subject: Subject) -> None:
    """Is a volume refused where pictures are read, and the other way round?"""
    dimension = subject.tool.card.dimension
    if subject.tool.card.image == "none" or dimension is None:
        raise Skip("it takes no image" if subject.tool.card.image == "none" else "it takes pictures and volumes")
    store = subject.runtime.store
    other = store.add_volume(body()) if dimension == 2 else store.add(ellipses())
    call = PlannedCall(id="E1", key="k", tool=subject.name, args={**subject.args[0], "image": other.ref.id}, needs={})
    evidence, _ = subject.runtime.submit(subject.runtime.execute(call, {})).result()
    if not isinstance(evidence.result, ToolFailure) or evidence.result.code != "not_applicable":
        raise Fault("an image of the wrong dimension was not refused")


def odd_images(subject: Subject) -> None:
    """Does every image that it was not made for end as a usable result or as a refusal with a reason?"""
    if subject.tool.card.image == "none":
        raise Skip("it takes no image")
    if subject.broken is not None:
        raise Skip("it fails on the images it is made for")
    store = subject.runtime.store
    for what, make in odd().items():
        image = make(store)
        if does_not_fit(subject.tool.card, store.info(image)):
            continue
        for args in subject.args:
            try:
                case = subject.case(image, args)
            except SecondReadError:
                continue  # what it needs refuses the image already
            try:
                [found] = subject.call(case)
                checked(subject.tool, found, store, image)
            except (Fault, SecondReadError) as error:
                raise Fault(f"{what}: {error}") from None
            if isinstance(found, SecondReadError):
                _one_line(found, what)
            else:
                subject.tool.summarise(found)


def _one_line(error: SecondReadError, what: str) -> None:
    if not error.message.strip() or "\n" in error.message:
        raise Fault(f"{what}: the reason of its refusal is not one line")


def weights(subject: Subject) -> None:
    """Are untrained, missing and damaged weights refused?"""
    card, tool = subject.tool.card, subject.tool
    if card.weights is None:
        raise Skip("it has no weights")
    lacking = [name for name in card.weights.files if not (tool.weights_folder / name).is_file()]
    if lacking:
        raise Fault(f"its weights_folder lacks {', '.join(lacking)}")
    fresh = type(tool)
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name)
        _refuses(_at(fresh, tool, empty), "missing weights")
        for damaged in card.weights.files:
            folder = Path(name, f"damaged-{damaged}")
            folder.mkdir()
            for other in tool.weights_folder.glob("*"):
                # Manifests beside the weights are read too; large files of other tools are not needed.
                if other.is_file() and (other.name in card.weights.files or other.suffix in (".json", ".yaml", ".txt")):
                    shutil.copy(other, folder / other.name)
            data = bytearray((folder / damaged).read_bytes())
            data[-max(1, len(data) // 7)] ^= 0x40
            (folder / damaged).write_bytes(bytes(data))
            _refuses(_at(fresh, tool, folder), f"damage in {damaged}")
    original = fresh.card
    try:
        untrained = card.weights.model_copy(update={"status": "untrained"})
        fresh.card = card.model_copy(update={"weights": untrained})
        call = PlannedCall(id="E1", key="k", tool=subject.name, args=dict(subject.args[0]), needs={})
        evidence, _ = subject.runtime.submit(subject.runtime.execute(call, {})).result()
    finally:
        fresh.card = original
    if not isinstance(evidence.result, ToolFailure) or evidence.result.code != "tool_unavailable":
        raise Fault("untrained weights were not refused")


def _at(cls: Any, tool: Any, folder: Path) -> Any:
    """Another instance of the tool that looks for its weights in a folder."""
    made = cls.__new__(cls)
    made.__dict__.update(tool.__dict__)
    made.weights_folder = folder
    return made


def _refuses(tool: Any, what: str) -> None:
    try:
        tool.load()
    except ToolUnavailable as error:
        if "\n" in error.message:
            raise Fault(f"{what}: the reason is not one line") from None
        return
    except Exception as error:
        raise Fault(f"{what}: load raised {type(error).__name__} in place of ToolUnavailable") from None
    raise Fault(f"{what}: load did not notice (it has to read from self.weights_folder and compare checksums)")


def no_identifiers(subject: Subject) -> None:
    """Does nothing it returns name the person in the header, the user, or a folder of this machine?"""
    said: list[str] = []
    for _, found in subject.answers:
        said += [found.model_dump_json(), subject.tool.summarise(found)]
    said += [f"{error.message} {error.hint}" for error in subject.errors]
    if subject.broken is None and subject.tool.card.image != "none" and subject.tool.card.dimension in (2, None):
        said += _of_a_person(subject)
    home = str(Path.home())
    secrets = [*NAME.split("^"), PATIENT_ID, "ACC-99-KIT", "Kit Hospital", "19471104", tempfile.gettempdir() + "/"]
    secrets += [home] if len(home) > 5 else []
    secrets += [getpass.getuser()] if getpass.getuser() not in ("root", "user", "runner") else []
    for secret in secrets:
        if any(secret.casefold() in text.casefold() for text in said):
            raise Fault(f"{secret!r} stands in what it returns")


def _of_a_person(subject: Subject) -> list[str]:
    """What it says of an image whose header names somebody."""
    store = subject.runtime.store
    shown = next(
        (store.pixels(c.image) for c, _ in subject.answers if c.image and store.info(c.image).dimension == 2),
        ellipses(),
    )
    image = store.add(dicom_of_a_person(shown)).ref.id
    try:
        case = subject.case(image, subject.args[0])
    except SecondReadError as error:
        return [f"{error.message} {error.hint}"]
    [found] = subject.call(case)
    if isinstance(found, SecondReadError):
        return [f"{found.message} {found.hint}"]
    return [found.model_dump_json(), subject.tool.summarise(found)]
