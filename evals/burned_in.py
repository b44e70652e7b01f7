"""How well text in pixels is found, on written text and on real films.

    python -m secondread.evals.burned_in DATA [--films N] [--per-cell N]

DATA is the folder of the research data. Two parts:

1. Text written over text-free pictures (chest films, CT slices, ultrasound), by font, size, contrast and polarity. A
   line counts as found when at least 80 % of its inked pixels lie in boxes that `painted_over` would fill; the same
   pictures without text give the false alarms.
2. Real films: 40 NIH films, every 22nd in order of their names, of which a person wrote down which carry a word of
   three or more letters written by a computer; and films of the Wingspan set, which carry at most a side letter.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.identity.burned_in import find_text, painted_over

WORDS = ("DOE JANE 12.04.1961", "ID 4711-0815", "Mueller, Anna-Maria", "2023-07-09 11:22", "ST. MARY HOSPITAL")
SIZES = (10, 14, 20, 32)
"""Height of the font in pixels."""
CONTRASTS = (0.1, 0.25, 0.6)
"""Difference of ink and ground, of the full grey range."""
NIH_STEP = 22
NIH_WORDS = frozenset((5, 6, 15, 16, 18, 22))
"""Places in the sample of the films on which a person read PORTABLE. The other films carry lead markers with a side
letter and mostly initials of one to three letters, many of them mirrored, or nothing."""


@dataclass(frozen=True)
class Trial:
    """One written line."""

    picture: str
    font: str
    size: int
    contrast: float
    dark: bool
    """Ink darker than its ground."""
    covered: float
    """Share of the ink under boxes that would be painted over."""


def pictures(data: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Text-free pictures with their kind, grey in [0, 1]; a few of each kind."""
    from PIL import Image

    for path in sorted((data / "cxr" / "images" / "wingspan").glob("*.png"))[::36]:
        yield "chest", _grey(path)
    import nibabel

    volume = np.asarray(nibabel.load(data / "volumes_ct_mr/totalsegmentator/ct_torso_3mm.nii.gz").dataobj)
    for k in range(10, volume.shape[2] - 5, 18):
        plane = np.clip((volume[:, ::-1, k].T.astype(np.float32) + 160) / 400, 0, 1)
        picture = Image.fromarray(plane.astype(np.float32)).resize((512, 512), Image.Resampling.BICUBIC)
        yield "ct", np.clip(np.asarray(picture, dtype=np.float32), 0, 1)
    for path in sorted((data / "ultrasound_usgra" / "images").glob("*"))[::40][:6]:
        yield "us", _grey(path)


def _grey(path: Path) -> NDArray[np.float32]:
    from PIL import Image

    return np.asarray(np.asarray(Image.open(path).convert("L")) / np.float32(255), dtype=np.float32)


def fonts() -> dict[str, Any]:
    """Names and loaders of the fonts that are here: Pillow's own, and Debian's DejaVu when it is installed."""
    from PIL import ImageFont

    found: dict[str, Any] = {"Pillow": lambda size: ImageFont.load_default(size=size)}
    for name in ("DejaVuSansMono", "DejaVuSerif-Bold"):
        path = Path(f"/usr/share/fonts/truetype/dejavu/{name}.ttf")
        if path.exists():
            found[name] = lambda size, path=path: ImageFont.truetype(str(path), size)
    return found


def written(
    grey: NDArray[np.float32], words: str, font: Any, contrast: float, dark: bool, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """A picture with a line at a random place, and where its ink is; None when the line is too long for it."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = (int(v) for v in font.getbbox(words))
    wide, high = right + 2, bottom + 2
    rows, columns = grey.shape
    if wide >= columns or high >= rows:
        return None
    x, y = int(rng.integers(0, columns - wide)), int(rng.integers(0, rows - high))
    layer = Image.new("L", (columns, rows), 0)
    ImageDraw.Draw(layer).text((x, y), words, font=font, fill=255)
    ink = np.asarray(layer, dtype=np.float32) / 255
    ground = float(np.median(grey[y + top : y + bottom, x + left : x + right]))
    step = -contrast if dark else contrast
    base = grey
    if not 0 <= ground + step <= 1:  # no room on this side: the line gets a box of its own ground, as scanners draw it
        ground = contrast if dark else 1 - contrast
        base = grey.copy()
        base[max(0, y + top - 3) : y + bottom + 3, max(0, x + left - 3) : x + right + 3] = ground
    picture = base * (1 - ink) + (ground + step) * ink
    return np.clip(picture, 0, 1).astype(np.float32), ink > 0.5


def trial(kind: str, grey: NDArray[np.float32], ink: NDArray[np.bool_], **cell: Any) -> Trial:
    """Look for the line."""
    clean = painted_over(np.zeros(grey.shape, np.uint8), find_text(grey), 1)
    return Trial(picture=kind, covered=float(clean[ink].mean()), **cell)


def share(hits: list[bool]) -> str:
    """`0.93 (n 120, 0.87-0.96)`: share with its Wilson 95 % interval."""
    n = len(hits)
    if n == 0:
        return "- (n 0)"
    p, z = sum(hits) / n, 1.96
    centre, half = (
        (p + z * z / (2 * n)) / (1 + z * z / n),
        z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n),
    )
    return f"{p:.2f} (n {n}, {max(0.0, centre - half):.2f}-{min(1.0, centre + half):.2f})"


def generated(data: Path, per_cell: int) -> None:
    """Part 1."""
    rng = np.random.default_rng(0)
    grounds = list(pictures(data))
    trials: list[Trial] = []
    for (name, load), size, contrast, dark in itertools.product(fonts().items(), SIZES, CONTRASTS, (False, True)):
        font = load(size)
        for _ in range(per_cell):
            kind, grey = grounds[int(rng.integers(len(grounds)))]
            made = written(grey, WORDS[int(rng.integers(len(WORDS)))], font, contrast, dark, rng)
            if made is not None:
                trials.append(trial(kind, *made, font=name, size=size, contrast=contrast, dark=dark))
    print(f"written text, found (80 % of its ink covered): {share([t.covered >= 0.8 for t in trials])}")
    for title in ("font", "size", "contrast", "dark", "picture"):
        parts = sorted({getattr(t, title) for t in trials}, key=str)
        cells = [f"{part} {share([t.covered >= 0.8 for t in trials if getattr(t, title) == part])}" for part in parts]
        print(f"  by {title}: " + "; ".join(cells))
    print(f"  contrast 0.25 or more and size 14 or more: "
          f"{share([t.covered >= 0.8 for t in trials if t.contrast >= 0.25 and t.size >= 14])}")  # fmt: skip
    for kind in sorted({kind for kind, _ in grounds}):
        alarms = [any(f.kind == "text" for f in find_text(grey)) for k, grey in grounds if k == kind]
        print(f"same {kind} pictures without text, alarm: {share(alarms)}")


def real(data: Path, films: int) -> None:
    """Part 2."""

    def texts(path: Path) -> bool:
        return any(item.kind == "text" for item in find_text(_grey(path)))

    sample = sorted((data / "cxr" / "images" / "nih_cxr14").glob("*"))[::NIH_STEP][:40]
    found = [texts(path) for path in sample]
    with_words = [hit for number, hit in enumerate(found) if number in NIH_WORDS]
    without = [number for number, hit in enumerate(found) if hit and number not in NIH_WORDS]
    print(f"NIH films with a computer-written word, found: {share(with_words)}")
    print(f"NIH films without one, alarm: {len(without)} of {len(found) - len(with_words)}, places {without}")
    others = sorted((data / "cxr" / "images" / "wingspan").glob("*.png"))[:films]
    alarms = [path.name for path in others if texts(path)]
    print(f"Wingspan films, alarm: {len(alarms)} of {len(others)} {alarms}")


def main(argv: list[str] | None = None) -> int:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--films", type=int, default=216, help="Wingspan films to look at")
    parser.add_argument("--per-cell", type=int, default=4, help="lines per font, size, contrast and polarity")
    args = parser.parse_args(argv)
    real(args.data, args.films)
    generated(args.data, args.per_cell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
