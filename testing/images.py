"""Images of nothing in particular: drawn ones that a tool may read, and odd ones that it must survive."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from secondread.imaging.store import ImageStore
    from secondread.imaging.volume.volume import Volume

NAME, PATIENT_ID = "Quuxworth^Zebedee", "ZQ-4711-KIT"
"""Of the person in the header of `dicom_of_a_person`; must appear nowhere."""


def ellipses(rows: int = 320, columns: int = 256) -> "NDArray[np.float32]":
    """A smooth drawing: two dark ovals and a bright one on a grey ground, with a little fixed noise, in 0..1."""
    import numpy as np

    y, x = np.mgrid[:rows, :columns]
    v, u = (2 * y + 1) / rows - 1, (2 * x + 1) / columns - 1
    image = np.full((rows, columns), 0.45)
    for cx, cy, rx, ry, grey in (
        (-0.45, 0.0, 0.3, 0.6, 0.12),
        (0.45, 0.0, 0.3, 0.6, 0.15),
        (0.08, 0.3, 0.35, 0.25, 0.85),
    ):
        image[((u - cx) / rx) ** 2 + ((v - cy) / ry) ** 2 <= 1] = grey
    image += np.random.default_rng(7).normal(0, 0.01, image.shape)
    return np.asarray(np.clip(image, 0, 1), np.float32)


def body(shape: tuple[int, int, int] = (28, 30, 22)) -> "Volume":
    """A volume in Hounsfield units: an oval of soft tissue with a bright rod in air, voxels of 2 x 2 x 3 mm."""
    import numpy as np

    from secondread.imaging.volume.volume import Volume

    i, j, k = np.mgrid[: shape[0], : shape[1], : shape[2]]
    u, v = (2 * i + 1) / shape[0] - 1, (2 * j + 1) / shape[1] - 1
    values = np.where((u / 0.8) ** 2 + (v / 0.6) ** 2 <= 1, 40, -1000).astype(np.int16)
    values[(u**2 + (v + 0.3) ** 2 <= 0.02) & (k > 3)] = 700
    return Volume.from_array(values, np.diag([2.0, 2.0, 3.0, 1.0]), unit="HU", modality="CT")


def with_gaps() -> "Volume":
    """A volume of floats of which some are not finite."""
    import numpy as np

    from secondread.imaging.volume.volume import Volume

    values = np.random.default_rng(3).normal(0, 1, (24, 26, 20)).astype(np.float32)
    values[4:9, 5:9] = np.nan
    values[15, 15, 10] = np.inf
    return Volume.from_array(values, np.diag([1.0, 1.0, 1.0, 1.0]))


def sample_images() -> tuple[Any, ...]:
    """Drawn images that `check_tool` adds to those it is given: a picture, a marked part of it, a volume, a slice."""
    marked = {"region": (31.5, 47.5, 95.5, 127.5)}
    return ellipses(), (ellipses(), marked), body(), (body(), {"slice": ("axial", 11)})


def odd_images() -> "dict[str, Callable[[ImageStore], str]]":
    """Images that no tool was made for, by name; each is entered into a store and gives its id."""
    import numpy as np

    noise = np.random.default_rng(5).random((64, 48), np.float32)

    def slice_with_gaps(store: "ImageStore") -> str:
        volume = store.add_volume(with_gaps()).ref.id
        return store.slice(volume, "axial", 10).ref.id

    def picture(pixels: Any) -> "Callable[[ImageStore], str]":
        return lambda store: store.add(pixels).ref.id

    return {
        "all black": picture(np.zeros((64, 64), np.float32)),
        "all white": picture(np.ones((64, 64), np.float32)),
        "one pixel": picture(np.full((1, 1), 0.5, np.float32)),
        "one row": picture(np.linspace(0, 1, 300, dtype=np.float32)[None]),
        "noise": picture(noise),
        "a slice with values that are not finite": slice_with_gaps,
        "a volume with values that are not finite": lambda store: store.add_volume(with_gaps()).ref.id,
        "a volume of one voxel": lambda store: store.add_volume(_one_voxel()).ref.id,
    }


def _one_voxel() -> "Volume":
    import numpy as np

    from secondread.imaging.volume.volume import Volume

    return Volume.from_array(np.full((1, 1, 1), 30, np.int16), np.eye(4))


def dicom_of_a_person(grey: "NDArray[np.float32]") -> bytes:
    """The picture as a DICOM file whose header names a person of nobody's acquaintance."""
    import io

    import numpy as np
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = Dataset()
    data.PatientName, data.PatientID, data.PatientBirthDate = NAME, PATIENT_ID, "19471104"
    data.AccessionNumber, data.InstitutionName = "ACC-99-KIT", "Kit Hospital"
    data.Modality, data.ViewPosition, data.PatientAge = "DX", "PA", "060Y"
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.Rows, data.Columns = grey.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = np.round(grey * 4095).astype("<u2").tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
