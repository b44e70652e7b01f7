"""Zoom, window, contrast, mark and mirror check: what they show, where it lies, and what they refuse."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.regrade import Regrade, regraded
from secondread.imaging.volume.volume import Volume
from secondread.schema.evidence import DerivedImage, Evidence, Findings, ToolFailure
from secondread.tools.runtime.calls import Call
from secondread.tools.runtime.runtime import Runtime

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    made = Runtime()
    yield made
    made.close()


def call(runtime: Runtime, tool: str, **args: Any) -> Evidence:
    found = asyncio.run(runtime.run([Call(tool=tool, args=args)]))
    return list(found.values())[-1]


def made(runtime: Runtime, tool: str, **args: Any) -> DerivedImage:
    result = call(runtime, tool, **args).result
    assert isinstance(result, DerivedImage), result
    return result


def ramp(rows: int = 100, columns: int = 120) -> NDArray[np.float32]:
    y, x = np.mgrid[:rows, :columns]
    return ((x + y) / (rows + columns)).astype(np.float32)


def test_a_zoom_has_the_wanted_size_and_points_in_it_resolve_to_the_image(runtime: Runtime) -> None:
    info = runtime.store.add(ramp())
    shown = made(runtime, "zoom", image=info.ref.id, x0=10, y0=20, x1=49, y1=59, side=400)
    ref = runtime.store.info(shown.image).ref
    assert max(ref.rows, ref.columns) == 400
    transform = runtime.store.to_ancestor(shown.image, info.ref.grid)
    for column, row in ((0.0, 0.0), (399.0, 399.0), (200.0, 100.0)):
        x, y = transform.x0 + column * transform.scale_x, transform.y0 + row * transform.scale_y
        at = runtime.store.pixels(shown.image)[int(row), int(column)]
        assert abs(at - (x + y) / 220) < 0.01  # the ramp says where a pixel is from, within half a pixel
    assert isinstance(call(runtime, "zoom", image=info.ref.id, x0=0, y0=0, x1=3, y1=3).result, ToolFailure)


def hounsfield() -> Volume:
    values = np.zeros((20, 24, 6), np.int16)
    values[:10] = 400
    values[10:] = -600
    return Volume.from_array(values, np.diag([1.0, 1.0, 3.0, 1.0]), unit="HU", modality="CT")


def test_a_window_shows_hounsfield_units_as_the_formula_says_and_keeps_the_values(runtime: Runtime) -> None:
    volume = hounsfield()
    info = runtime.store.add_volume(volume)
    shown = made(runtime, "window", image=info.ref.id, preset="bone")
    grey = runtime.store.pixels(shown.image)
    assert np.allclose(np.unique(grey), [0.0, 0.5], atol=1e-3)  # -600 lies below 400 - 900, 400 is the centre
    cut = runtime.store.slice(info.ref.id, "axial", 2)
    again = made(runtime, "window", image=cut.ref.id, centre=-600, width=1500)
    assert np.allclose(np.unique(runtime.store.pixels(again.image)), [0.5, 1.0], atol=1e-3)
    assert np.array_equal(runtime.store.values(again.image), runtime.store.values(cut.ref.id))


def test_a_window_is_refused_where_there_are_no_values_and_a_ct_window_where_they_are_no_hounsfield_units(
    runtime: Runtime,
) -> None:
    info = runtime.store.add(ramp())
    refused = call(runtime, "window", image=info.ref.id, preset="lung").result
    assert isinstance(refused, ToolFailure) and "Hounsfield" in refused.message
    assert "grey only" in call(runtime, "window", image=info.ref.id, centre=0, width=1).summary
    assert isinstance(call(runtime, "window", image=info.ref.id).result, ToolFailure)


@pytest.mark.parametrize("method", ["stretch", "equalise"])
def test_contrast_uses_the_whole_range_and_lies_on_its_parent(runtime: Runtime, method: str) -> None:
    faint = 0.4 + 0.1 * ramp()
    info = runtime.store.add(faint)
    shown = made(runtime, "contrast", image=info.ref.id, method=method)
    grey = runtime.store.pixels(shown.image)
    assert grey.shape == faint.shape and np.ptp(grey) > 0.9
    transform = runtime.store.to_ancestor(shown.image, info.ref.grid)
    assert (transform.x0, transform.y0, transform.scale_x, transform.scale_y) == (0, 0, 1, 1)


def test_a_flat_image_stays_flat() -> None:
    flat = np.full((30, 30), 0.5, np.float32)
    assert np.array_equal(regraded(Regrade(kind="equalise"), lambda: flat, lambda: flat), flat)


def test_marks_are_drawn_on_the_rim_of_the_box_and_nowhere_else(runtime: Runtime) -> None:
    info = runtime.store.add(np.full((100, 120), 0.5, np.float32))
    shown = made(runtime, "mark", image=info.ref.id, boxes=[[19.5, 29.5, 69.5, 79.5]])
    grey = runtime.store.pixels(shown.image)
    changed = np.abs(grey - 0.5) > 0.1
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 79, 20, 69)
    assert not changed[40:70, 30:60].any()
    outside = call(runtime, "mark", image=info.ref.id, boxes=[[0, 0, 500, 20]]).result
    assert isinstance(outside, ToolFailure) and "outside" in outside.message


def test_neither_side_of_the_heart_decides_whether_a_film_is_mirrored(runtime: Runtime) -> None:
    from PIL import Image

    film = np.asarray(Image.open(EXAMPLES / "chest.png").convert("L"), np.float32) / 255
    notes = {}
    for name, pixels in (("usual", film), ("mirrored", np.ascontiguousarray(film[:, ::-1]))):
        info = runtime.store.add(pixels, view="PA", age=60)
        result = call(runtime, "mirror_check", image=info.ref.id).result
        assert isinstance(result, Findings)
        found = result.get("mirrored_film")
        assert found is not None and found.polarity == "uncertain" and not found.verified
        notes[name] = found.note
    assert "image left" in notes["mirrored"] and "image right" in notes["usual"]
    assert "dextrocardia" in notes["mirrored"]
