"""A volume: stored voxels, how they lie in the patient (RAS, mm), and its slices as displayed."""

import math
import threading
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secondread.imaging.dicom.voi import Window
from secondread.imaging.identity.vault import Identity
from secondread.imaging.limits import check_size
from secondread.imaging.volume.grid import Grid, as_affine, spacing_of
from secondread.imaging.volume.orientation import SHOWN, affine_fault
from secondread.imaging.volume.survey import Survey, survey
from secondread.imaging.volume.voxels import ArrayVoxels, MappedVoxels, VoxelSource
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage, UsageError
from secondread.schema.image import ImageInfo, ImageRef, Spacing
from secondread.schema.record import short_hash
from secondread.schema.study import Place, Plane, VolumeInfo

if TYPE_CHECKING:
    from secondread.imaging.study.model import Instance

Box3 = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Half-open index ranges along i, j, k."""

SOFT_TISSUE = (40.0, 400.0)
"""Centre and width in HU. Source: the abdomen / soft tissue preset of common viewers."""

OBLIQUE_DEGREES = 1.0
"""From this angle between grid and patient axes on, a caveat states it."""


class Volume(Grid):
    """Voxels of one volume, read when first needed, and their slices. Thread-safe; nothing in it can be written to.

    Voxels keep their stored dtype; `value = stored * slope + intercept` is applied to what is asked for.

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
        super().__init__(info.shape, info.affine)
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
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype."""
        return self._voxels.dtype

    @property
    def slices(self) -> "tuple[Instance, ...]":
        """The DICOM image behind each k, for exporters; empty when the volume was not read from such."""
        return getattr(self._voxels, "slices", ())

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
            with np.errstate(over="ignore"):
                return np.asarray(stored, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit float32 is counted as not finite
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


def _scale(scale: ArrayLike | None, slabs: int) -> NDArray[np.float64]:
    pairs = np.broadcast_to(np.asarray((1.0, 0.0) if scale is None else scale, np.float64), (slabs, 2))
    if not np.isfinite(pairs).all() or (pairs[:, 0] == 0).any():
        raise UnreadableImage("The scale of the voxels is zero or not finite.")
    return pairs
