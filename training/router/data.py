"""Pictures for the image router: what each shows, where it comes from, and which were never fitted on."""

import csv
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.load import load
from secondread.schema.errors import InputError, SecondReadError
from secondread.tools.classify.router_features import grey_rgb, to_square
from secondread.tools.classify.router_model import KINDS
from secondread.training.guards.volume import read_nifti, slices

KEPT = 96
"""Rows and columns of the kept squares; training views are cut from them."""

FILMS_PER_SOURCE = 250
WINDOWS = ((-160.0, 240.0), (-1350.0, 150.0), (-500.0, 1300.0), (-1000.0, 1000.0))
"""Hounsfield ranges for soft tissue, lung and bone, and nearly all; a slice is shown in one of them."""

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """One picture.

    Attributes:
        kind: What it shows, one of `KINDS`; for `split` unseen, the name of the unseen kind.
        source: Where it comes from; leave-one-source-out leaves out all of it.
        group: What must not be split over folds: patient, child, volume, look-alikes.
        split: `train`; `other_source` (a known kind from a source never fitted on); `unseen` (a kind never fitted on).
        name: File or place, for tables.
    """

    kind: str
    source: str
    group: str
    split: str = "train"
    name: str = ""


Entry = tuple[Item, Rgb]


def picture(path: Path) -> Rgb:
    """A PNG, JPEG or TIFF as the router is given it: in colour, or as stretched grey when its channels agree."""
    from PIL import Image

    with Image.open(path) as image:
        rgb = np.asarray(image.convert("RGB"))
    return rgb if np.ptp(rgb, axis=-1).any() else grey_rgb(rgb[..., 0].astype(np.float32))


def _rows(folder: Path) -> Iterator[dict[str, str]]:
    index = folder / "index.csv"
    if not index.is_file():
        raise InputError(f"No index.csv in {folder}.", hint="Give the folder above the image sets with --data.")
    with index.open(newline="") as handle:
        yield from csv.DictReader(handle)


def _films(data: Path) -> Iterator[Entry]:
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for row in _rows(data / "cxr"):
        source = row["file"].split("/")[1]
        if source == "cohen_covid" or (row["licence_class"] == "permissive" and row["split"] == "train"):
            found.setdefault(source, []).append((hashlib.sha256(row["file"].encode()).hexdigest(), row))
    for source, rows in sorted(found.items()):
        for _, row in sorted(rows, key=lambda pair: pair[0])[:FILMS_PER_SOURCE]:
            split = "other_source" if source == "cohen_covid" else "train"
            item = Item("chest_radiograph_image", source, row["patient_id"], split, row["file"])
            yield item, picture(data / "cxr" / row["file"])


def _note(row: dict[str, str], key: str) -> str:
    found = re.search(rf"(?:^|;){key}=([^;]*)", row["notes"])
    return found[1] if found else ""


def _pictures(data: Path) -> Iterator[Entry]:
    for row in _rows(data / "retina_chase_db1"):
        item = Item("fundus_photograph", "chase", f"chase/{_note(row, 'child')}", name=row["file"])
        yield item, picture(data / "retina_chase_db1" / row["file"])
    for row in _rows(data / "cells_bccd"):
        item = Item("blood_smear_image", "bccd", f"bccd/{_note(row, 'group')}", name=row["file"])
        yield item, picture(data / "cells_bccd" / row["file"])
    for row in _rows(data / "nuclei_dsb2018"):
        kind = "fluorescence_micrograph" if _note(row, "kind") == "fluor" else "stained_micrograph"
        item = Item(kind, "dsb", f"dsb/{row['file']}", name=row["file"])
        yield item, picture(data / "nuclei_dsb2018" / row["file"])
    yield from _ultrasound(data / "ultrasound_usgra")


def _ultrasound(folder: Path) -> Iterator[Entry]:
    from secondread.training.nerves.groups import group, likeness, thumbnail

    rows = list(_rows(folder))
    images = [picture(folder / row["file"]) for row in rows]
    alike = group([row["file"] for row in rows], likeness([thumbnail(i[..., 0]) for i in images]))
    for row, first, image in zip(rows, alike, images, strict=True):
        yield Item("ultrasound_image", "usgra", f"usgra/{first}", name=row["file"]), image


def _ct(voxels: NDArray[np.float32], per_axis: int) -> Iterator[tuple[str, Rgb]]:
    for n, cut in enumerate(slices(voxels, per_axis)):
        low, high = WINDOWS[n % len(WINDOWS)]
        yield str(n), grey_rgb(np.clip(cut, low, high))


def _volumes(data: Path) -> Iterator[Entry]:
    root = data / "volumes_ct_mr"
    for name, group in (("ct_torso_3mm", "torso"), ("ct_abdomen_small_3mm", "torso")):
        for place, image in _ct(read_nifti(root / f"totalsegmentator/{name}.nii.gz"), 24):
            yield Item("ct_slice", f"ct/{group}", f"ct/{group}", name=f"{name}#{place}"), image
    for place, image in _ct(read_nifti(root / "msd_spleen2/ct.nii.gz"), 14):
        yield Item("ct_slice", "ct/msd_spleen", "ct/msd_spleen", "other_source", f"spleen#{place}"), image
    for path in sorted((root / "totalsegmentator/ct_dicom_series").glob("*.dcm")):
        yield Item("ct_slice", "ct/series", "ct/series", name=path.name), grey_rgb(load(path).grey)
    for name in ("totalsegmentator/mr_small_3mm", "pyradiomics/breast1_image"):
        source = f"mr/{name.split('/')[1]}"
        for n, cut in enumerate(slices(read_nifti(root / f"{name}.nii.gz"), 30)):
            yield Item("mr_slice", source, source, name=f"{name}#{n}"), grey_rgb(cut)
    for n, cut in enumerate(slices(read_nifti(root / "pyradiomics/brain1_image.nii.gz"), 14)):
        yield Item("whole-head MR", "brain1", "brain1", "unseen", f"brain1#{n}"), grey_rgb(cut)
    crops = data / "mr_hippocampus_msd"
    for row in _rows(crops):
        voxels, group = read_nifti(crops / row["file"]), f"msd/{row['file']}"
        axis = int(hashlib.sha256(group.encode()).hexdigest(), 16) % 2
        for plane in (2, axis):
            cut = np.rot90(voxels.take(voxels.shape[plane] // 2, plane))
            yield Item("hippocampal_mr_crop", "msd", group, name=f"{row['file']}@{plane}"), grey_rgb(cut)


PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
    "color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "logo.png", "moon.png",
    "motorcycle_left.png", "rocket.jpg",
)  # fmt: skip
"""Of scikit-image: what no medical device took. Retina, cell and stain pictures are left out here."""


def _photographs() -> Iterator[Entry]:
    """Photographs that installed packages bring along, whole and in quarters; a picture and its parts are one group."""
    import importlib.util

    places = [("skimage", f"data/{name}") for name in PHOTOGRAPHS]
    places += [("sklearn", "datasets/images/china.jpg"), ("sklearn", "datasets/images/flower.jpg")]
    places += [("ultralytics", "assets/bus.jpg"), ("ultralytics", "assets/zidane.jpg")]
    places += [("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")]
    for package, name in places:
        spec = importlib.util.find_spec(package)
        path = Path(spec.origin).parent / name if spec and spec.origin else None
        if path is None or not path.is_file():
            continue
        whole = picture(path)
        yield Item("photograph", package, f"photograph/{name}", "unseen", name), whole
        rows, columns = whole.shape[0] // 2, whole.shape[1] // 2
        for n, (r, c) in enumerate(((0, 0), (0, columns), (rows, 0), (rows, columns))):
            part = whole[r : r + rows, c : c + columns]
            yield Item("photograph, quarter", package, f"photograph/{name}", "unseen", f"{name}/{n}"), part
    spec = importlib.util.find_spec("skimage")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else Path()
    for kind, name in (("fundus_photograph", "retina.jpg"), ("stained_micrograph", "ihc.png")):
        if (folder / name).is_file():
            yield Item(kind, "skimage", f"skimage/{name}", "other_source", name), picture(folder / name)


def _benchmarks(data: Path) -> Iterator[Entry]:
    from secondread.training.guards.outside import VQA_RAD_FRONTAL

    for path in sorted((data / "benchmarks" / "vqa_rad" / "images").glob("*.jpg")):
        frontal = path.name in VQA_RAD_FRONTAL
        kind, split = ("chest_radiograph_image", "other_source") if frontal else ("teaching-file CT or MR", "unseen")
        yield Item(kind, "vqa_rad", f"vqa_rad/{path.stem}", split, path.name), picture(path)


_DICOM_KINDS = {"CT": "ct_slice", "US": "ultrasound_image", "MR": "mr_slice"}


def _dicom(data: Path) -> Iterator[Entry]:
    """Awkward DICOM files, pixels alone; the same picture in several transfer syntaxes is one."""
    from secondread.imaging.colour import colour_of

    seen: set[str] = set()
    for row in _rows(data / "dicom_variety"):
        modality = re.search(r"Modality=(\w+)", row["notes"])
        if not row["notes"].startswith("decodes") or modality is None or modality[1] not in (*_DICOM_KINDS, "SM", "NM"):
            continue
        path = data / "dicom_variety" / row["file"]
        try:
            image = load(path)
            colour = colour_of(path.read_bytes(), path.name) if image.info.colour else None
        except SecondReadError:
            continue  # many of these files are damaged on purpose
        rgb = grey_rgb(image.grey) if colour is None else colour
        print_ = hashlib.sha256(to_square(rgb, 16).tobytes()).hexdigest()
        if print_ in seen or min(image.grey.shape) < 24:
            continue
        seen.add(print_)
        kind = _DICOM_KINDS.get(modality[1])
        split = "unseen" if kind is None or kind == "mr_slice" else "other_source"
        named = f"DICOM {modality[1]}" if split == "unseen" else str(kind)
        yield Item(named, "dicom_variety", f"dicom/{row['file']}", split, row["file"]), rgb


def entries(data: Path) -> Iterator[Entry]:
    """Every picture with what is known of it; only those of `split` train may be fitted on."""
    yield from _films(data)
    yield from _pictures(data)
    yield from _volumes(data)
    yield from _photographs()
    yield from _benchmarks(data)
    yield from _dicom(data)


@dataclass(frozen=True)
class Pictures:
    """Items, their squares (n, KEPT, KEPT, 3), and the squares as the router sees them (n, SIDE, SIDE, 3)."""

    items: tuple[Item, ...]
    kept: Rgb
    seen: Rgb

    def where(self, test: Callable[[Item], bool]) -> NDArray[np.intp]:
        """Positions of the items that pass a test."""
        return np.array([i for i, item in enumerate(self.items) if test(item)], dtype=np.intp)

    def sha256(self) -> str:
        """Hash over what was decoded and what is known of it."""
        digest = hashlib.sha256(self.seen.tobytes())
        digest.update(repr(self.items).encode())
        return digest.hexdigest()


_FIELDS = ("kind", "source", "group", "split", "name")


def read(data: Path, cache: Path) -> Pictures:
    """All pictures, from the cache when there is one.

    Raises:
        InputError: An image set has no index.
    """
    if cache.is_file():
        stored = np.load(cache, allow_pickle=False)
        items = tuple(Item(*(str(v) for v in row)) for row in zip(*(stored[k] for k in _FIELDS), strict=True))
        return Pictures(items, stored["kept"], stored["seen"])
    found = [(item, to_square(rgb, KEPT), to_square(rgb)) for item, rgb in entries(data)]
    items = tuple(item for item, _, _ in found)
    if any(item.kind not in KINDS for item in items if item.split != "unseen"):
        raise InputError("A picture to train on is of no known kind.")
    pictures = Pictures(items, np.stack([k for _, k, _ in found]), np.stack([s for _, _, s in found]))
    cache.parent.mkdir(parents=True, exist_ok=True)
    columns = {k: np.array([getattr(i, k) for i in items]) for k in _FIELDS}
    np.savez(cache, kept=pictures.kept, seen=pictures.seen, **columns)  # type: ignore[arg-type]  # the stub takes no keyword arrays
    return pictures
