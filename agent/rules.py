"""The clinical rules of the cardiothoracic ratio: when a verdict may be given, when only a value, when neither."""

from typing import Literal

from secondread.schema.evidence import Findings, Measurement, QualityReport, Regions
from secondread.schema.image import ImageInfo
from secondread.schema.record import Record
from secondread.schema.units import Probability

Mode = Literal["verdict", "one_sided", "value_only", "indeterminate"]
ADULT_YEARS = 18
STRONG_ROTATION_DEGREES = 10.0
"""In-plane tilt past which the film counts as strongly rotated; the ratio of bounding columns of a tilted
thorax differs from the upright one by about 1 - cos of the tilt, and the film was not positioned as intended."""


class ViewReading(Record):
    """Which projection the rules assume, and on what ground."""

    treated_as: Literal["PA", "AP"]
    basis: Literal["header", "stated", "guard", "unknown"]
    probability_pa: Probability | None = None
    """From the view guard, when that is the basis."""
    text: str


class AgeReading(Record):
    """Whether the adult threshold applies, and on what ground."""

    group: Literal["adult", "child"]
    basis: Literal["header", "stated", "guard", "unknown"]
    text: str
    verified: bool = True
    """False: it rests on a guard that was not shown to hold on other sources."""


class Ruling(Record):
    """What may be said about the size of the heart on this film."""

    mode: Mode
    view: ViewReading
    age: AgeReading
    reasons: tuple[str, ...] = ()
    """Why it is less than a verdict."""
    caveats: tuple[str, ...] = ()


def read_view(info: ImageInfo, guards: Findings | None) -> ViewReading:
    """The projection from header or caller; else from a verified view guard; else AP, never PA."""
    if info.view in ("PA", "AP") and info.view_source in ("header", "stated"):
        said = "stated by the caller" if info.view_source == "stated" else "from the header"
        beds = [w for w, on in (("supine", info.position == "supine"), ("portable", info.portable is True)) if on]
        if info.view == "PA" and not beds:
            return ViewReading(treated_as="PA", basis=info.view_source, text=f"PA view, {said}")
        if info.view == "PA":
            return ViewReading(treated_as="AP", basis=info.view_source, text=f"{beds[0]} film, read like an AP film")
        return ViewReading(treated_as="AP", basis=info.view_source, text=f"AP view, {said}")
    if info.position == "supine" or info.portable:
        return ViewReading(treated_as="AP", basis="header", text="supine or portable film, read like an AP film")
    found = guards.get("pa_view") if guards else None
    if found is not None and found.verified and found.score is not None:
        if found.polarity == "present":
            return ViewReading(
                treated_as="PA",
                basis="guard",
                probability_pa=found.score,
                text=f"view not stated; the view guard gives PA a probability of {found.score:.2f}",
            )
        return ViewReading(
            treated_as="AP",
            basis="guard",
            probability_pa=found.score,
            text=f"view not stated; PA has a probability of {found.score:.2f}, too low: read like an AP film",
        )
    return ViewReading(
        treated_as="AP", basis="unknown", text="view not stated and not verified from the pixels: read like an AP film"
    )


def read_age(info: ImageInfo, guards: Findings | None) -> AgeReading:
    """The age group from header or caller; else child when the guard finds the film child-like."""
    if info.age_years is not None and info.age_source in ("header", "stated"):
        said = "stated by the caller" if info.age_source == "stated" else "from the header"
        group: Literal["adult", "child"] = "adult" if info.age_years >= ADULT_YEARS else "child"
        return AgeReading(group=group, basis=info.age_source, text=f"{group}, age {said}")
    found = guards.get("child") if guards else None
    if found is not None and found.polarity == "absent":
        sure = "" if found.verified else "; adolescents cannot be told apart this way"
        text = f"age not stated; the film does not look like a child's{sure}"
        return AgeReading(group="adult", basis="guard", text=text, verified=found.verified)
    if found is not None and found.polarity == "present":
        return AgeReading(group="child", basis="guard", text="age not stated and the film looks like a child's")
    return AgeReading(group="child", basis="unknown", text="age not stated and not told by the pixels: may be a child")


def heart_size_ruling(
    info: ImageInfo,
    guards: Findings | None,
    anatomy: Regions | None,
    quality: QualityReport | None,
    ratio: Measurement | None,
    rotation: Measurement | None,
) -> Ruling:
    """Which statement on heart size these conditions allow; `docs/clinical_rules.md` has the table in words."""
    view, age = read_view(info, guards), read_age(info, guards)
    caveats: list[str] = []
    blocking: list[str] = []
    if quality is not None and quality.overall == "reject":
        blocking.append("the image quality is too poor: " + "; ".join(quality.reasons))
    frontal = guards.get("frontal_chest_radiograph") if guards else None
    if frontal is not None and frontal.polarity == "uncertain":
        blocking.append("it is not certain that this is a frontal chest film")
    if anatomy is not None and not anatomy.plausible:
        blocking.append("heart and lungs were not found as on a frontal chest film: " + "; ".join(anatomy.reasons))
    if rotation is not None and rotation.value is not None and abs(rotation.value) > STRONG_ROTATION_DEGREES:
        blocking.append(f"the film is strongly rotated ({abs(rotation.value):.0f} degrees in the image plane)")
    if ratio is not None and any("cut off" in c for c in ratio.caveats):
        blocking.append("a border of heart or chest is cut off")
    if anatomy is not None and anatomy.heart_side == "image_left":
        caveats.append("the heart lies to the image left: mirrored film or dextrocardia, pixels cannot tell which")
    mode: Mode = "verdict"
    reasons: tuple[str, ...] = ()
    if age.group == "child":
        mode, reasons = "value_only", (f"the 0.50 threshold holds for adults only ({age.text})",)
    elif blocking:
        mode, reasons = "indeterminate", tuple(blocking)
    elif view.treated_as == "AP" and not age.verified:
        known = (
            "neither a PA view nor the age is known" if view.basis in ("unknown", "guard") else "the age is not known"
        )
        mode, reasons = "value_only", (f"{known}, and the guard against children is not verified on other sources",)
    elif view.treated_as == "AP":
        mode, reasons = "one_sided", (f"{view.text}, and such films magnify the heart",)
    return Ruling(mode=mode, view=view, age=age, reasons=reasons, caveats=tuple(caveats))
