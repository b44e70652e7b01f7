"""The shipped guards on films held back (val) and on sources that no network and no threshold has seen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.load import load
from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Findings
from secondread.schema.image import ImageInfo, ImageRef
from secondread.tools.classify.chest_film_guard import findings
from secondread.tools.classify.guard_input import prepare, to_square
from secondread.tools.classify.guard_network import GUARDS
from secondread.tools.classify.guard_weights import load_networks, read_manifest
from secondread.training.guards.data import ADULT_YEARS, Images, Item
from secondread.training.guards.measures import share

VQA_RAD_FRONTAL = frozenset(
    f"synpic{n}.jpg" for n in (15006, 19232, 21042, 26413, 27047, 31916, 32081, 33102, 33226, 42245, 44865, 60423)
)
"""Frontal chest films among the VQA-RAD sample, sorted by eye; the other 27 are CT and MR slices."""

LATERAL = "highdicom/dx_image.dcm"
"""The one lateral chest film at hand, of a body that may not be human."""

PLAIN = ImageInfo(ref=ImageRef(id="img-0000000000000000", rows=1, columns=1, grid="g"))


def read(squares: NDArray[np.uint8]) -> list[Findings]:
    """What the shipped guards say of squares, pixels alone: no header helps."""
    import torch

    networks, records = load_networks(), read_manifest()[1]
    with torch.inference_mode():
        z = {
            name: np.mean([net(prepare(squares, guard.size))[:, 0].numpy() for net in networks[name]], axis=0)
            for name, guard in GUARDS.items()
        }
    return [findings(records, {name: float(z[name][i]) for name in z}, PLAIN) for i in range(len(squares))]


def _polarities(found: list[Findings], concept: str) -> NDArray[np.str_]:
    return np.array([f.get(concept).polarity for f in found])  # type: ignore[union-attr]  # every guard answers on every concept


def _files(data: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((data / "benchmarks" / "vqa_rad" / "images").glob("*.jpg")):
        yield ("vqa_rad_frontal" if path.name in VQA_RAD_FRONTAL else "vqa_rad_ct_mr"), path
    root = data / "dicom_variety"
    for path in sorted(
        p for p in root.rglob("*") if p.is_file() and (p.suffix == ".dcm" or p.parent.name == "cornerstone")
    ):
        yield ("lateral" if path == root / LATERAL else "dicom_variety"), path


def unseen_files(data: Path) -> dict[str, Any]:
    """Frontal guard on VQA-RAD images and on awkward DICOM files; repeated pictures count once."""
    squares: dict[str, dict[bytes, NDArray[np.uint8]]] = {}
    for kind, path in _files(data):
        try:
            square = to_square(load(path).grey)
        except SecondReadError:
            continue  # many of these files are damaged on purpose
        squares.setdefault(kind, {})[square.tobytes()] = square
    table: dict[str, Any] = {}
    for kind, found in squares.items():
        said = _polarities(read(np.stack(list(found.values()))), "frontal_chest_radiograph")
        table[f"unseen_{kind}_accepted"] = share(said == "present")
        table[f"unseen_{kind}_rejected"] = share(said == "absent")
    return table


def val(images: Images) -> dict[str, Any]:
    """Every guard on the val films; to be read once, after all choices were made."""

    def said(concept: str, test: Any) -> NDArray[np.str_]:
        index = images.where(lambda i: i.split == "val" and test(i))
        return _polarities(read(images.squares[index]), concept)

    def source(name: str) -> Any:
        return lambda i: i.source == name

    def nih(test: Any) -> Any:
        return lambda i: i.source == "nih_cxr14" and test(i)

    def minor(item: Item) -> bool:
        return item.age < ADULT_YEARS

    table: dict[str, Any] = {
        f"{name}_not_rejected": share(said("frontal_chest_radiograph", source(name)) != "absent")
        for name in ("wingspan", "nih_cxr14", "kermany224")
    }
    table |= {
        "nih_pa_called_pa": share(said("pa_view", nih(lambda i: i.view == "PA")) == "present"),
        "nih_ap_called_pa": share(said("pa_view", nih(lambda i: i.view == "AP")) == "present"),
        "wingspan_unlabelled_called_pa": share(said("pa_view", source("wingspan")) == "present"),
        "kermany_1_to_5_not_called_adult": share(said("child", source("kermany224")) != "absent"),
        "nih_minors_not_called_adult": share(said("child", nih(minor)) != "absent"),
        "nih_adults_called_adult": share(said("child", nih(lambda i: not minor(i))) == "absent"),
        "wingspan_adults_called_adult": share(said("child", source("wingspan")) == "absent"),
    }
    return table
