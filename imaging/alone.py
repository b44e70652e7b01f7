"""What is said of the study of an image that was handed over by itself."""

from secondread.schema.image import ImageInfo
from secondread.schema.study import SeriesInfo, StudyInfo


def alone(info: ImageInfo) -> StudyInfo:
    """A study made of one image or volume that was handed over by itself."""
    name = info.ref.id.partition("-")[2]
    one = SeriesInfo(
        key=f"ser-{name}",
        number=1,
        kind="volume" if info.dimension == 3 else "image",
        modality=info.modality,
        body_part=info.body_part,
        views=() if info.view == "UNKNOWN" else (info.view,),
        images=info.place.count if info.place is not None and info.place.unit != "volume" else 1,
        pixel_mm=(info.spacing.row_mm, info.spacing.column_mm) if info.spacing is not None else None,
    )
    return StudyInfo(key=f"stu-{name}", series=(one,))
