"""A volume: stored voxels, how they lie in the patient (RAS, mm), and its slices as displayed."""

import math
import threading
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secondread.imaging.dicom.grey import Window
from secondread.imaging.identity.vault import Identity
from secondread.imaging.limits import check_size
from secondread.imaging.volume.orientation import (
    PATIENT_AXIS,
    SHOWN,
    Orientation,
    affine_fault,
    orientation_of,
)
from secondread.imaging.volume.survey import Survey, survey
from secondread.imaging.volume.voxels import ArrayVoxels, MappedVoxels, VoxelSource
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage, UsageError
from secondread.schema.image import ImageInfo, ImageRef, Spacing
from secondread.schema.record import short_hash
from secondread.schema.study import Affine, Place, Plane, PlaneGeometry, VolumeInfo

Box3 = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Half-open index ranges along i, j, k."""

SOFT_TISSUE = (40.0, 400.0)
"""Centre and width in HU. Source: the abdomen / soft tissue preset of common viewers."""

OBLIQUE_DEGREES = 1.0
"""From this angle between grid and patient axes on, a caveat states it."""


class Volume:
    """Voxels of one volume, read when first needed, and their slices. Thread-safe; nothing in it can be written to.

    Voxels keep their stored dtype; `value = stored * slope + intercept` is applied to what is asked for.
    Slices of a plane are counted from its low RAS end: axial from the feet, coronal from the back, sagittal from the
    patient's left. Slices are displayed in the directions of `imaging.volume.orientation`, without resampling.

    Args:
        info: What the reader knows. Its `id` may be empty: the id, a display window chosen from the values and the
            number of values that are not finite are filled in by the first use of `Volume.info`, which reads all
            voxels.
        voxels: The stored voxels; their shape is that of `info`.
        scale: (slope, intercept), or one such pair per k, shape (k, 2). None: stored values are the values.
        identity: Who it belongs to, for DICOM sources.

    Raises:
        UnreadableImage: The affine cannot place voxels in a patient, or the scale is not finite.
        UnsupportedImage: The voxels are not real numbers.
    """

    def __init__(
        self, info: VolumeInfo, voxels: VoxelSource, *, scale: ArrayLike | None = None, identity: Identity | None = None
    ) -> None:
        if voxels.shape != info.shape:
            raise ValueError(f"voxels of shape {voxels.shape} are not those of a volume of shape {info.shape}")
        if voxels.dtype.kind not in "buif" or voxels.dtype.itemsize > 8:
            raise UnsupportedImage(f"Voxels of dtype {voxels.dtype} are not read.", hint="Give real numbers.")
        self.affine: NDArray[np.float64] = np.array(info.affine, np.float64)
        """Voxel index (i, j, k, 1) to RAS mm, shape (4, 4); read-only."""
        self.affine.flags.writeable = False
        fault = affine_fault(self.affine)
        if fault:
            raise UnreadableImage(f"The volume cannot be placed: {fault}.")
        self.orientation: Orientation = orientation_of(self.affine)
        self.identity = identity
        self.oriented: bool = info.oriented and info.placed
        """Whether sides, planes and positions mean anything."""
        self._voxels = voxels
        self._scale = _scale(scale, info.shape[2])
        self._lock = threading.Lock()
        self._survey: Survey | None = None
        self._info: VolumeInfo | None = None
        self._stored: NDArray[Any] | None = None
        angle = self.orientation.angle_degrees
        caveats = info.caveats
        oblique = (
            f"The grid is oblique: its axes stand up to {angle:.1f} degrees off those of the patient; "
            "slices keep the grid and are named after the nearest plane."
        )
        if angle >= OBLIQUE_DEGREES and self.oriented and oblique not in caveats:
            caveats += (oblique,)
        self.header: VolumeInfo = info.model_copy(update={"caveats": caveats})
        """What was known on opening, without reading voxels; `id` may be empty and `window` None."""

    @classmethod
    def from_array(
        cls,
        array: ArrayLike,
        affine: ArrayLike | None = None,
        *,
        unit: Literal["HU", "stored"] = "stored",
        modality: str | None = None,
        scale: ArrayLike | None = None,
        identity: Identity | None = None,
        **known: Any,
    ) -> "Volume":
        """A volume of an array in memory, which is not copied.

        Args:
            array: Shape (i, j, k), any real dtype.
            affine: Shape (4, 4), voxel index to RAS mm. None: neither sides nor millimetres are known.
            unit: `HU` or `stored`.
            modality: DICOM modality, when known.
            scale: As for `Volume`.
            identity: As for `Volume`.
            **known: Further fields of `VolumeInfo`.

        Raises:
            InputError: Not three-dimensional, or no voxels.
            UnreadableImage: As `Volume`.
            UnsupportedImage: As `Volume`, or a side above 16384.
        """
        held = np.asarray(array)
        if held.ndim != 3 or held.size == 0:
            raise InputError(f"An array of shape {held.shape} is not a volume.", hint="Give (i, j, k).")
        if affine is None:
            known |= {"oriented": False, "placed": False}
        matrix = np.eye(4) if affine is None else np.asarray(affine, np.float64)
        fault = affine_fault(matrix)
        if fault:
            raise UnreadableImage(f"The array cannot be placed: {fault}.")
        if held.dtype == np.bool_:
            held = held.view(np.uint8)
        known.setdefault("id", "")
        info = VolumeInfo(
            shape=held.shape,
            affine=as_affine(matrix),
            spacing_mm=spacing_of(matrix),
            unit=unit,
            modality=modality,
            **known,
        )
        return cls(info, ArrayVoxels(held), scale=scale, identity=identity)

    @property
    def info(self) -> VolumeInfo:
        """All that is known; the first use reads every voxel once.

        Raises:
            UnreadableImage: The source is damaged or has changed since it was opened.
        """
        if self._info is None:
            known, found = self.header, self.survey
            caveats = known.caveats
            if found.not_finite:
                share = found.not_finite / math.prod(known.shape)
                caveats += (f"{found.not_finite} values ({share:.2g} of all) are not finite; they are shown black.",)
            if known.unit == "stored" and known.modality in (None, "CT") and found.like_hounsfield:
                caveats += (
                    "The values look like Hounsfield units, but the file does not say so: they are treated as stored "
                    "values until the unit is stated.",
                )
            changes: dict[str, Any] = {"caveats": caveats, "window": self.window}
            if not known.id:
                changes["id"] = found.id
            self._info = known.model_copy(update=changes)
        return self._info

    @property
    def survey(self) -> Survey:
        """Id and statistics of the values; the first use reads every voxel once."""
        if self._survey is None:
            # Slices that cost a decode are kept, so that they are decoded once; a mapped file is cheap to read twice.
            voxels = self._voxels if isinstance(self._voxels, MappedVoxels) else ArrayVoxels(self.stored)
            self._survey = survey(voxels, self._scale, self.affine)
        return self._survey

    @property
    def id(self) -> str:
        """`vol-` and 16 hexadecimal digits; as `info`."""
        return self.header.id or self.survey.id

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        return self.header.shape

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Between voxel centres along i, j, k."""
        return self.header.spacing_mm

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype."""
        return self._voxels.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the stored voxels when all are in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def window(self) -> tuple[float, float]:
        """Centre and width for display, in the unit of the volume.

        That of the header; else soft tissue for Hounsfield units; else the range of the central 99 % of the values
        (of all of them when those are equal, as in a mask).
        """
        if self.header.window is not None:
            return self.header.window
        if self.header.unit == "HU":
            return SOFT_TISSUE
        found = self.survey
        low, high = (found.low, found.high) if found.low < found.high else (found.smallest, found.largest)
        return (low + high) / 2, high - low if low < high else 1.0

    @property
    def stored(self) -> NDArray[Any]:
        """Stored voxels, shape (i, j, k), stored dtype, native byte order, read-only; may be a mapped file."""
        with self._lock:
            if self._stored is None:
                array = self._voxels.read().view()
                array.flags.writeable = False
                self._stored = array
            return self._stored

    def scale(self, k: int) -> tuple[float, float]:
        """Slope and intercept of the voxels of one k."""
        return float(self._scale[k, 0]), float(self._scale[k, 1])

    def values(self, box: Box3 | None = None) -> NDArray[np.float32]:
        """Values in the unit of the volume, shape (i, j, k) of the box; not finite where the source is not.

        Args:
            box: Half-open index ranges along i, j, k; None for all.

        Raises:
            InputError: The box is empty or reaches beyond the volume.
        """
        ranges = box if box is not None else tuple((0, n) for n in self.shape)
        if any(not 0 <= low < high <= n for (low, high), n in zip(ranges, self.shape, strict=True)):
            raise InputError(f"The box {ranges} is not inside a volume of shape {self.shape}.")
        (i0, i1), (j0, j1), (k0, k1) = ranges
        result = np.empty((i1 - i0, j1 - j0, k1 - k0), np.float32, order="F")
        for k in range(k0, k1):
            result[:, :, k - k0] = self._scaled(self._slab(k)[i0:i1, j0:j1], k)
        return result

    def count(self, plane: Plane) -> int:
        """Number of slices of a plane."""
        return self.shape[self.orientation.voxel_axis[PATIENT_AXIS[plane]]]

    def slice(self, plane: Plane, index0: int) -> NDArray[np.float32]:
        """One slice as displayed, in the unit of the volume.

        Args:
            plane: Which plane; for an oblique grid the nearest one.
            index0: From 0 at the low RAS end (feet, back, patient's left).

        Returns:
            Shape (rows, columns), not finite where the source is not.

        Raises:
            UsageError: No such slice.
            UnreadableImage: The source is damaged.
        """
        axis, stored_index = self.stored_index(plane, index0)
        if axis == 2:
            slab = self._scaled(self._slab(stored_index), stored_index)
        else:
            part = self.stored[stored_index] if axis == 0 else self.stored[:, stored_index]
            slab = self._scaled(part, slice(None))
        return np.ascontiguousarray(self.orientation.shown(slab, plane))

    def shown(self, array: NDArray[Any], plane: Plane, index0: int) -> NDArray[Any]:
        """A slice of any array on the grid of this volume (a mask, a map) as displayed, as a view.

        Args:
            array: Shape (i, j, k) of the volume.
            plane: As for `slice`.
            index0: As for `slice`.

        Raises:
            InputError: Another shape.
            UsageError: No such slice.
        """
        if array.shape != self.shape:
            raise InputError(
                f"An array of shape {array.shape} does not lie on the grid of a volume of shape {self.shape}.",
                hint="Bring it onto the grid first.",
            )
        axis, index = self.stored_index(plane, index0)
        slab = array[index] if axis == 0 else array[:, index] if axis == 1 else array[:, :, index]
        return self.orientation.shown(slab, plane)

    def grey(self, plane: Plane, index0: int, window: tuple[float, float] | None = None) -> NDArray[np.float32]:
        """One slice as display grey, shape (rows, columns), 0 black to 1 white; what is not finite is black.

        Args:
            plane: As for `slice`.
            index0: As for `slice`.
            window: Centre and width in the unit of the volume; None for `Volume.window`.

        Raises:
            UsageError: No such slice, or a window that is not one.
        """
        centre, width = self.window if window is None else window
        if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
            raise UsageError("A window is a finite centre and a width above 0.")
        # Windows of DICOM follow its linear function; elsewhere values may span less than 1, where that is a step.
        function = "LINEAR" if self.header.source_format == "dicom" else "LINEAR_EXACT"
        with np.errstate(over="ignore", invalid="ignore"):
            grey = Window(centre, width, function)(self.slice(plane, index0))
        grey = np.nan_to_num(grey, copy=False, nan=0.0)
        return np.asarray(1 - grey if self.header.photometric == "MONOCHROME1" else grey, np.float32)

    def slice_info(self, plane: Plane, index0: int) -> ImageInfo:
        """What is known of a slice as an image: grid, spacing, place, and how it lies in the patient.

        Args:
            plane: As for `slice`.
            index0: As for `slice`.

        Returns:
            `ref.volume` names the volume; `ref.id` follows from volume, plane and index. `place` goes on from the
            volume's own; `geometry` is None when the source does not say how the grid lies in the patient.

        Raises:
            UsageError: No such slice.
        """
        info = self.info
        geometry = self.slice_geometry(plane, index0)
        row, column = (self.orientation.voxel_axis[p] for p in SHOWN[plane])
        identifier = f"img-{short_hash([info.id, plane, index0])}"
        ref = ImageRef(
            id=identifier, rows=self.shape[row], columns=self.shape[column], grid=identifier,
            frame=info.frame, volume=info.id,
        )  # fmt: skip
        check_size("The slice", ref.rows, ref.columns)
        spacing = Spacing(
            row_mm=self.spacing_mm[row],
            column_mm=self.spacing_mm[column],
            kind="calibrated",
            source=f"grid of the {info.source_format} volume",
        )
        return ImageInfo(
            ref=ref,
            modality=info.modality,
            body_part=info.body_part,
            dimension=2,
            unit=info.unit,
            spacing=spacing if info.placed else None,
            photometric=info.photometric,
            bits_stored=info.bits_stored,
            source_format=info.source_format,
            place=self._place(plane, index0),
            geometry=geometry if self.oriented else None,
            squeezed=False if info.placed else None,
            caveats=info.caveats,
        )

    def slice_geometry(self, plane: Plane, index0: int) -> PlaneGeometry:
        """How the pixels of a displayed slice lie in the patient.

        Raises:
            UsageError: No such slice.
        """
        axis, index = self.stored_index(plane, index0)
        start = np.array([0.0, 0.0, 0.0, 1.0])
        start[axis] = index
        steps: list[NDArray[np.float64]] = []
        for patient in SHOWN[plane]:
            along = self.orientation.voxel_axis[patient]
            flipped = self.orientation.ascending[patient]
            start[along] = self.shape[along] - 1 if flipped else 0
            steps.append(self.affine[:3, along] * (-1 if flipped else 1))
        return PlaneGeometry(
            origin=_vector(self.affine[:3] @ start), per_row=_vector(steps[0]), per_column=_vector(steps[1])
        )

    def voxel(self, plane: Plane, index0: int, row: float, column: float) -> tuple[float, float, float]:
        """Voxel index (i, j, k) of a place on a displayed slice, by pixel-centre coordinates.

        Raises:
            UsageError: No such slice.
        """
        axis, index = self.stored_index(plane, index0)
        found = [0.0, 0.0, 0.0]
        found[axis] = float(index)
        for patient, at in zip(SHOWN[plane], (row, column), strict=True):
            along = self.orientation.voxel_axis[patient]
            found[along] = self.shape[along] - 1 - at if self.orientation.ascending[patient] else at
        return found[0], found[1], found[2]

    def pixel(self, plane: Plane, voxel: Sequence[float]) -> tuple[float, float]:
        """Pixel-centre coordinates (x along columns, y along rows) of a voxel index on the slices of a plane."""
        place: list[float] = []
        for patient in SHOWN[plane]:
            along = self.orientation.voxel_axis[patient]
            flipped = self.orientation.ascending[patient]
            place.append(self.shape[along] - 1 - voxel[along] if flipped else voxel[along])
        return place[1], place[0]

    def stored_index(self, plane: Plane, index0: int) -> tuple[int, int]:
        """Voxel axis of a plane, and the index along it of a slice counted from the low RAS end.

        Raises:
            UsageError: No such plane or slice.
        """
        if plane not in PATIENT_AXIS:
            raise UsageError(f"There is no plane {plane!r}.", hint=f"Use one of {', '.join(PATIENT_AXIS)}.")
        count = self.count(plane)
        if not 0 <= index0 < count:
            raise UsageError(f"There is no {plane} slice {index0 + 1}; the volume has {count}.")
        return self.orientation.index(plane, index0, count)

    def to_mm(self, index: ArrayLike) -> NDArray[np.float64]:
        """Voxel indices to RAS mm, shape (..., 3) both."""
        return np.asarray(index, np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, mm: ArrayLike) -> NDArray[np.float64]:
        """RAS mm to voxel indices (not rounded, may lie outside), shape (..., 3) both."""
        offset = np.asarray(mm, np.float64) - self.affine[:3, 3]
        found = np.linalg.solve(self.affine[:3, :3], offset.reshape(-1, 3).T).T
        return np.asarray(found, np.float64).reshape(offset.shape)

    def same_grid(self, other: "Volume", tolerance_mm: float = 1e-3) -> bool:
        """Whether voxels of equal index lie at the same place: equal shape, and corners within `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*((0, n - 1) for n in self.shape), indexing="ij")).reshape(3, -1).T
        return float(np.abs(self.to_mm(corners) - other.to_mm(corners)).max()) <= tolerance_mm

    def __repr__(self) -> str:
        sides = " x ".join(f"{side:g}" for side in self.spacing_mm)
        return f"Volume({self.shape}, {self.dtype}, {self.orientation.codes}, {sides} mm, unit {self.header.unit})"

    def _slab(self, k: int) -> NDArray[Any]:
        held = self._stored
        return self._voxels.read_slab(k) if held is None else held[:, :, k]

    def _scaled(self, stored: NDArray[Any], k: Any) -> NDArray[np.float32]:
        """Values of stored voxels: of one k, or with k as the last axis."""
        slope, intercept = self._scale[k, 0], self._scale[k, 1]
        if np.all(slope == 1) and np.all(intercept == 0):
            return np.asarray(stored, np.float32)
        return np.asarray(stored * slope + intercept, np.float32)

    def _place(self, plane: Plane, index0: int) -> Place:
        info = self.info
        name = info.id.removeprefix("vol-")
        place = info.place or Place(study=f"stu-{name}", series=f"ser-{name}", series_number=1, series_count=1)
        return place.model_copy(
            update={
                "unit": "slice",
                "index": index0 + 1,
                "count": self.count(plane),
                "plane": plane if self.oriented else None,
                "position_mm": self.position_mm(plane, index0) if self.oriented else None,
            }
        )

    def position_mm(self, plane: Plane, index0: int) -> float:
        """RAS coordinate of the centre of a slice along the axis of its plane.

        Raises:
            UsageError: No such slice.
        """
        axis, index = self.stored_index(plane, index0)
        centre = [(n - 1) / 2 for n in self.shape]
        centre[axis] = index
        return float(self.to_mm(centre)[PATIENT_AXIS[plane]])


def as_affine(matrix: NDArray[np.float64]) -> Affine:
    """A (4, 4) array as `VolumeInfo` holds it."""
    rows = [tuple(float(v) for v in row) for row in matrix]
    return tuple(rows)  # type: ignore[return-value]  # four rows of four by the check of the caller


def spacing_of(matrix: NDArray[np.float64]) -> tuple[float, float, float]:
    """Distance between voxel centres along i, j, k in mm."""
    i, j, k = (float(side) for side in np.linalg.norm(matrix[:3, :3], axis=0))
    return i, j, k


def _vector(values: Sequence[Any] | NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) + 0.0 for v in values)
    return x, y, z


def _scale(scale: ArrayLike | None, slabs: int) -> NDArray[np.float64]:
    pairs = np.broadcast_to(np.asarray((1.0, 0.0) if scale is None else scale, np.float64), (slabs, 2))
    if not np.isfinite(pairs).all() or (pairs[:, 0] == 0).any():
        raise UnreadableImage("The scale of the voxels is zero or not finite.")
    return pairs
