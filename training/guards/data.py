"""Images for the chest film guards in memory: what each is, where it comes from, which fold it belongs to."""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.classify.guard_input import to_square
from secondread.training.anatomy.data import fold_of
from secondread.training.guards.drawn import drawn
from secondread.training.guards.volume import projection, read_nifti, slices

ADULT_YEARS = 18
DRAWN = 700
DRAWN_SEED = 20
PER_AXIS = 14
"""Slices per axis of a volume."""


@dataclass(frozen=True)
class Item:
    """One image.

    Attributes:
        source: Where it comes from; leave-one-source-out leaves out all of it.
        group: What must not be split over folds: patient, eye's owner, volume, single image.
        split: `train`, `val` (read once, at the end) or `outside` (a source never trained on).
        chest: Whether it is a frontal chest film.
        view: `PA`, `AP` or empty.
        age: Years, or NaN.
        aspect: Width / height of the film at acquisition, where the stored file lost it; else 1.
        name: File or kind, for tables.
    """

    source: str
    group: str
    split: str
    chest: bool
    view: str = ""
    age: float = float("nan")
    aspect: float = 1.0
    name: str = ""

    @property
    def fold(self) -> int:
        """Fold 0..4 of the group."""
        return fold_of(self.group)


@dataclass(frozen=True)
class Images:
    """Items and their squares, uint8, shape (n, 128, 128), in the same order."""

    items: tuple[Item, ...]
    squares: NDArray[np.uint8]

    def where(self, test: Callable[[Item], bool]) -> NDArray[np.intp]:
        """Positions of the items that pass a test."""
        return np.array([i for i, item in enumerate(self.items) if test(item)], dtype=np.intp)

    def sha256(self) -> str:
        """Hash over what was decoded and what is known of it."""
        digest = hashlib.sha256(self.squares.tobytes())
        digest.update(repr(self.items).encode())
        return digest.hexdigest()


Entry = tuple[Item, NDArray[np.float32]]


def _grey(path: Path) -> NDArray[np.float32]:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32)


def _films(data: Path) -> Iterator[Entry]:
    index = data / "cxr" / "index.csv"
    if not index.is_file():
        raise InputError(f"No cxr/index.csv in {data}.", hint="Give the data folder with --data.")
    with index.open(newline="") as handle:
        for row in csv.DictReader(handle):
            source = row["file"].split("/")[1]
            outside = source == "cohen_covid" or row["licence_class"] != "permissive"
            aspect = float(row["original_width"]) / float(row["original_height"]) if source == "nih_cxr14" else 1.0
            yield (
                Item(
                    source=source,
                    group=row["patient_id"],
                    split="outside" if outside else row["split"],
                    chest=True,
                    view=row["view"] if row["view"] in ("PA", "AP") else "",
                    # Kermany gives no ages; the set is of patients of one to five years
                    age=3.0 if source == "kermany224" else float(row["age"] or "nan"),
                    aspect=aspect,
                    name=row["file"],
                ),
                _grey(data / "cxr" / row["file"]),
            )


def _pictures(data: Path, folder: str, pattern: str, group: Callable[[str], str], every: int = 1) -> Iterator[Entry]:
    for path in sorted((data / folder).glob(pattern))[::every]:
        yield Item(folder, f"{folder}/{group(path.stem)}", "train", chest=False, name=path.name), _grey(path)


def _volumes(data: Path) -> Iterator[Entry]:
    root = data / "volumes_ct_mr"
    permissive = [
        *(f"totalsegmentator/{n}.nii.gz" for n in ("ct_torso_3mm", "ct_abdomen_small_3mm", "mr_small_3mm")),
        "pyradiomics/brain1_image.nii.gz",
        "pyradiomics/breast1_image.nii.gz",
    ]
    for name in permissive:
        voxels = read_nifti(root / name)
        group = "volume/torso" if "ct_" in name else f"volume/{name}"
        for n, picture in enumerate(slices(voxels, PER_AXIS)):
            yield Item("volumes", group, "train", chest=False, name=f"{name}#{n}"), picture
        if "torso" in name:
            for degrees in range(0, 360, 30):
                item = Item("volumes", group, "train", chest=False, name=f"{name}@{degrees}")
                yield item, projection(voxels, degrees)
    for n, picture in enumerate(slices(read_nifti(root / "msd_spleen2/ct.nii.gz"), PER_AXIS)):
        yield Item("msd", "msd/spleen", "outside", chest=False, name=f"spleen#{n}"), picture
    for path in sorted((data / "mr_hippocampus_msd" / "images").glob("*.nii*"))[::10]:
        voxels = read_nifti(path)
        yield (
            Item("msd", f"msd/{path.name}", "outside", chest=False, name=path.name),
            voxels[:, :, voxels.shape[2] // 2],
        )


def _drawn() -> Iterator[Entry]:
    rng = np.random.default_rng(DRAWN_SEED)
    for n in range(DRAWN):
        kind, picture = drawn(rng)
        yield Item("drawn", f"drawn/{n}", "train", chest=False, name=f"{kind}#{n}"), picture


def entries(data: Path) -> Iterator[Entry]:
    """Every image with what is known of it; only those of `split` train may be fitted on."""
    yield from _films(data)
    yield from _pictures(data, "ultrasound_usgra", "images/*", str)
    yield from _pictures(data, "retina_chase_db1", "images/*", lambda s: s[:-1])
    yield from _pictures(data, "nuclei_dsb2018", "images/*", str)
    yield from _pictures(data, "cells_bccd", "images/*", str, every=3)
    yield from _volumes(data)
    yield from _drawn()


def load(data: Path, cache: Path) -> Images:
    """All images, from the cache when there is one."""
    if cache.is_file():
        stored = np.load(cache, allow_pickle=False)
        items = tuple(
            Item(str(s), str(g), str(p), bool(c), str(v), float(a), float(r), str(n))
            for s, g, p, c, v, a, r, n in zip(*(stored[k] for k in _FIELDS), strict=True)
        )
        return Images(items, stored["squares"])
    items_list: list[Item] = []
    squares: list[NDArray[np.uint8]] = []
    for item, picture in entries(data):
        items_list.append(item)
        squares.append(to_square(picture))
    images = Images(tuple(items_list), np.stack(squares))
    cache.parent.mkdir(parents=True, exist_ok=True)
    columns = {k: np.array([getattr(i, k) for i in images.items]) for k in _FIELDS}
    np.savez(cache, squares=images.squares, **columns)  # type: ignore[arg-type]  # the stub takes no keyword arrays
    return images


_FIELDS = ("source", "group", "split", "chest", "view", "age", "aspect", "name")
