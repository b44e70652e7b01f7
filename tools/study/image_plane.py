"""In which plane of the patient an image lies, by the geometry in its file."""

import numpy as np

from secondread.schema.errors import NotApplicable, UsageError
from secondread.schema.evidence import Finding, Findings
from secondread.schema.study import Plane, PlaneGeometry
from secondread.tools.base import Card, Context, ToolRequest, tool

PLANES = {"axial": "axial_plane", "coronal": "coronal_plane", "sagittal": "sagittal_plane"}

CARD = Card(
    name="image_plane",
    version="1",
    summary="In which plane of the patient the image lies: axial, coronal or sagittal.",
    kind="finding",
    establishes=tuple(PLANES.values()),
    dimension=None,
    cost_seconds=0.001,
    cache="memory",
    limits=("Read from the file's geometry; the nearest plane is named. Without geometry it is not told.",),
)


@tool(CARD, request=ToolRequest, result=Findings, summary=lambda result: summarise(result))
def image_plane(request: ToolRequest, ctx: Context) -> Findings:
    """One finding per plane, as facts without a score.

    Raises:
        NotApplicable: The image comes without its place in the patient.
    """
    if request.image is None:
        raise UsageError("image_plane needs an image id.")
    info = ctx.info(request.image)
    plane = info.place.plane if info.place is not None else None
    if plane is None and info.geometry is not None:
        plane = nearest_plane(info.geometry)
    if plane is None:
        raise NotApplicable("The file does not say how the image lies in the patient, so its plane is not known.")
    note = f"the geometry in the file says {plane}"
    return Findings(
        items=tuple(
            Finding(
                concept=concept,
                polarity="present" if name == plane else "absent",
                score_kind="fact",
                verified=True,
                note=note,
            )
            for name, concept in PLANES.items()
        )
    )


def nearest_plane(geometry: PlaneGeometry) -> Plane | None:
    """The plane whose axis lies nearest to the image's normal; None for a geometry without area."""
    normal = np.cross(geometry.per_column, geometry.per_row)
    if not np.isfinite(normal).all() or not normal.any():
        return None
    planes: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
    return planes[int(np.argmax(np.abs(normal)))]


def summarise(result: Findings) -> str:
    """The plane."""
    return "; ".join(f.concept.replace("_", " ") for f in result.items if f.polarity == "present")
