import json
from itertools import pairwise

import numpy as np
import pytest

from secondread.schema.errors import ToolUnavailable
from secondread.tools.measure import error_model as module
from secondread.tools.measure.error_model import ErrorModel

MODEL = ErrorModel(bias=0.01, scale_floor=0.01, scale_slope=2.0, df=4.0, q90=2.1)
RECORD = {
    "name": "cardiothoracic_ratio",
    "method": "drawn",
    "data": "none",
    "data_sha256": "0" * 64,
    "date": "2026-01-01",
    "n": 10,
    "parameters": MODEL.model_dump(),
}


def test_probability_is_half_at_the_threshold_and_grows_with_the_value():
    assert MODEL.probability_above(0.51, 0.0, 0.5) == pytest.approx(0.5)
    values = [MODEL.probability_above(v, 0.01, 0.5) for v in np.linspace(0.3, 0.7, 41)]
    assert all(a < b for a, b in pairwise(values))
    assert values[0] < 0.01 and values[-1] > 0.99


def test_a_wider_spread_makes_it_less_sure():
    assert MODEL.probability_above(0.55, 0.05, 0.5) < MODEL.probability_above(0.55, 0.0, 0.5)
    narrow, wide = MODEL.interval(0.55, 0.0, "m"), MODEL.interval(0.55, 0.05, "m")
    assert wide.low < narrow.low and wide.high > narrow.high


def test_definition_error_widens_the_probability_and_leaves_the_interval():
    vague = MODEL.model_copy(update={"definition_sd": 0.05})
    assert vague.probability_above(0.55, 0.0, 0.5) < MODEL.probability_above(0.55, 0.0, 0.5)
    assert vague.interval(0.55, 0.0, "m") == MODEL.interval(0.55, 0.0, "m")


def test_probability_is_calibrated_on_errors_drawn_from_the_model():
    random = np.random.default_rng(3)
    truth = random.uniform(0.3, 0.7, 20000)
    spread = random.uniform(0.0, 0.01, truth.size)
    error = random.standard_t(4.0, truth.size) * np.sqrt(0.01**2 + (2.0 * spread) ** 2)
    measured = truth + MODEL.bias + error
    said = np.array([MODEL.probability_above(v, s, 0.5) for v, s in zip(measured, spread, strict=True)])
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        inside = (said > low) & (said < high)
        assert (truth[inside] > 0.5).mean() == pytest.approx(said[inside].mean(), abs=0.06)


def test_a_shipped_record_is_read_and_a_missing_one_is_none(tmp_path):
    (tmp_path / "cardiothoracic_ratio.json").write_text(json.dumps(RECORD))
    assert module.error_model("cardiothoracic_ratio", tmp_path) == MODEL
    assert module.record("cardiothoracic_ratio", tmp_path).n == 10
    assert module.error_model("nothing", tmp_path) is None
    assert module.probability_above(1.0, 0.0, 0.5, measurement="nothing") is None


@pytest.mark.parametrize("text", ["{", json.dumps({**RECORD, "parameters": {"bias": 0.0}})])
def test_a_damaged_record_is_an_error_not_a_guess(tmp_path, text):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(ToolUnavailable, match=r"broken\.json is damaged"):
        module.error_model("broken", tmp_path)
