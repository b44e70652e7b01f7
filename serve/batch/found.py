"""Groups the files of a scan into cases, on disk, so that the memory needed does not depend on how many there are.

Files of one Study Instance UID and patient are a study; files without a UID are one by folder, patient and date. A
picture, volume or clip without a DICOM header is a case of its own, and so is a file that cannot be read. What tells
patients apart is kept for the time of the scan, as keyed digests.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from secondread.imaging.study import tags
from secondread.imaging.study.collect import collect
from secondread.imaging.study.patients import Patient, patient_of, priors
from secondread.serve.batch.case import Case, Place
from secondread.serve.batch.state import State
from secondread.serve.batch.walk import Listed

if TYPE_CHECKING:
    from secondread.imaging.study.header import Header

CHUNK = 512
"""Files looked into at once."""
NOT_IMAGES = frozenset({"SR", "PR", "KO", "DOC", "PLAN", "REG", "FID"})
"""Modalities of objects that lie beside images; they say nothing about what a study shows."""
_TABLES = """
CREATE TEMP TABLE found (
  seq INTEGER PRIMARY KEY, grp TEXT, study TEXT, patient TEXT, kind TEXT, path TEXT, member TEXT, shown TEXT,
  modality TEXT, body TEXT, images INTEGER, reason TEXT, moment TEXT, person TEXT, entry INTEGER, url TEXT);
CREATE INDEX temp.by_study ON found (study) WHERE study != '';
CREATE TEMP TABLE who (n INTEGER PRIMARY KEY, patient TEXT, person TEXT, moment TEXT, modalities TEXT);
"""


class Found:
    """The files of one scan.

    Args:
        state: Keeps them for the time of the scan.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._salt = bytes.fromhex(state.meta("salt", "") or "")
        self._seq = 0
        self.skipped = 0
        """Files that are no images."""
        self.files = 0
        """Files that are, readable or not."""
        with state.locked:
            for table in ("found", "who"):
                state.db.execute(f"DROP TABLE IF EXISTS temp.{table}")
            state.db.executescript(_TABLES)

    def add(self, listed: Iterable[Listed], entry: int | None = None) -> None:
        """Look into files.

        Args:
            listed: From `serve.batch.walk.listed`.
            entry: Line of the manifest that named them.
        """
        rest = iter(listed)
        while chunk := list(itertools.islice(rest, CHUNK)):
            at = {id(one.held): place for place, one in enumerate(chunk)}
            rows = {n: self._unread(one, one.fault, entry) for n, one in enumerate(chunk) if one.fault}
            found = collect(one.held for one in chunk if not one.fault)
            self.skipped += found.skipped
            for header in found.headers:
                rows[at[id(header.held)]] = self._dicom(chunk[at[id(header.held)]], header, entry)
            for plain in found.plain:
                rows[at[id(plain.held)]] = self._plain(chunk[at[id(plain.held)]], plain.kind, entry)
            for unread in found.unread:
                rows[at[id(unread.source)]] = self._unread(chunk[at[id(unread.source)]], unread.reason, entry)
            self._insert([rows[place] for place in sorted(rows)])

    def add_remote(self, url: str, studies: Iterable[dict[str, Any]]) -> None:
        """Studies of a DICOMweb service.

        Args:
            url: The service.
            studies: `study`, `patient`, `issuer`, `name`, `birth`, `sex`, `moment`, `modalities`, `images` of each.
        """
        rest = iter(studies)
        while chunk := list(itertools.islice(rest, CHUNK)):
            rows = []
            for one in chunk:
                words = re.split(r"[\\^=\s,]+", one["name"].upper())
                patient = Patient(
                    one["patient"].upper(),
                    one["issuer"].upper(),
                    frozenset(filter(None, words)),
                    one["birth"],
                    one["sex"],
                )
                rows.append(
                    ("w" + self._digest(url + one["study"]), "", *self._whose(patient), "dicomweb", one["study"], None,
                     one["study"], "\\".join(one["modalities"]), "", one["images"], "", one["moment"], None, url)
                )  # fmt: skip
            self._insert(rows)

    def cases(self, entries: list[Any]) -> Iterator[tuple[str, Case]]:
        """Identity and case of each group, in the order in which they were found; priors are not paired yet.

        Args:
            entries: Lines of the manifest, see `serve.batch.manifest_file`.
        """
        with self._state.locked:
            db = self._state.db
            db.execute(
                "UPDATE found SET patient = coalesce((SELECT f.patient FROM found f WHERE f.study = found.study AND "
                "f.patient != '' ORDER BY f.seq LIMIT 1), '') WHERE study != '' AND patient = ''"
            )
            db.execute("UPDATE found SET grp = 'u' || study || patient WHERE study != ''")
            db.execute("CREATE INDEX temp.by_group ON found (grp, seq)")
            db.execute("DROP TABLE IF EXISTS temp.grouped")
            db.execute("CREATE TEMP TABLE grouped AS SELECT min(seq) AS first, grp FROM found GROUP BY grp")
            db.execute("CREATE INDEX temp.by_first ON grouped (first)")
        last = -1
        while True:
            with self._state.locked:
                page = db.execute(
                    "SELECT first, grp FROM grouped WHERE first > ? ORDER BY first LIMIT 100", (last,)
                ).fetchall()
            if not page:
                return
            for first, group in page:
                last = first
                with self._state.locked:
                    rows = db.execute(
                        "SELECT kind, path, member, shown, modality, body, images, reason, moment, person, entry, url, "
                        "patient FROM found WHERE grp = ? ORDER BY seq", (group,),
                    ).fetchall()  # fmt: skip
                yield group, _case(rows, entries)

    def note_patients(self) -> None:
        """Remember whose study each case is, once cases have numbers."""
        with self._state.locked, self._state.db as db:
            db.execute("BEGIN")
            db.execute(
                "INSERT OR REPLACE INTO who SELECT c.n, max(f.patient), max(f.person), min(nullif(f.moment, '')), "
                "group_concat(DISTINCT f.modality) FROM found f JOIN cases c ON c.identity = f.grp "
                "WHERE f.patient != '' GROUP BY c.n"
            )
            db.execute("CREATE INDEX temp.by_patient ON who (patient)")

    def paired(self) -> Iterator[tuple[int, int]]:
        """Case and the case that is its prior: the latest earlier study of the patient with a modality in common."""
        with self._state.locked:
            several = self._state.db.execute(
                "SELECT patient FROM who GROUP BY patient HAVING count(*) > 1 ORDER BY min(n)"
            ).fetchall()
        for (patient,) in several:
            with self._state.locked:
                rows = self._state.db.execute(
                    "SELECT n, person, coalesce(moment, ''), modalities FROM who WHERE patient = ? ORDER BY n",
                    (patient,),
                ).fetchall()
            people = [_patient(patient, person) for _, person, _, _ in rows]
            kinds = [_modalities(text) for _, _, _, text in rows]
            for at, before in enumerate(priors(people, [moment for _, _, moment, _ in rows])):
                alike = [m for m in before if kinds[m] & kinds[at]]
                if alike:
                    yield rows[at][0], rows[alike[0]][0]

    def drop(self) -> None:
        """Forget the files and whose they are."""
        with self._state.locked:
            for table in ("found", "who", "grouped"):
                self._state.db.execute(f"DROP TABLE IF EXISTS temp.{table}")

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        self.files += len(rows)
        with self._state.locked, self._state.db as db:
            db.execute("BEGIN")
            for row in rows:
                self._seq += 1
                db.execute(f"INSERT INTO found VALUES ({','.join('?' * 16)})", _arranged(self._seq, row))

    def _dicom(self, one: Listed, header: "Header", entry: int | None) -> tuple[Any, ...]:
        patient = patient_of(header)
        digest, person = self._whose(patient)
        study = self._digest(header.study) if header.study else ""
        group = (
            "" if study else "d" + self._digest("|".join((one.held.folder, patient.id, header.text(tags.STUDY_DATE))))
        )
        modality = header.text(tags.MODALITY).upper()
        return (
            group, study, digest, person, "study", one.path, one.member, one.relative, modality,
            header.text(tags.BODY_PART).upper(), header.frames if header.rows else 0, "", header.moment, entry, "",
        )  # fmt: skip

    def _plain(self, one: Listed, kind: str, entry: int | None) -> tuple[Any, ...]:
        return (
            "p" + self._digest(one.relative), "", "", "", "plain:" + kind, one.path, one.member, one.relative, "", "",
            1, "", "", entry, "",
        )  # fmt: skip

    def _unread(self, one: Listed, reason: str, entry: int | None) -> tuple[Any, ...]:
        return (
            "x" + self._digest(one.relative), "", "", "", "unread", one.path, one.member, one.relative, "", "", 0,
            reason, "", entry, "",
        )  # fmt: skip

    def _whose(self, patient: Patient) -> tuple[str, str]:
        """Digest of a patient id that proves something, else empty; and the rest of what tells patients apart."""
        digest = self._digest(patient.id) if patient.known else ""
        rest = {
            "issuer": patient.issuer and self._digest(patient.issuer),
            "name": sorted(map(self._digest, patient.name)),
            "birth": patient.birth and self._digest(patient.birth),
            "sex": patient.sex,
        }
        return digest, json.dumps(rest) if digest else ""

    def _digest(self, text: str) -> str:
        return (
            hashlib.blake2b(text.encode("utf-8", "surrogateescape"), key=self._salt, digest_size=16).hexdigest().upper()
        )


def _arranged(seq: int, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values in the order of the table's columns."""
    group, study, patient, person, kind, path, member, shown, modality, body, images, reason, moment, entry, url = row
    return (
        seq, group, study, patient, kind, path, member, shown, modality, body, images, reason, moment, person, entry,
        url,
    )  # fmt: skip


def _patient(digest: str, person: str) -> Patient:
    rest = json.loads(person)
    return Patient(id=digest, issuer=rest["issuer"], name=frozenset(rest["name"]), birth=rest["birth"], sex=rest["sex"])


def _modalities(text: str | None) -> set[str]:
    words = re.split(r"[,\\]", text or "")
    return {word for word in words if word and word not in NOT_IMAGES}


def _case(rows: list[tuple[Any, ...]], entries: list[Any]) -> Case:
    kind, _, format_ = rows[0][0].partition(":")
    entry = next((entries[row[10]] for row in rows if row[10] is not None), None)
    case = Case(
        kind=kind,
        files=() if kind == "dicomweb" else tuple(Place(path=row[1], member=row[2]) for row in rows),
        shown=tuple(row[3] for row in rows) if kind != "dicomweb" else (),
        reason=rows[0][7],
        url=rows[0][11],
        study=rows[0][1] if kind == "dicomweb" else "",
        modalities=tuple(sorted(_modalities(",".join(row[4] for row in rows)))),
        body_parts=tuple(sorted({row[5] for row in rows if row[5]})),
        format="dicom" if kind in ("study", "dicomweb") else format_,
        images=sum(row[6] for row in rows),
    )
    return case if entry is None else case.model_copy(update=entry.changes())
