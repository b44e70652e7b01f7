"""A DICOM series, or the frames of an enhanced object, as one volume whose slices are decoded when first needed."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.grid import as_affine, spacing_of
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import NotApplicable, SecondReadError, UnreadableImage
from secondread.schema.study import VolumeInfo

if TYPE_CHECKING:
    from secondread.imaging.dicom.file import DicomFile
    from secondread.imaging.study.header import Scaling
    from secondread.imaging.study.model import Instance, Series

MOST_THREADS = 8
"""More threads than this only hold more slices in memory at a time."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the stored values of a series become voxels."""

    dtype: np.dtype[Any]
    folded: bool
    """Slope and intercept are applied to the voxels; else they stay stored and the volume scales them."""
    scale: tuple[tuple[float, float], ...]
    """Slope and intercept of each slice."""


def from_series(series: "Series") -> Volume:
    """The volume of a series; headers are read now, pixels when asked for.

    Voxels are int16 with the rescale folded in where that is exact for every slice (Hounsfield units of CT); else the
    stored integers with a slope and intercept per slice, or float32 for tables and floating-point pixels.

    Only the longest regular part of a stack becomes the volume; what is left out is said in the caveats. Without
    positions the grid counts voxels (`placed` is False) and gives no millimetre.

    Args:
        series: Of kind `volume`, or a single slice that is placed.

    Raises:
        NotApplicable: The series is no stack of slices.
        UnreadableImage: A file has gone or is damaged.
        UnsupportedImage: Pixels of a kind that is not read.
    """
    stack = series.stack
    if stack is None or not series.instances or series.kind in ("derived", "document", "secondary", "cine"):
        raise NotApplicable(f"A series of kind {series.kind} is no volume.", hint="Take its images one by one.")
    first, end = stack.run if stack.affine is not None else (0, len(series.instances))
    instances = series.instances[first:end]
    if stack.affine is None and len(instances) == 1:
        raise NotApplicable("A single slice without position and thickness is no volume.", hint="Take it as an image.")
    middle = instances[len(instances) // 2]
    opened = middle.open()
    plan, unit = _plan(instances)
    caveats = list(series.problems)
    if len(instances) == 1:
        caveats.append("A single slice: its thickness stands for the distance between slices.")
    source = SliceVoxels(instances, plan)
    affine = np.array(stack.affine) if stack.affine is not None else np.eye(4)
    windows = opened.windows(middle.frame)
    info = VolumeInfo(
        id="",
        shape=source.shape,
        affine=as_affine(affine),
        spacing_mm=spacing_of(affine),
        oriented=stack.affine is not None,
        placed=stack.affine is not None,
        unit=unit,
        modality=series.modality,
        body_part=series.body_part,
        source_format="dicom",
        bits_stored=_integer(opened, "BitsStored"),
        photometric=_photometric(opened),
        window=windows[0] if windows else None,
        place=series.place.model_copy(update={"unit": "volume", "index": 1, "count": 1}),
        caveats=tuple(dict.fromkeys(caveats)),
    )
    return Volume(info, source, scale=None if plan.folded else plan.scale, identity=opened.identity())


class SliceVoxels:
    """Voxels of slices that lie in files of their own or in frames of one; i counts columns, j rows, k slices.

    A slice is decoded when it is first asked for, straight into one array that is kept, so every slice is decoded once
    and no second copy of the volume exists at any time. Asked for one slice after the other, it decodes a few ahead,
    several at a time.
    """

    def __init__(self, instances: "tuple[Instance, ...]", plan: _Plan) -> None:
        self._instances = instances
        self._plan = plan
        self._array: NDArray[Any] | None = None
        """Shape (k, j, i); pages of slices that nobody asked for are never touched."""
        self._done = np.zeros(len(instances), dtype=np.bool_)
        self._next = -1
        self._file_held: tuple[int, DicomFile] | None = None
        self._lock = threading.Lock()

    @property
    def slices(self) -> "tuple[Instance, ...]":
        """The image behind each k."""
        return self._instances

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        return self._instances[0].columns, self._instances[0].rows, len(self._instances)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the voxels, native byte order."""
        return self._plan.dtype

    def read_slab(self, k: int) -> NDArray[Any]:
        """Voxels (i, j) of one k, read-only; only its file is read, or a few more when slices are asked for in turn.

        Raises:
            UnreadableImage: The file has gone, is damaged, or holds another matrix than its header said.
            UnsupportedImage: Pixels of a kind that is not read.
        """
        with self._lock:
            ahead = 2 * _threads() if k == self._next else 1
            self._next = k + 1
            array = self._fill(range(k, k + 1))
            if ahead > 1:
                with suppress(SecondReadError):  # of a slice that was not asked for yet
                    self._fill(range(k + 1, min(k + ahead, len(self._instances))))
            return _read_only(array[k].T)

    def read(self) -> NDArray[Any]:
        """All voxels, (i, j, k), read-only.

        Raises:
            UnreadableImage: As `read_slab`, for the first slice that fails.
            UnsupportedImage: As `read_slab`.
        """
        with self._lock:
            array = self._fill(range(len(self._instances)))
            return _read_only(array.transpose(2, 1, 0))

    def _fill(self, wanted: range) -> NDArray[Any]:
        """Decode the slices of a range that are not yet there; the caller holds the lock."""
        if self._array is None:
            i, j, k = self.shape
            self._array = np.empty((k, j, i), self.dtype)
        array = self._array
        missing = [k for k in wanted if not self._done[k]]
        if len(missing) == 1:
            self._decode(missing[0], array[missing[0]])
        elif missing:
            if self._instances[0].source is self._instances[-1].source:
                self._file(missing[0])  # once, before the threads ask for it
            with ThreadPoolExecutor(min(_threads(), len(missing))) as pool:
                for _ in pool.map(lambda k: self._decode(k, array[k]), missing):
                    pass
        if self._done.all():
            self._file_held = None
        return array

    def _decode(self, k: int, out: NDArray[Any]) -> None:
        """Write the voxels of one slice into its place, shape (rows, columns)."""
        instance = self._instances[k]
        opened = self._file(k)
        if self._plan.dtype.kind == "f":
            values: NDArray[Any] = opened.values(instance.frame)
        else:
            values = opened.stored(instance.frame)
        if values.shape != out.shape:
            raise UnreadableImage(f"{instance.name} holds another matrix than its header says.")
        if self._plan.folded and self._plan.scale[k] != (1.0, 0.0):
            slope, intercept = (int(v) for v in self._plan.scale[k])
            np.multiply(values, slope, out=out, casting="unsafe", dtype=np.int16)
            out += np.int16(intercept)
        else:
            out[...] = values
        self._done[k] = True

    def _file(self, k: int) -> "DicomFile":
        """The file of a slice, header read; the last one is kept for the frames of one file."""
        instance, held = self._instances[k], self._file_held
        if held is not None and held[0] == id(instance.source):
            return held[1]
        opened = instance.open()
        if opened.frames > 1:
            self._file_held = (id(instance.source), opened)
        return opened


def _threads() -> int:
    return max(1, min(MOST_THREADS, os.cpu_count() or 1))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _plan(instances: "tuple[Instance, ...]") -> tuple[_Plan, Literal["HU", "stored"]]:
    """Choose a dtype that holds every slice without loss; headers are opened only where the scan could not tell."""
    found = [instance.scaling for instance in instances]
    if any(scaling is None for scaling in found):
        found = _opened_scalings(instances)
    known = [scaling for scaling in found if scaling is not None]
    unit: Literal["HU", "stored"] = "HU" if known and all(scaling.hounsfield for scaling in known) else "stored"
    if len(known) < len(found):
        return _Plan(np.dtype(np.float32), False, ((1.0, 0.0),) * len(instances)), unit
    scale = tuple((scaling.slope, scaling.intercept) for scaling in known)
    ranges = [_range(scaling) for scaling in known]
    ends = [v * slope + intercept for pair, (slope, intercept) in zip(ranges, scale, strict=True) for v in pair]
    whole = all(value.is_integer() and abs(value) < 2**15 for pair in scale for value in pair)
    if whole and min(ends) >= -(2**15) and max(ends) < 2**15:
        return _Plan(np.dtype(np.int16), True, scale), unit
    return _Plan(_integers(min(low for low, _ in ranges), max(high for _, high in ranges)), False, scale), unit


def _opened_scalings(instances: "tuple[Instance, ...]") -> "list[Scaling | None]":
    """From the headers themselves; None for tables, colour and floating-point pixels, which have no linear rescale."""
    from secondread.imaging.study.header import Scaling

    result: list[Scaling | None] = []
    last: tuple[int, DicomFile] | None = None
    for instance in instances:
        if last is None or last[0] != id(instance.source):
            last = (id(instance.source), instance.open())
        opened = last[1]
        pair = opened.rescale(instance.frame)
        bits = _integer(opened, "BitsStored") or _integer(opened, "BitsAllocated") or 16
        if pair is None or _integer(opened, "SamplesPerPixel") != 1 or bits > 32:
            result.append(None)
            continue
        signed = bool(_integer(opened, "PixelRepresentation"))
        result.append(Scaling(bits, signed, *pair, opened.unit(instance.frame) == "HU"))
    return result


def _range(scaling: "Scaling") -> tuple[float, float]:
    """Smallest and largest value that the stored bits can hold."""
    if scaling.signed:
        return -(2.0 ** (scaling.bits - 1)), 2.0 ** (scaling.bits - 1) - 1
    return 0.0, 2.0**scaling.bits - 1


def _integers(low: float, high: float) -> np.dtype[Any]:
    """The smallest integer type that holds a range."""
    for kind in (np.int16, np.uint16, np.int32, np.uint32, np.int64):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return np.dtype(kind)
    return np.dtype(np.float64)


def _integer(opened: "DicomFile", keyword: str) -> int | None:
    from secondread.imaging.dicom.values import integer

    return integer(opened.header, keyword)


def _photometric(opened: "DicomFile") -> str | None:
    from secondread.imaging.dicom.header import PHOTOMETRICS
    from secondread.imaging.dicom.values import text

    found = text(opened.header, "PhotometricInterpretation").upper()
    return found if found in PHOTOMETRICS else None
