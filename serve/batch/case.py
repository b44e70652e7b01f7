"""One case of a batch: a study, a picture or a file that cannot be read; where it lies and how it is opened."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from secondread.schema.errors import UnreadableImage
from secondread.schema.record import Record

KEY_DIGITS = 6


class Place(Record):
    """One file: on disk, or a member of a zip archive."""

    path: str
    member: str | None = None


class Case(Record):
    """What is known of a case before it is opened. Lies in the private state file; rows name its `key` alone."""

    n: int = 0
    kind: Literal["study", "plain", "unread", "dicomweb"]
    files: tuple[Place, ...] = ()
    shown: tuple[str, ...] = ()
    """Each file as the crosswalk names it."""
    reason: str = ""
    """Of `unread`."""
    url: str = ""
    """Of `dicomweb`: the service."""
    study: str = ""
    """Of `dicomweb`: the Study Instance UID."""
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    format: str = ""
    """`dicom`, or the format of a picture, volume or clip."""
    images: int = 0
    prior: int | None = None
    """Number of the case that is the latest earlier study of the same patient."""
    prior_files: tuple[Place, ...] = ()
    """A prior named by the manifest."""
    view: str | None = None
    age: float | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    """Further columns of the manifest."""
    ask: tuple[str, ...] | None = None
    """Ids of the questions that the manifest wants asked; None: all."""
    own: tuple[str, ...] = ()
    """Questions of the manifest for this case alone."""

    @property
    def key(self) -> str:
        """Opaque name of the case in every output."""
        return f"case-{self.n:0{KEY_DIGITS}d}"

    def fact(self, name: str) -> tuple[str, ...]:
        """Values that `--where` compares; empty when nothing is known."""
        if name in ("modality", "body_part"):
            return self.modalities if name == "modality" else self.body_parts
        if name == "prior":
            return ("yes" if self.prior is not None or self.prior_files else "no",)
        if name in ("format", "images", "kind"):
            return (str(getattr(self, name)),)
        if name == "path":
            return self.shown
        value = self.fields.get(name)
        return () if value is None else (value,)


def opener(case: Case, fetch: Callable[[str, str], Path]) -> Callable[[], Any]:
    """A function that opens a case as something `Agent.map` takes.

    Args:
        case: What to open.
        fetch: Brings a study of a DICOMweb service (URL, Study Instance UID) to a folder.
    """

    def open_it() -> Any:
        if case.kind == "unread":
            raise UnreadableImage(case.reason)
        if case.kind == "dicomweb":
            from secondread.imaging.study.scan import open_studies

            return open_studies(fetch(case.url, case.study))
        return open_files(case.files, case.kind == "plain")

    return open_it


def open_files(files: tuple[Place, ...], plain: bool) -> Any:
    """Files as studies; a single picture, volume or clip on disk as its path.

    Raises:
        UnreadableImage: A file or archive has gone or is damaged.
    """
    if plain and len(files) == 1 and files[0].member is None:
        return files[0].path
    from secondread.imaging.study.held import Held
    from secondread.imaging.study.scan import studies_in

    archives: dict[str, Any] = {}
    held: list[Held] = []
    for place in files:
        name = os.path.basename(place.path)
        if place.member is None:
            held.append(Held(name, os.path.dirname(place.path), place.path))
            continue
        if place.path not in archives:
            from secondread.imaging.study.archive import Archive

            archive = Archive(place.path, name)
            archives[place.path] = archive, {info.filename: info for info in archive.members}
        archive, members = archives[place.path]
        if place.member not in members:
            raise UnreadableImage(f"{name} has changed: a member is missing.")
        folder = f"{name}!{os.path.dirname(place.member)}"
        held.append(Held(f"{name}/{place.member}", folder, None, archive, members[place.member]))
    return studies_in(held)
