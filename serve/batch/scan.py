"""From what was given to the cases of a batch, in the state file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from secondread.schema.errors import UsageError
from secondread.schema.record import Record
from secondread.serve.batch.case import Case
from secondread.serve.batch.found import Found
from secondread.serve.batch.manifest_file import Entry, is_manifest, read_manifest
from secondread.serve.batch.state import State
from secondread.serve.batch.walk import listed


class Scanned(Record):
    """What a scan found."""

    scan: int
    """Number of the scan."""
    cases: int
    files: int
    """Image files, readable or not."""
    skipped: int
    """Files that are no images."""
    unread: int
    """Cases that are one file that cannot be read."""
    paired: int
    """Studies with a prior."""


@dataclass(frozen=True)
class Given:
    """What a batch is about: paths, a manifest, or URLs of DICOMweb services."""

    sources: tuple[str, ...]
    leave_out: Path | None = None
    """Passed over in folders."""

    @property
    def remote(self) -> tuple[str, ...]:
        """The URLs."""
        return tuple(s for s in self.sources if s.lower().startswith(("http://", "https://")))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths."""
        return tuple(Path(s) for s in self.sources if s not in self.remote)


def scan(
    given: Given, state: State, questions: Sequence[str], *, progress: Callable[[str], None] = lambda text: None
) -> Scanned:
    """Find the cases and enter them into the state; cases of earlier scans keep their numbers.

    Args:
        given: What to look through. Nothing of it is written.
        state: Gets the cases.
        questions: Ids of the questions, for how many rows each case is to have.
        progress: Told now and then.

    Raises:
        UsageError: A source does not exist, or nothing in it is an image.
        UnreadableImage: A DICOMweb service does not answer.
    """
    number = int(state.meta("scan", "0") or 0) + 1
    found = Found(state)
    entries: list[Entry] = []
    for path in given.paths:
        if is_manifest(path):
            if len(given.sources) > 1:
                raise UsageError("A manifest is given by itself.", hint="Write all studies into it.")
            entries = read_manifest(path, frozenset(questions))
            for index, entry in enumerate(entries):
                found.add(listed(entry.path, given.leave_out, f"{index + 1}:"), index)
        else:
            prefix = f"{path.name}/" if len(given.sources) > 1 and path.is_dir() else ""
            found.add(listed(path, given.leave_out, prefix))
        progress(f"{found.files} image files found")
    for url in given.remote:
        from secondread.serve.batch.dicomweb import studies_at

        found.add_remote(url.rstrip("/"), studies_at(url))
    state.enter(((identity, case, expected(case, questions)) for identity, case in found.cases(entries)), number)
    found.note_patients()
    pairs = _pair(found, state)
    found.drop()
    state.set_meta("scan", str(number))
    total, _ = state.total(number)
    if not total:
        raise UsageError(
            f"{', '.join(given.sources)} has no images.",
            hint="DICOM, PNG, JPEG, TIFF, NIfTI, NRRD, MetaImage and video are read, in folders and zip archives.",
        )
    with state.locked:
        unread = state.db.execute(
            "SELECT count(*) FROM cases WHERE scan = ? AND substr(identity, 1, 1) = 'x'", (number,)
        ).fetchone()[0]
    return Scanned(scan=number, cases=total, files=found.files, skipped=found.skipped, unread=int(unread), paired=pairs)


def expected(case: Case, questions: Sequence[str]) -> int:
    """Rows that a case is to have."""
    return len([q for q in questions if case.ask is None or q in case.ask]) + len(case.own)


def _pair(found: Found, state: State) -> int:
    """Give each study its prior."""
    count = 0
    for n, prior in found.paired():
        case = state.case(n)
        if case.prior_files:
            continue  # the manifest knows better
        count += 1
        changed = case.model_copy(update={"prior": prior})
        with state.locked:
            state.db.execute(
                "UPDATE cases SET spec = ? WHERE n = ?", (changed.model_dump_json(exclude_defaults=True), n)
            )
    return count
