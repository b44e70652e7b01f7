"""The example films: drawn from fixed seeds, written with what is known of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from secondread.evals.phantom import Film, Grey, generate
from secondread.evals.phantom_changes import add_marker_text, add_opacity, flip, rotate, underexpose
from secondread.evals.phantom_dicom import write_dicom

SIDE = 432
"""Pixels; with `SPACING` the film is 40 cm wide, and a 16-bit file stays below 400 kB."""
SPACING = 0.926


@dataclass(frozen=True)
class Example:
    """One example file.

    Attributes:
        name: File name; the ending says the format.
        what: One sentence for the README.
        seed: Seed of the film.
        ctr: Ratio asked of the generator.
        view: View in the header (DICOM only).
        age: Age in the header (DICOM only).
        photometric: How a DICOM file stores grey.
        change: What is done to the film.
    """

    name: str
    what: str
    seed: int
    ctr: float
    view: Literal["PA", "AP"] | None = None
    age: int | None = None
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2"
    change: Literal["none", "turned", "mirrored", "underexposed", "shadow"] = "none"


EXAMPLES = (
    Example("chest.png", "An adult chest film without a header: view and age unknown.", 12, 0.44),
    Example("chest.dcm", "The same film as DICOM: PA, 60 years.", 12, 0.44, "PA", 60),
    Example(
        "chest_monochrome1.dcm", "The same film stored as MONOCHROME1.", 12, 0.44, "PA", 60, photometric="MONOCHROME1"
    ),
    Example("chest_enlarged.dcm", "An enlarged heart on a PA film, 67 years.", 2, 0.58, "PA", 67),
    Example("chest_ap.dcm", "An enlarged heart on a film whose header says AP, 71 years.", 8, 0.57, "AP", 71),
    Example("chest_turned.png", "A film turned by 8 degrees clockwise.", 4, 0.47, change="turned"),
    Example("chest_mirrored.png", "A film mirrored left to right.", 5, 0.48, change="mirrored"),
    Example("chest_underexposed.png", "A film too light to read.", 6, 0.46, change="underexposed"),
    Example("chest_shadow.png", "A film with a shadow in the right lower lung field.", 7, 0.47, change="shadow"),
)


def draw(example: Example) -> Film:
    """The film of an example, with a printed side marker."""
    film = generate(example.seed, ctr=example.ctr, size=SIDE)
    if example.change == "shadow":
        film = add_opacity(film, "right")
    film = add_marker_text(film, "R")
    if example.change == "turned":
        film = rotate(film, 8.0)
    elif example.change == "mirrored":
        film = flip(film)
    elif example.change == "underexposed":
        film = underexpose(film, 0.85)
    return film


def write_examples(folder: Path) -> Iterator[str]:
    """Write the films, `truth.json` and `README.md`; yields one line per file."""
    folder.mkdir(parents=True, exist_ok=True)
    truth: dict[str, dict[str, object]] = {}
    for example in EXAMPLES:
        film = draw(example)
        path = folder / example.name
        if path.suffix == ".png":
            _write_png(film.grey, path)
        else:
            write_dicom(
                film, path, view=example.view, age=example.age, spacing=SPACING, photometric=example.photometric
            )
        truth[example.name] = {
            "ctr": round(film.ctr, 4),
            "view": example.view,
            "age": example.age,
            "seed": example.seed,
            "change": example.change,
            "rows": film.grey.shape[0],
            "columns": film.grey.shape[1],
        }
        yield f"{example.name}: cardiothoracic ratio {film.ctr:.3f}, {path.stat().st_size} bytes"
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    (folder / "README.md").write_text(_readme(truth))


def _write_png(grey: Grey, path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.rint(grey * 255).astype(np.uint8)).save(path, optimize=True)


def _readme(truth: dict[str, dict[str, object]]) -> str:
    lines = [
        "# Example films",
        "",
        "Chest films of nobody, drawn by `python -m secondread.training.phantom examples` from the model in",
        "`evals/phantom_model.safetensors` (its card lies beside it). The ratio is the one of the masks each film was",
        "drawn with: widest heart over widest lungs. `truth.json` holds the same for programs.",
        "",
        "| file | what | cardiothoracic ratio |",
        "|---|---|---|",
    ]
    lines += [f"| `{e.name}` | {e.what} | {truth[e.name]['ctr']:.3f} |" for e in EXAMPLES]
    lines += ["", "The films look like radiographs but hold no diagnosis. Not for clinical use.", ""]
    return "\n".join(lines)
