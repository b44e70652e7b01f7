"""Licence texts and what a user accepts of them."""

import pytest

from secondread.tools.base import Card, WeightsInfo
from secondread.tools.licences import DEFAULT_ALLOWED, licence_class, notice, refusal


def card(code: str = "Apache-2.0", weights: str | None = None) -> Card:
    info = (
        WeightsInfo(files=("w.safetensors",), sha256="0", source="here", licence=weights)
        if weights is not None
        else None
    )
    return Card(name="one", version="1", summary="one", kind="finding", establishes=(), licence=code, weights=info)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Apache-2.0", "permissive"),
        ("BSD-3-Clause", "permissive"),
        ("CC-BY-4.0", "permissive"),
        ("Apache-2.0; trained on films under MIT, CC BY 4.0 and the NIH Clinical Center's terms", "permissive"),
        ("AGPL-3.0", "copyleft"),
        ("GNU Affero General Public License v3", "copyleft"),
        ("LGPL-2.1-only", "copyleft"),
        ("CC-BY-NC-4.0", "non_commercial"),
        ("Apache-2.0; weights for non-commercial use", "non_commercial"),
        ("CC BY-NC-SA 4.0", "non_commercial"),
        ("MIT OR GPL-3.0", "permissive"),
        ("MIT AND GPL-3.0", "copyleft"),
        ("", "unknown"),
        ("ask the authors", "unknown"),
        ("MIT; proprietary weights", "unknown"),
    ],
)
def test_a_licence_text_is_read_by_its_strictest_part(text: str, kind: str) -> None:
    assert licence_class(text) == kind


def test_the_default_refuses_non_commercial_and_unknown_weights_and_says_which_part() -> None:
    assert refusal(card(), DEFAULT_ALLOWED) is None
    assert refusal(card("Apache-2.0", "AGPL-3.0"), DEFAULT_ALLOWED) is None
    told = refusal(card("Apache-2.0", "CC-BY-NC-4.0"), DEFAULT_ALLOWED)
    assert told is not None
    assert "weights" in told
    assert "CC-BY-NC-4.0" in told
    assert "allowed_licences" in told
    assert "not stated" in (refusal(card(""), DEFAULT_ALLOWED) or "")


def test_a_class_or_a_single_licence_can_be_allowed() -> None:
    strict = card("Apache-2.0", "CC-BY-NC-4.0; of a challenge")
    assert refusal(strict, (*DEFAULT_ALLOWED, "non_commercial")) is None
    assert refusal(strict, (*DEFAULT_ALLOWED, "CC-BY-NC-4.0")) is None
    assert refusal(card("AGPL-3.0"), ("permissive",)) is not None


def test_evidence_carries_a_notice_only_where_a_licence_asks_for_something() -> None:
    assert notice(card("MIT", "Apache-2.0")) is None
    assert notice(card("MIT", "AGPL-3.0")) == "licence: weights under AGPL-3.0 (copyleft)"
