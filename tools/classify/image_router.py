"""Which kind of picture an image is, so that experts are asked only about what they were trained for."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import CalibrationRecord, Finding, Findings
from secondread.schema.image import ImageInfo
from secondread.schema.record import Record
from secondread.tools.base import Card, Context, Tool, ToolRequest
from secondread.tools.classify.router_features import features, grey_rgb, to_square
from secondread.tools.classify.router_model import KINDS, OTHER, RouterModel
from secondread.tools.classify.router_weights import WEIGHTS, load_model
from secondread.tools.expert import records_of, weights_of

FILM_CODES = frozenset({"CR", "DX", "DR", "RG"})
"""DICOM modalities of plain films; which part of the body they show, the pixels must say."""

UNSTATED = frozenset({"OT", "SC", ""})
"""Codes that do not say what the picture shows (other, secondary capture)."""

HEADER: dict[str, frozenset[str]] = {
    "CT": frozenset({"ct_slice"}),
    "MR": frozenset({"mr_slice", "hippocampal_mr_crop"}),
    "US": frozenset({"ultrasound_image"}),
    "IVUS": frozenset({"ultrasound_image"}),
    "OP": frozenset({"fundus_photograph"}),
    "SM": frozenset({"blood_smear_image", "stained_micrograph", "fluorescence_micrograph"}),
    "GM": frozenset({"blood_smear_image", "stained_micrograph", "fluorescence_micrograph"}),
    **{code: frozenset({"chest_radiograph_image"}) for code in FILM_CODES},
}
"""Kinds that a DICOM Modality allows (PS3.3 C.7.3.1.1.1); a code that is not listed allows none."""

DECIDED_BY_HEADER = {"CT": "ct_slice", "MR": "mr_slice"}
"""Kinds that the header alone establishes: nothing else has that modality."""

TOLD = "the header says modality {0}"


class RouterRequest(ToolRequest):
    """Which image."""

    image: str = Field(min_length=1)
    """Image id."""


def known(record: CalibrationRecord, probability: float, typical: float) -> bool:
    """Whether pixels alone pass for a kind: likely enough, and not unlike all pictures of that kind."""
    p = record.parameters
    return probability >= float(p["least_probability"]) and typical >= float(p["least_typical"])


def findings(
    records: Sequence[CalibrationRecord], probabilities: Sequence[float], typical: Sequence[float], info: ImageInfo
) -> Findings:
    """What the model's numbers and the header mean for one image.

    Args:
        records: One per kind, in the order of `KINDS`.
        probabilities: Of each kind, then of the unknown.
        typical: `RouterModel.typical` of each kind.
        info: Its header facts win.

    Returns:
        One finding per kind and one on `other_image`, which is present when no kind is present or uncertain. An
        expert may run when the finding on its kind is present.
    """
    code = (info.modality or "").upper()
    stated = code not in UNSTATED
    items = [
        _judged(record, float(p), float(t), code if stated else "")
        for record, p, t in zip(records, probabilities[: len(KINDS)], typical, strict=True)
    ]
    best = int(np.argmax(probabilities))
    if stated and best < len(KINDS) and known(records[best], probabilities[best], typical[best]):
        items = [_warned(f, KINDS[best], code) for f in items]
    some = any(f.polarity != "absent" for f in items)
    likeliest = max(range(len(KINDS)), key=lambda k: probabilities[k])
    items.append(
        Finding(
            concept=OTHER,
            score=round(1 - float(typical[likeliest]) * float(probabilities[likeliest]), 4),
            score_kind="support",
            polarity="absent" if some else "present",
            note="it looks like a kind that is known" if some else "it looks like no kind that the experts know",
        )
    )
    return Findings(items=tuple(items))


def _shown(image: str, info: ImageInfo, ctx: Context) -> NDArray[np.uint8]:
    """What the model is given: the colours, the stretched grey, or the middle axial slice of a volume."""
    if info.dimension == 3:
        image = ctx.slice(image, "axial", ctx.volume(image).count("axial") // 2).id
    return ctx.colour(image) if info.colour else grey_rgb(ctx.pixels(image))


def _judged(record: CalibrationRecord, probability: float, typical: float, code: str) -> Finding:
    """One kind; `code` is the modality in the header, empty when it says nothing."""
    kind, p = record.name, record.parameters
    found = Finding(concept=kind, score=round(probability, 4), score_kind="support")
    if code and DECIDED_BY_HEADER.get(code) == kind:
        update = {"polarity": "present", "verified": True, "note": TOLD.format(code)}
    elif code and kind not in HEADER.get(code, frozenset()):
        update = {"polarity": "absent", "verified": True, "note": TOLD.format(code)}
    elif not known(record, probability, typical):
        seen = f"probability {probability:.2f}, as typical as {typical:.1%} of such pictures"
        update = {"polarity": "absent", "note": f"it does not look like one ({seen})"}
    elif not p["pixels_decide"]:
        update = {"note": str(p["note"])}
    else:
        update = {"polarity": "present", "verified": bool(p["verified"]), "note": str(p["note"])}
    return found.model_copy(update=update)


def _warned(found: Finding, looks: str, code: str) -> Finding:
    """The header wins; a kind that it makes present carries a word on what the pixels look like."""
    allowed = HEADER.get(code, frozenset())
    if found.polarity == "absent" or looks in allowed:
        return found
    return found.model_copy(update={"note": f"{found.note}, but the pixels look like: {looks.replace('_', ' ')}"})


class ImageRouter(Tool):
    """Chest film, fundus photograph, blood smear, micrograph, ultrasound, MR, CT, or none of what is known."""

    card: ClassVar[Card] = Card(
        name="image_router",
        version="1",
        summary="Run before an expert: which kind of picture is this, or is it none that the experts know.",
        kind="finding",
        establishes=(*KINDS, OTHER),
        dimension=None,
        in_plan=False,
        cost_seconds=0.02,
        intended_use="Keeps trained experts from pictures they do not know. Research use only; not a medical device.",
        limits=(
            "An expert may run only when the finding on its kind is present; any other polarity refuses it.",
            "All kinds but chest films were learned from one source each: pictures of other devices may be refused.",
            "CT and MR slices are not told apart by pixels across sources: only a DICOM header makes them present.",
            "A star field passes for a fluorescence micrograph. Of a volume, the middle axial slice is judged.",
        ),
        weights=weights_of(
            WEIGHTS,
            "NIH ChestX-ray14, Wingspan, Kermany, BCCD, DSB 2018, CHASE_DB1, usgra-seg, TotalSegmentator and "
            "pyradiomics examples, Medical Segmentation Decathlon Task04 (CC BY-SA 4.0)",
        ),
        calibration=records_of(WEIGHTS),
    )
    Request: ClassVar[type[ToolRequest]] = RouterRequest
    Result: ClassVar[type[Record]] = Findings

    def load(self) -> RouterModel:
        """See `Tool.load`."""
        return load_model(self.weights_folder)

    def run_batch(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
        """See `Tool.run_batch`. Images are judged one by one, so a batch equals its single runs."""
        model: RouterModel = ctx.model(self.card.name)
        records = [WEIGHTS.record(kind, self.weights_folder) for kind in KINDS]
        results: list[Any] = []
        for request in requests:
            try:
                info = ctx.info(request.image)
                row = features(to_square(_shown(request.image, info, ctx)))[None]
                probabilities, typical = model.probabilities(row)[0], model.typical(row)[0]
                results.append(findings(records, probabilities.tolist(), typical.tolist(), info))
            except SecondReadError as error:
                results.append(error)
        return results

    def summarise(self, result: Findings) -> str:
        """See `Tool.summarise`."""
        seen = [f"{f.concept.replace('_', ' ')}: {f.polarity}" for f in result.items if f.polarity != "absent"]
        return "; ".join(seen)
