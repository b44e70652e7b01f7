"""How much of the basic profile each de-identification tool carries out, on the same files.

    pip install dicognito==0.19.0 deid==0.4.13 dicom-anonymizer==2.1.0
    python -m secondread.evals.deidentify_compare FOLDER

Counted per tool: files it fails on; files that keep an identifying value of at least three characters anywhere in their
bytes; elements of the profile (at any depth) that keep their value; files that keep private elements; files whose pixel
bytes change. A value that an element outside the profile also holds is not counted, nor are UIDs of the standard.
"""

import argparse
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from secondread.imaging.identity.clean import KEPT
from secondread.imaging.identity.profile import identifies
from secondread.imaging.identity.pseudonyms import DICOM_ROOT, DUMMY_DATE
from secondread.imaging.quiet import quiet

DUMMIES = {
    "REMOVED",
    "Removed",
    "000000",
    DUMMY_DATE,
    f"{DUMMY_DATE}000000",
    "Anonymous^",
    "Anonymous",
    "000Y",
    "0",
    "NONE",
    "",
}
_BINARY = frozenset(("SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN"))


@dataclass
class Tally:
    """Counts of one tool."""

    files: int = 0
    failed: list[str] = field(default_factory=list)
    leaking: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    """Keyword of the profile -> files that keep a value of it."""
    private: int = 0
    pixels: int = 0


def elements(ds: Any) -> Iterator[Any]:
    """Every element below a data set that is no sequence and no pixels; those that cannot be parsed are left out."""
    for tag in list(ds.keys()):
        if int(tag) >> 16 == 0x7FE0:
            continue
        try:
            element = ds[tag]
        except Exception:  # a malformed element: nothing to compare
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)
        else:
            yield element


def texts(element: Any) -> list[str]:
    """The values of an element as stripped text; none for binary ones."""
    if element.VR in _BINARY or element.is_empty:
        return []
    many = element.value if element.VM > 1 and not isinstance(element.value, str) else [element.value]
    return [str(value).strip() for value in many]


def identifying(ds: Any) -> dict[str, str]:
    """Value -> keyword of every identifying text of at least three characters."""
    found: dict[str, str] = {}
    other: set[str] = set()
    for element in elements(ds):
        tag = int(element.tag)
        for value in texts(element):
            if (tag >> 16) & 1 == 0 and identifies(tag) and element.keyword not in KEPT:
                if len(value) >= 3 and not value.startswith(DICOM_ROOT) and value not in DUMMIES:
                    found[value] = element.keyword
            elif not (tag >> 16) & 1:
                other.add(value)
    whole = "\n".join(other)
    return {value: keyword for value, keyword in found.items() if value not in whole}


def occurrences(values: dict[str, str], data: bytes, ds: Any) -> list[str]:
    """Keywords of the values that occur in a file; short ones are looked for outside the pixels."""
    pixels = b"" if "PixelData" not in ds else bytes(ds.PixelData or b"")
    start = data.rfind(pixels[:64]) if len(pixels) >= 64 else -1
    outside = data if start < 0 else data[:start] + data[start + len(pixels) :]
    return [keyword for value, keyword in values.items() if _stands(value, outside if len(value) < 6 else data)]


def _stands(value: str, data: bytes) -> bool:
    """Whether a value occurs; one of digits and points only where no digit or point goes on, as in a longer UID."""
    plain = value.encode("utf-8", "replace")
    if not re.fullmatch(r"[\d.]+", value):
        return plain in data
    return re.search(rb"(?<![\d.])" + re.escape(plain) + rb"(?![\d.])", data) is not None


def judge(before: bytes, after: bytes, name: str, tally: Tally) -> None:
    """Compare one file with its cleaned copy."""
    import pydicom

    old, new = (pydicom.dcmread(io.BytesIO(data), force=True) for data in (before, after))
    left = occurrences(identifying(old), after, new)
    if left:
        tally.leaking.append(name)
    held = {(e.keyword, value) for e in elements(new) for value in texts(e)}
    keywords = {
        e.keyword
        for e in elements(old)
        if identifies(int(e.tag)) and not (int(e.tag) >> 16) & 1 and e.keyword not in KEPT
        for value in texts(e)
        if value not in DUMMIES and not value.startswith(DICOM_ROOT) and (e.keyword, value) in held
    }
    for keyword in keywords:
        tally.kept[keyword] = tally.kept.get(keyword, 0) + 1
    tally.private += any((int(e.tag) >> 16) & 1 for e in elements(new))
    tally.pixels += bytes(old.get("PixelData") or b"") != bytes(new.get("PixelData") or b"")


def own(data: bytes) -> bytes:
    """This project's cleaner."""
    from secondread.imaging.identity.deidentify import deidentify

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.dcm")
        source.write_bytes(data)
        report = deidentify(source, Path(folder, "out"))
        if not report.written:
            raise ValueError((report.failed or report.skipped)[0].reason)
        return report.written[0].read_bytes()


def by_dataset(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    """A cleaner of bytes from one that changes a data set."""

    def run(data: bytes) -> bytes:
        import pydicom

        ds = pydicom.dcmread(io.BytesIO(data), force=True)
        result = change(ds)
        out = io.BytesIO()
        (result if result is not None else ds).save_as(out)
        return out.getvalue()

    return run


def tools() -> dict[str, Callable[[bytes], bytes]]:
    """Cleaners that are installed."""
    found: dict[str, Callable[[bytes], bytes]] = {"secondread": own}
    if (module := _installed("dicognito.anonymizer")) is not None:
        found["dicognito"] = by_dataset(module.Anonymizer().anonymize)
    if (module := _installed("dicomanonymizer.simpledicomanonymizer")) is not None:
        found["dicom-anonymizer"] = by_dataset(partial(module.anonymize_dataset, delete_private_tags=True))
    if (module := _installed("deid.dicom")) is not None:
        found["deid"] = partial(_by_deid, module.replace_identifiers)
    return found


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _by_deid(replace: Callable[..., Any], data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.dcm")
        source.write_bytes(data)
        (result,) = replace(dicom_files=[str(source)], save=False, force=True)
        out = io.BytesIO()
        result.save_as(out)
        return out.getvalue()


def main(argv: list[str] | None = None) -> int:
    """Print one block per tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    files = [
        path
        for path in sorted(args.folder.rglob("*"))
        if path.is_file() and path.suffix not in (".md", ".csv", ".json", ".txt")
    ]
    for name, cleaner in tools().items():
        tally = Tally()
        for path in files:
            data = path.read_bytes()
            tally.files += 1
            try:
                with quiet():
                    judge(data, cleaner(data), path.name, tally)
            except (Exception, SystemExit) as error:  # what another tool raises is its own
                tally.failed.append(f"{path.name} ({type(error).__name__})")
        rows = sum(tally.kept.values())
        print(f"{name}: {tally.files} files, {len(tally.failed)} failed, {len(tally.leaking)} keep a value, "
              f"{rows} profile elements kept ({len(tally.kept)} keywords), private elements left in {tally.private}, "
              f"pixels changed in {tally.pixels}")  # fmt: skip
        print("   failed:", ", ".join(tally.failed) or "none")
        print(
            "   most kept:",
            ", ".join(f"{k} {n}" for k, n in sorted(tally.kept.items(), key=lambda kv: -kv[1])[:12]) or "none",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
