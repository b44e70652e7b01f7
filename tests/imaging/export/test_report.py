"""Reports read back with values, units, intervals, sites, landmarks and ids intact."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secondread.imaging.export.report import Measured, write_measurement_report
from secondread.imaging.export.write import Maker
from secondread.schema.errors import InputError, UnsupportedImage
from secondread.schema.evidence import Interval, Measurement, Threshold
from secondread.schema.region import Point

MAKER = Maker("cardiothoracic_ratio", "2.0", "cd" * 32)
RATIO = Measurement(
    name="cardiothoracic_ratio",
    value=0.53125,
    unit="1",
    interval=Interval(low=0.49, high=0.57, level=0.9, method="Student t error model"),
    landmarks=(Point(grid="g", x=10.0, y=20.5, name="heart_left"), Point(grid="g", x=99.0, y=20.5, name="heart_right")),
    threshold=Threshold(
        value=0.5, unit="1", direction="above", concept="enlarged_cardiac_silhouette", population="adult PA", source="x"
    ),
    caveats=("Film is rotated.",),
)


def read(path: Path) -> Any:
    from highdicom.sr import srread

    return srread(path)


def groups(path: Path) -> list[Any]:
    found: list[Any] = read(path).content.get_image_measurement_groups()
    return found


def test_a_measurement_comes_back_whole(film: Path, tmp_path: Path, errors_of: Callable[[Path], list[str]]) -> None:
    import pydicom

    written = write_measurement_report(
        [film], [Measured(RATIO, MAKER, "left_lung", tracking="E3")], tmp_path / "sr.dcm"
    )
    assert not errors_of(written.path)
    (group,) = groups(written.path)
    (number,) = group.get_measurements()
    assert (number.name.value, number.name.meaning) == ("cardiothoracic_ratio", "cardiothoracic ratio")
    assert number.value == pytest.approx(0.53125)
    assert (number.unit.value, number.unit.scheme_designator) == ("1", "UCUM")
    assert group.tracking_identifier == "E3 cardiothoracic_ratio"
    assert group.tracking_uid
    (site,) = group.finding_sites
    assert (site.value.value, site.laterality.meaning) == ("39607008", "Left")
    words = [
        item.value for item in group[0].ContentSequence if item.ValueType == "TEXT" and item.name.value == "121106"
    ]
    assert any("90% interval 0.49 to 0.57 1; method: Student t error model" in line for line in words)
    assert any("enlarged cardiac silhouette when above 0.5" in line for line in words)
    assert "Film is rotated." in words
    uncertainty = {
        item.name.meaning: float(item.MeasuredValueSequence[0].NumericValue)
        for item in number[0].ContentSequence
        if item.ValueType == "NUM"
    }
    assert sorted(uncertainty.values()) == pytest.approx([0.53125 - 0.49, 0.57 - 0.53125][::-1])
    points = [item for item in number[0].ContentSequence if item.ValueType == "SCOORD"]
    assert [tuple(map(float, p.GraphicData)) for p in points] == [(10.5, 21.0), (99.5, 21.0)]
    assert [p.name.value for p in points] == ["heart_left", "heart_right"]
    referenced = points[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert referenced == pydicom.dcmread(film).SOPInstanceUID


def test_the_tool_and_its_weights_are_named(film: Path, tmp_path: Path) -> None:
    path = write_measurement_report([film], [Measured(RATIO, MAKER)], tmp_path / "sr.dcm").path
    text = read(path).to_json()
    for word in ("cardiothoracic_ratio", "2.0", f"weights_sha256={'cd' * 32}", "Artificial Intelligence"):
        assert word in text


def test_what_was_not_measured_is_said_without_a_number(
    film: Path, tmp_path: Path, errors_of: Callable[[Path], list[str]]
) -> None:
    lacking = Measurement(name="inspiration", not_measurable="The lungs are cut off.", surrogate_for="poor_inspiration")
    written = write_measurement_report([film], [Measured(lacking, MAKER)], tmp_path / "sr.dcm")
    assert not errors_of(written.path)
    (group,) = groups(written.path)
    assert not group.get_measurements()
    assert "Not measured: The lungs are cut off." in read(written.path).to_json()


UNITS = {"mm": "mm", "deg": "deg", "HU": "[hnsf'U]", "px": "{pixels}", "1": "1", "ml": "mL", "slices": "{slices}"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.floats(-1e6, 1e6, allow_nan=False),
    unit=st.sampled_from(sorted(UNITS)),
    around=st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)),
    where=st.lists(st.tuples(st.floats(-0.5, 400), st.floats(-0.5, 400)), max_size=4),
)
def test_any_value_unit_and_landmark_comes_back(
    film: Path, tmp_path: Path, value: float, unit: str, around: tuple[float, float], where: list[tuple[float, float]]
) -> None:
    measurement = Measurement(
        name="heart_width",
        value=value,
        unit=unit,
        interval=Interval(low=value - around[0], high=value + around[1], level=0.9, method="m"),
        landmarks=tuple(Point(grid="g", x=x, y=y) for x, y in where),
    )
    path = write_measurement_report([film], [Measured(measurement, MAKER, "heart")], tmp_path / "sr.dcm").path
    (number,) = groups(path)[0].get_measurements()
    assert number.value == pytest.approx(value, rel=1e-8, abs=1e-12)
    assert number.unit.value == UNITS[unit]
    found = [tuple(map(float, i.GraphicData)) for i in number[0].ContentSequence if i.ValueType == "SCOORD"]
    assert np.allclose(found, [(x + 0.5, y + 0.5) for x, y in where], atol=1e-3)


def test_a_slice_of_a_series_is_the_one_referred_to(
    ct_series: Callable[..., list[Path]], tmp_path: Path, errors_of: Callable[[Path], list[str]]
) -> None:
    paths = ct_series(4)
    measurement = Measurement(name="mean_intensity", value=200.0, unit="HU", landmarks=(Point(grid="g", x=1, y=2),))
    written = write_measurement_report(paths, [Measured(measurement, MAKER, "liver", source=2)], tmp_path / "sr.dcm")
    assert not errors_of(written.path)
    (number,) = groups(written.path)[0].get_measurements()
    (point,) = (item for item in number[0].ContentSequence if item.ValueType == "SCOORD")
    assert point.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.9.3"


def test_a_report_needs_a_dicom_source_and_a_measurement(film: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match="a DICOM structured report refers to the DICOM object"):
        write_measurement_report([film.with_name("chest.png")], [Measured(RATIO, MAKER)], tmp_path / "sr.dcm")
    with pytest.raises(InputError, match="no measurement"):
        write_measurement_report([film], [], tmp_path / "sr.dcm")
    assert not list(tmp_path.iterdir())
