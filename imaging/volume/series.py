"""A DICOM series, or the frames of an enhanced object, as one volume whose slices are decoded when first needed."""

import math
import os
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.volume import Volume, as_affine, spacing_of
from secondread.schema.errors import NotApplicable, SecondReadError, UnreadableImage
from secondread.schema.study import VolumeInfo

if TYPE_CHECKING:
    from secondread.imaging.dicom.file import DicomFile
    from secondread.imaging.study.model import Instance, Series

MOST_THREADS = 8
"""Decoders release the interpreter lock; more threads than this only hold more slices in memory."""


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
    opened = instances[0].open()
    plan, unit = _plan(instances, opened)
    caveats = list(series.problems)
    if len(instances) == 1:
        caveats.append("A single slice: its thickness stands for the distance between slices.")
    source = SliceVoxels(instances, plan)
    affine = np.array(stack.affine) if stack.affine is not None else np.eye(4)
    windows = opened.windows(instances[0].frame)
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

    A slab is decoded when it is asked for and the last few are kept; the whole is decoded by several threads straight
    into one array, so no second copy of it exists at any time.
    """

    def __init__(self, instances: "tuple[Instance, ...]", plan: _Plan) -> None:
        self._instances = instances
        self._plan = plan
        self._recent: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._files: OrderedDict[int, DicomFile] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        return self._instances[0].columns, self._instances[0].rows, len(self._instances)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the voxels, native byte order."""
        return self._plan.dtype

    def read_slab(self, k: int) -> NDArray[Any]:
        """Voxels (i, j) of one k; only its file is read.

        Raises:
            UnreadableImage: The file has gone, is damaged, or holds another matrix than its header said.
            UnsupportedImage: Pixels of a kind that is not read.
        """
        with self._lock:
            held = self._recent.get(k)
        if held is None:
            held = np.empty(self.shape[1::-1], self.dtype)
            self._decode(k, held)
            held.flags.writeable = False
            with self._lock:
                self._recent[k] = held
                while len(self._recent) > 4:
                    self._recent.popitem(last=False)
        return held.T

    def read(self) -> NDArray[Any]:
        """All voxels, (i, j, k).

        Raises:
            UnreadableImage: As `read_slab`, for the first slice that fails.
            UnsupportedImage: As `read_slab`.
        """
        i, j, k = self.shape
        result = np.empty((k, j, i), self.dtype)
        threads = max(1, min(MOST_THREADS, os.cpu_count() or 1, k))
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda n: self._decode(n, result[n]), range(k)):
                pass
        with self._lock:
            self._recent.clear()
            self._files.clear()
        return result.transpose(2, 1, 0)

    def _decode(self, k: int, out: NDArray[Any]) -> None:
        """Write the voxels of one slice into an array of shape (rows, columns)."""
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

    def _file(self, k: int) -> "DicomFile":
        """The opened file of a slice; files with many frames are kept open as objects, they hold no handle."""
        instance = self._instances[k]
        if instance.frame == 0 and instance.place.unit != "frame" and not self._shared(k):
            return instance.open()
        key = id(instance.source)
        with self._lock:
            held = self._files.get(key)
            if held is None:
                held = self._files[key] = instance.open()
                while len(self._files) > 2:
                    self._files.popitem(last=False)
            return held

    def _shared(self, k: int) -> bool:
        """Whether another slice lies in the same file."""
        source = self._instances[k].source
        return any(0 <= n < len(self._instances) and self._instances[n].source is source for n in (k - 1, k + 1))


def _plan(instances: "tuple[Instance, ...]", opened: "DicomFile") -> tuple[_Plan, Literal["HU", "stored"]]:
    """Look at the header of every slice and choose a dtype that holds all of them without loss."""
    files: dict[int, DicomFile] = {id(instances[0].source): opened}
    scale: list[tuple[float, float]] = []
    tables = False
    units: set[Literal["HU", "stored"]] = set()
    low, high = math.inf, -math.inf
    out_low, out_high = math.inf, -math.inf
    for instance in instances:
        key = id(instance.source)
        current = files.get(key)
        if current is None:
            files.clear()
            current = files[key] = instance.open()
        pair = current.rescale(instance.frame)
        units.add(current.unit(instance.frame))
        if pair is None or not current.has_pixels or _floating(current):
            tables = True
            scale.append((1.0, 0.0))
            continue
        smallest, largest = _range(current)
        low, high = min(low, smallest), max(high, largest)
        ends = (smallest * pair[0] + pair[1], largest * pair[0] + pair[1])
        out_low, out_high = min(out_low, *ends), max(out_high, *ends)
        scale.append(pair)
    unit: Literal["HU", "stored"] = "HU" if units == {"HU"} else "stored"
    if tables:
        return _Plan(np.dtype(np.float32), False, ((1.0, 0.0),) * len(instances)), unit
    whole = all(float(v).is_integer() for pair in scale for v in pair)
    if whole and out_low >= -(2**15) and out_high < 2**15 and all(abs(pair[0]) < 2**15 for pair in scale):
        return _Plan(np.dtype(np.int16), True, tuple(scale)), unit
    return _Plan(_integers(low, high), False, tuple(scale)), unit


def _integers(low: float, high: float) -> np.dtype[Any]:
    """The smallest integer type that holds a range."""
    for kind in (np.int16, np.uint16, np.int32, np.uint32, np.int64):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return np.dtype(kind)
    return np.dtype(np.float64)


def _range(opened: "DicomFile") -> tuple[float, float]:
    """Smallest and largest value that the stored bits can hold."""
    bits = _integer(opened, "BitsStored") or _integer(opened, "BitsAllocated") or 16
    if _integer(opened, "PixelRepresentation"):
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1


def _floating(opened: "DicomFile") -> bool:
    return "FloatPixelData" in opened.header or "DoubleFloatPixelData" in opened.header


def _integer(opened: "DicomFile", keyword: str) -> int | None:
    from secondread.imaging.dicom.values import integer

    return integer(opened.header, keyword)


def _photometric(opened: "DicomFile") -> str | None:
    from secondread.imaging.dicom.header import PHOTOMETRICS
    from secondread.imaging.dicom.values import text

    found = text(opened.header, "PhotometricInterpretation").upper()
    return found if found in PHOTOMETRICS else None


__all__ = ["SecondReadError", "SliceVoxels", "from_series"]
