"""Guards before any measurement: is this a frontal chest film, which projection, does it look like a child's."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from secondread.schema.errors import SecondReadError, ToolUnavailable
from secondread.schema.evidence import CalibrationRecord, Finding, Findings, Polarity
from secondread.schema.image import ImageInfo
from secondread.schema.record import Record
from secondread.tools.base import Card, Context, Tool, ToolRequest, WeightsInfo
from secondread.tools.classify import guard_input
from secondread.tools.classify.guard_network import GUARDS, MEMBERS
from secondread.tools.classify.guard_weights import WEIGHTS, Networks, load_networks, read_manifest

FILM_MODALITIES = frozenset({"CR", "DX", "DR", "RG", "OT", "SC"})
"""DICOM modalities under which a plain film is stored (OT and SC: other, secondary capture)."""

REFUSED_NOTE = "it looks like another kind of image, another body part, or a film that is turned or heavily cropped"

UPRIGHT_NOTE = "no training image says whether the patient stood, sat or lay: never judged from pixels"


def _shipped() -> tuple[str, tuple[CalibrationRecord, ...]] | None:
    try:
        return read_manifest()
    except ToolUnavailable:
        return None  # the card stays readable; load() says what is wrong


_MANIFEST = _shipped()


class GuardRequest(ToolRequest):
    """Which image, and optionally which network."""

    image: str = Field(min_length=1)
    """Image id."""
    member: int | None = Field(default=None, ge=0, lt=MEMBERS)
    """Use this fold's network alone (it has not seen that fold's patients); None: the mean of all."""


def probability(record: CalibrationRecord, log_odds: float) -> float:
    """Platt scaling of a guard's log-odds with the slope and intercept of its record."""
    z = float(record.parameters["slope"]) * log_odds + float(record.parameters["intercept"])
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, z))))


def judge(record: CalibrationRecord, score: float) -> Polarity:
    """Present from one threshold up, absent below the other, uncertain between them."""
    if score >= float(record.parameters["present_from"]):
        return "present"
    return "absent" if score < float(record.parameters["absent_below"]) else "uncertain"


def findings(records: Sequence[CalibrationRecord], log_odds: dict[str, float], info: ImageInfo) -> Findings:
    """What the log-odds of the three networks mean for one image."""
    items: list[Finding] = []
    for record in records:
        verified = bool(record.parameters["verified"])
        score = round(probability(record, log_odds[record.name]), 4)
        polarity = judge(record, score)
        note = str(record.parameters["note"])
        if record.name == "frontal_chest_radiograph" and polarity == "absent":
            note = REFUSED_NOTE
        if record.name == "frontal_chest_radiograph" and info.modality and info.modality not in FILM_MODALITIES:
            polarity, note = "absent", f"the header says modality {info.modality}, which is no plain film"
        finding = Finding(
            concept=record.name,
            score=score,
            score_kind="calibrated probability" if verified else "support",
            polarity=polarity,
            verified=verified,
            note=note,
        )
        items.append(finding)
        if record.name == "pa_view":
            turned: dict[Polarity, Polarity] = {"present": "absent", "absent": "present", "uncertain": "uncertain"}
            items.append(
                finding.model_copy(
                    update={"concept": "ap_view", "score": round(1 - score, 4), "polarity": turned[polarity]}
                )
            )
    items.append(Finding(concept="upright", note=UPRIGHT_NOTE))
    return Findings(items=tuple(items))


class ChestFilmGuard(Tool):
    """Is this a frontal chest film; which projection it looks like; whether it looks like a child's."""

    card: ClassVar[Card] = Card(
        name="chest_film_guard",
        version="1",
        summary="Run first on any image: is it a frontal chest film, does it look PA or AP, or like a child's.",
        kind="finding",
        establishes=("frontal_chest_radiograph", "pa_view", "ap_view", "child", "upright"),
        anatomy="chest",
        in_plan=False,
        cost_seconds=0.04,
        devices=("cpu", "cuda"),
        tolerance=1e-3,
        intended_use="Decides which rules apply to a film. Research use only; not a medical device.",
        limits=(
            "No lateral chest film was available: that a lateral one is recognised as such is untested.",
            "Mirrored films are not told from others. Turned by 90 or 180 degrees, a film counts as not frontal.",
            "Guards whose record says verified: false failed on a source they had not seen; they give support only.",
        ),
        weights=WeightsInfo(
            files=(WEIGHTS,),
            sha256=_MANIFEST[0] if _MANIFEST else "",
            source="secondread.training.guards",
            licence="Apache-2.0",
            status="trained" if _MANIFEST else "untrained",
        ),
        calibration=_MANIFEST[1] if _MANIFEST else (),
    )
    Request: ClassVar[type[ToolRequest]] = GuardRequest
    Result: ClassVar[type[Record]] = Findings

    def load(self) -> Networks:
        """See `Tool.load`."""
        return load_networks(self.weights_folder)

    def run_batch(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
        """See `Tool.run_batch`. Images go through the networks one by one, so a batch equals its single runs."""
        import torch

        _, records = _MANIFEST or read_manifest()
        networks: Networks = ctx.model(self.card.name)
        results: list[Any] = []
        for request in requests:
            try:
                square = guard_input.to_square(ctx.pixels(request.image))[None]
                with torch.inference_mode():
                    inputs = {size: guard_input.prepare(square, size) for size in {g.size for g in GUARDS.values()}}
                    log_odds = {
                        name: _mean(networks[name], inputs[guard.size], request.member)
                        for name, guard in GUARDS.items()
                    }
                results.append(findings(records, log_odds, ctx.info(request.image)))
            except SecondReadError as error:
                results.append(error)
        return results

    def summarise(self, result: Findings) -> str:
        """See `Tool.summarise`."""
        return "; ".join(_said(f) for f in result.items if f.score is not None and f.concept != "ap_view")


def _mean(members: Sequence[Any], image: Any, member: int | None) -> float:
    chosen = members if member is None else [members[member]]
    return sum(float(net(image.to(next(net.parameters()).device))) for net in chosen) / len(chosen)


def _said(finding: Finding) -> str:
    name = finding.concept.replace("_", " ")
    sure = "" if finding.verified else ", not verified"
    return f"{name}: {finding.polarity} ({finding.score:.2f}{sure})"
