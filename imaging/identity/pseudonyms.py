"""Stand-ins for identifiers that are the same wherever the same identifier stands, and lead back to nothing.

Each is a keyed hash (HMAC-SHA-256). Without the key nobody can tell which original a stand-in belongs to; with the key
kept, a later run gives the same stand-ins, so that a new study joins the old ones.
"""

import datetime
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

DICOM_ROOT = "1.2.840.10008."
"""Identifiers the standard defines name no object of a patient."""

DUMMY_DATE = "19000101"
MOST_DAYS = 3650
"""Dates move back by 1 to this many days."""


@dataclass(frozen=True)
class Pseudonyms:
    """Stand-ins under one key."""

    key: bytes

    @staticmethod
    def fresh() -> "Pseudonyms":
        """Under a new random key that nobody keeps."""
        return Pseudonyms(secrets.token_bytes(32))

    def _digest(self, kind: str, value: str) -> bytes:
        return hmac.new(self.key, f"{kind}|{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()

    def uid(self, value: str) -> str:
        """A UID in its place; one that the standard defines stays. Source: DICOM PS3.5 B.2 (UUID-derived, 2.25)."""
        if not value or value.startswith(DICOM_ROOT):
            return value
        number = int.from_bytes(self._digest("uid", value)[:16], "big")
        return f"2.25.{number}"

    def name(self, kind: str, value: str) -> str:
        """Twelve hexadecimal digits for a patient, study, series or object."""
        return self._digest(kind, value).hex()[:12]

    def days(self, patient: str) -> int:
        """By how many days the dates of a patient move; negative."""
        return -(1 + int.from_bytes(self._digest("days", patient)[:8], "big") % MOST_DAYS)

    def shifted(self, value: str, patient: str) -> str:
        """A DA or DT value moved by the patient's days; a value that is no date becomes a dummy.

        Args:
            value: `YYYYMMDD`, or that with a time and an offset behind it.
            patient: Whose dates move together.
        """
        match = re.fullmatch(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})([\d.]*(?:[+-]\d{4})?)", value.strip())
        if match is None:
            return DUMMY_DATE
        try:
            day = datetime.date(int(match[1]), int(match[2]), int(match[3]))
            moved = day + datetime.timedelta(days=self.days(patient))
        except (ValueError, OverflowError):
            return DUMMY_DATE
        return f"{moved:%Y%m%d}".rjust(8, "0") + match[4]
