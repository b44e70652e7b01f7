"""What kind of picture an image is: the header decides, pixels alone support."""

import pytest

from secondread.schema.evidence import Finding, Findings
from secondread.schema.image import ImageInfo, ImageRef
from secondread.tools.classify.image_kind import BY_PIXELS, kinds, known

NOTHING = Findings(items=tuple(Finding(concept=c, score=0.01, polarity="absent", note="no") for c in BY_PIXELS))


def info(modality: str | None) -> ImageInfo:
    return ImageInfo(ref=ImageRef(id="img-" + "a" * 16, rows=8, columns=8, grid="g"), modality=modality)


def said(modality: str | None, router: Findings = NOTHING) -> dict[str, str]:
    return {f.concept: f.polarity for f in kinds(info(modality), router) if known(f) or f.verified}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DX", "xray_image"),
        ("MG", "xray_image"),
        ("CT", "ct_slice"),
        ("MR", "mr_slice"),
        ("US", "ultrasound_image"),
    ],
)
def test_the_modality_in_the_header_decides_and_rules_the_others_out(code: str, kind: str) -> None:
    found = said(code)
    assert found.pop(kind) == "present"
    assert set(found.values()) == {"absent"} and len(found) == 3


@pytest.mark.parametrize("code", [None, "OT", "SC"])
def test_without_a_modality_pixels_support_a_kind_and_decide_nothing(code: str | None) -> None:
    seen = Findings(items=(Finding(concept="chest_radiograph_image", score=0.99, polarity="present", verified=True),))
    assert said(code) == {}
    assert said(code, seen) == {"chest_radiograph_image": "uncertain", "xray_image": "uncertain"}


def test_a_modality_that_is_none_of_them_rules_all_of_them_out() -> None:
    assert set(said("NM").values()) == {"absent"}
