"""Study, series and instance: what was handed over, put in order, without a pixel read.

Nothing here names a person but `Study.identity()` and the file names, which are for the terminal only.
"""

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.identity.vault import Identity
from secondread.imaging.loaded import LoadedImage
from secondread.imaging.study.header import Scaling
from secondread.imaging.study.held import Held
from secondread.imaging.study.stack import Stack
from secondread.schema.errors import NotApplicable
from secondread.schema.image import View
from secondread.schema.study import Place, Plane, PlaneGeometry, SeriesInfo, SeriesKind, StudyInfo

if TYPE_CHECKING:
    from secondread.imaging.dicom.file import DicomFile
    from secondread.imaging.video import Video
    from secondread.imaging.volume.volume import Volume


@dataclass(frozen=True, slots=True)
class Instance:
    """One image: a file, or one frame of it."""

    source: Held
    place: Place
    format: str
    """`dicom`, `png`, `jpeg`, `tiff`, `nifti`, `nrrd`, `metaimage` or `video`."""
    frame: int = 0
    """In its file, from 0."""
    geometry: PlaneGeometry | None = None
    rows: int = 0
    """0 when the scan did not look (pictures, volumes, video)."""
    columns: int = 0
    view: View = "UNKNOWN"
    """Projection that the header states."""
    scaling: Scaling | None = None
    """How its stored integers become values, when the scan could tell."""

    @property
    def name(self) -> str:
        """The file as typed, for messages at the terminal."""
        return self.source.name

    def open(self) -> "DicomFile":
        """The DICOM file this is a frame of, header first.

        Raises:
            UnreadableImage: It has gone or is damaged.
            NotApplicable: It is no DICOM file.
        """
        from secondread.imaging.dicom.file import open_dicom

        if self.format != "dicom":
            raise NotApplicable(f"{self.name} is no DICOM file.")
        return open_dicom(self.source.origin(), self.name)

    def load(self, *, view: str | None = None, age: float | None = None) -> LoadedImage:
        """Decode the image; its info says where it stands in its study.

        Args:
            view: Stated view; overrides the header.
            age: Stated age in years; overrides the header.

        Raises:
            UnreadableImage: Missing, truncated or damaged.
            UnsupportedImage: A kind that is not read.
            NotApplicable: A volume or a video, which are more than one image.
            UsageError: A view or age that is not one.
        """
        from secondread.imaging.load import decode
        from secondread.imaging.loaded import with_statement

        if self.format in ("nifti", "nrrd", "metaimage", "video"):
            raise NotApplicable(
                f"{self.name} holds more than one image.", hint="Take Series.volume() or Series.video()."
            )
        loaded = decode(self.source.data(), self.name, frame=self.frame)
        changes: dict[str, Any] = {"place": self.place}
        if loaded.info.geometry is None and self.geometry is not None:
            changes["geometry"] = self.geometry
        info = with_statement(loaded.info.model_copy(update=changes), view, age)
        return LoadedImage(info, loaded.grey, loaded.identity)

    def values(self) -> NDArray[np.float32] | None:
        """Modality values, shape (rows, columns): Hounsfield units for CT. None for colour and for pictures.

        Raises:
            UnreadableImage: Missing, truncated or damaged.
            UnsupportedImage: A kind that is not read.
        """
        if self.format != "dicom":
            return None
        opened = self.open()
        if opened.stored(self.frame).ndim != 2:
            return None
        return opened.values(self.frame)


@dataclass(frozen=True, slots=True)
class Series:
    """Images that belong together: one stack, one clip, or single images of one series."""

    key: str
    """`ser-` and 16 hexadecimal digits."""
    kind: SeriesKind
    place: Place
    """Of the series as a whole."""
    instances: tuple[Instance, ...]
    """In the order of `stack` when there is one (duplicates left out), else of acquisition."""
    modality: str | None = None
    body_part: str | None = None
    stack: Stack | None = None
    """How its slices lie; its `order` counts `instances`. None for what is no stack."""
    problems: tuple[str, ...] = ()
    left_out: tuple[Held, ...] = field(default=(), repr=False)
    """Files that are copies of others, or lie at the position of another."""

    @property
    def number(self) -> int:
        """Place in its study, from 1."""
        return self.place.series_number

    @property
    def plane(self) -> Plane | None:
        """Plane of its slices."""
        return self.stack.plane if self.stack is not None else None

    def volume(self, frame: int = 0) -> "Volume":
        """The series as one volume; no pixel is decoded yet.

        Args:
            frame: Time point of a 4D file (NIfTI); a DICOM series has one, as others are series of their own.

        Raises:
            NotApplicable: It is no volume, with the reason.
            UnreadableImage: A file is missing or damaged.
            UnsupportedImage: A kind that is not read.
        """
        if self.instances and self.instances[0].format in ("nifti", "nrrd", "metaimage"):
            from secondread.imaging.volume.open import open_volume

            only = self.instances[0]
            opened = open_volume(only.source.origin(), only.name, frame=frame)
            opened.header = opened.header.model_copy(update={"place": self.place})
            return opened
        from secondread.imaging.volume.series import from_series

        if frame:
            raise NotApplicable("A DICOM series holds one volume; its other time points are series of their own.")
        return from_series(self)

    def video(self) -> "Video":
        """The clip of a video file.

        Raises:
            NotApplicable: It is no video file; the frames of a DICOM clip are its instances.
            UnreadableImage: Missing or damaged.
            UnsupportedImage: A codec that is not built in.
        """
        from secondread.imaging.video import open_video

        if not self.instances or self.instances[0].format != "video":
            raise NotApplicable("The series is no video file.", hint="The frames of a DICOM clip are its instances.")
        only = self.instances[0].source
        return open_video(only.origin(), only.name)

    def info(self) -> SeriesInfo:
        """What is known of it, for tools and people."""
        regular = self.stack is not None and self.stack.regular and len(self.instances) > 1
        spacing = self.stack.spacing_mm if self.stack is not None and regular else None
        views = tuple(dict.fromkeys(one.view for one in self.instances if one.view != "UNKNOWN"))
        geometry = self.instances[0].geometry if self.instances else None
        return SeriesInfo(
            key=self.key,
            number=self.number,
            kind=self.kind,
            modality=self.modality,
            body_part=self.body_part,
            views=views,
            images=len(self.instances),
            plane=self.plane,
            spacing_mm=spacing[2] if spacing is not None else None,
            pixel_mm=(math.hypot(*geometry.per_row), math.hypot(*geometry.per_column)) if geometry else None,
            problems=self.problems,
        )


@dataclass(frozen=True, slots=True)
class FilmPair:
    """A frontal chest film and the lateral one that goes with it; either may be missing."""

    frontal: Instance | None
    lateral: Instance | None


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be used."""

    source: Held
    reason: str
    """In one sentence that starts with the file as typed; for the terminal only."""


@dataclass(frozen=True, slots=True)
class Study:
    """One visit of one patient."""

    key: str
    """`stu-` and 16 hexadecimal digits."""
    series: tuple[Series, ...]
    number: int = 1
    """Place in time among the studies handed over, oldest first."""
    count: int = 1
    role: Literal["current", "prior"] = "current"
    """prior: older than the newest study of the same patient."""
    patient: int | None = None
    """Counts the patients handed over from 1; None when nothing tells whose study it is."""
    films: tuple[FilmPair, ...] = ()
    """Chest radiographs by projection."""
    problems: tuple[str, ...] = ()
    """Of the study and of what it was handed over with; those of a series are with it."""
    skipped: int = 0
    """Files handed over with it that are no images."""
    unread: tuple[Unread, ...] = field(default=(), repr=False)
    """Files that should have been readable and were not, of all that was handed over."""
    copies: tuple[Held, ...] = field(default=(), repr=False)
    """Files left out because they are one object a second time."""

    def identity(self) -> Identity:
        """Whose study it is and when it was taken, from the header of its first DICOM file; empty without one.

        Raises:
            UnreadableImage: The file has gone or is damaged.
        """
        for one in self.series:
            if one.instances and one.instances[0].format == "dicom":
                return one.instances[0].open().identity()
        return Identity({})

    @property
    def frontal(self) -> Instance | None:
        """The frontal chest film, the first when there are several."""
        return next((pair.frontal for pair in self.films if pair.frontal is not None), None)

    @property
    def lateral(self) -> Instance | None:
        """The lateral chest film that goes with `frontal`, or the first there is."""
        frontal = self.frontal
        pairs = [pair for pair in self.films if pair.frontal is frontal] if frontal is not None else list(self.films)
        return next((pair.lateral for pair in pairs if pair.lateral is not None), None)

    @property
    def images(self) -> int:
        """Number of images that show a patient, over all series."""
        return sum(len(one.instances) for one in self.series if one.kind not in ("derived", "document"))

    def info(self) -> StudyInfo:
        """What is known of it, for tools and people."""
        return StudyInfo(
            key=self.key,
            number=self.number,
            count=self.count,
            role=self.role,
            series=tuple(one.info() for one in self.series),
            problems=self.problems,
        )


def rebased(found: Stack) -> Stack:
    """The stack of slices that have been brought into its order."""
    return replace(found, order=tuple(range(len(found.order))), duplicates=())
