"""The clinical rules as a table."""

import pytest

from secondread.agent.rules import heart_size_ruling, read_age, read_view
from secondread.schema.evidence import Finding, Findings, Measurement, QualityReport, Regions
from secondread.schema.image import ImageInfo, ImageRef

REF = ImageRef(id="img-0", rows=10, columns=10, grid="g")


def info(**fields: object) -> ImageInfo:
    return ImageInfo.model_validate({"ref": REF, **fields})


def guards(pa: float | None = None, child: str | None = None, verified: bool = True) -> Findings:
    items = []
    if pa is not None:
        polarity = "present" if pa >= 0.9 else "uncertain"
        items.append(
            Finding(
                concept="pa_view", score=pa, score_kind="calibrated probability", polarity=polarity, verified=verified
            )
        )
    if child is not None:
        items.append(Finding.model_validate({"concept": "child", "polarity": child, "verified": verified}))
    return Findings(items=tuple(items))


PA = {"view": "PA", "view_source": "stated"}
ADULT = {"age_years": 60, "age_source": "stated"}


@pytest.mark.parametrize(
    ("fields", "found", "mode"),
    [
        ({**PA, **ADULT}, None, "verdict"),
        ({"view": "AP", "view_source": "header", **ADULT}, None, "one_sided"),
        ({**PA, **ADULT, "position": "supine"}, None, "one_sided"),
        ({**PA, **ADULT, "portable": True}, None, "one_sided"),
        (ADULT, None, "one_sided"),
        (ADULT, guards(pa=0.97), "verdict"),
        (ADULT, guards(pa=0.97, verified=False), "one_sided"),
        (ADULT, guards(pa=0.5), "one_sided"),
        ({**PA, "age_years": 9, "age_source": "header"}, None, "value_only"),
        (PA, guards(child="present"), "value_only"),
        (PA, guards(child="absent"), "verdict"),
        (PA, None, "value_only"),
        (PA, guards(child="uncertain"), "value_only"),
        ({}, guards(child="absent"), "one_sided"),
        ({}, guards(child="absent", verified=False), "value_only"),
        (PA, guards(child="absent", verified=False), "verdict"),
        ({"view": "AP", "view_source": "stated"}, guards(child="absent", verified=False), "value_only"),
    ],
)
def test_view_and_age(fields: dict[str, object], found: Findings | None, mode: str) -> None:
    assert heart_size_ruling(info(**fields), found, None, None, None, None).mode == mode


def test_an_unknown_view_is_never_read_as_pa() -> None:
    assert read_view(info(), None).treated_as == "AP"
    assert read_view(info(), guards(pa=0.99, verified=False)).treated_as == "AP"


def test_eighteen_is_adult() -> None:
    assert read_age(info(age_years=18, age_source="header"), None).group == "adult"
    assert read_age(info(age_years=17.9, age_source="header"), None).group == "child"


@pytest.mark.parametrize(
    ("anatomy", "quality", "ratio", "tilt", "word"),
    [
        (Regions(masks={}, plausible=False, reasons=("no heart",)), None, None, None, "no heart"),
        (None, QualityReport(overall="reject", attributes=(), reasons=("blank",)), None, None, "blank"),
        (None, None, Measurement(name="r", value=0.5, caveats=("border cut off at the image left",)), None, "cut off"),
        (None, None, None, Measurement(name="in_plane_rotation", value=-14.0, unit="deg"), "14"),
    ],
)
def test_what_blocks_a_verdict(anatomy: object, quality: object, ratio: object, tilt: object, word: str) -> None:
    ruling = heart_size_ruling(info(**PA, **ADULT), None, anatomy, quality, ratio, tilt)  # type: ignore[arg-type]  # a table
    assert ruling.mode == "indeterminate"
    assert word in " ".join(ruling.reasons)


def test_a_film_that_may_be_none_gets_no_verdict() -> None:
    unsure = Findings(items=(Finding(concept="frontal_chest_radiograph", polarity="uncertain"),))
    assert heart_size_ruling(info(**PA, **ADULT), unsure, None, None, None, None).mode == "indeterminate"


def test_a_heart_on_the_image_left_is_a_caveat_and_keeps_the_verdict() -> None:
    ruling = heart_size_ruling(info(**PA, **ADULT), None, Regions(masks={}, heart_side="image_left"), None, None, None)
    assert ruling.mode == "verdict"
    assert "dextrocardia" in ruling.caveats[0]
