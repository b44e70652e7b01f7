"""Pictures of evidence: everything asked for is on them, and nothing is cut off."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.draw.lettering import Labels, width, wrap
from secondread.imaging.draw.palette import SKY_BLUE, VERMILLION, colours
from secondread.imaging.draw.render import Line, overlay, save_png, thumbnail
from secondread.schema.errors import InputError, UsageError
from secondread.schema.image import Spacing
from secondread.schema.region import Box, Point


def has(picture: Any, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(picture.convert("RGB")) == colour).all(-1).sum())


def film(rows: int, columns: int) -> NDArray[np.float32]:
    return np.full((rows, columns), 0.4, np.float32)


@pytest.mark.parametrize("side", [224, 512, 1024, 3000])
def test_the_film_is_shown_between_900_and_1400_pixels(side: int) -> None:
    picture = overlay(film(side, side * 3 // 4))
    assert 900 <= picture.height <= 1400 + 120
    assert picture.mode == "RGB"


def test_masks_lines_and_points_are_drawn_where_they_lie() -> None:
    grey = film(300, 300)
    mask = np.zeros((300, 300), bool)
    mask[100:200, 50:150] = True
    picture = overlay(grey, masks={"heart": mask}, sides="none")
    drawn = (np.asarray(picture)[:900] == VERMILLION).all(-1)
    ys, xs = np.nonzero(drawn)
    assert (xs.min() / 3, xs.max() / 3, ys.min() / 3, ys.max() / 3) == pytest.approx((50, 150, 100, 200), abs=1.5)
    line = overlay(grey, lines=[Line(20, 250, 280, 250, "thorax 260 px", "right_lung")], sides="none")
    ys, xs = np.nonzero((np.asarray(line)[740:765] == SKY_BLUE).all(-1))
    assert (xs.min() / 3, xs.max() / 3) == pytest.approx((20, 280), abs=2)


def test_side_marks_follow_the_argument() -> None:
    pictures = {sides: np.asarray(overlay(film(300, 300), sides=sides)) for sides in ("patient", "image", "none")}
    corner = {sides: picture[:60, :150].astype(int) for sides, picture in pictures.items()}
    assert np.ptp(corner["none"]) == 0
    assert np.ptp(corner["patient"]) > 0
    assert (corner["patient"] != corner["image"]).any()


def test_a_scale_bar_needs_spacing_and_has_the_right_length() -> None:
    spacing = Spacing(row_mm=1, column_mm=1, kind="calibrated", source="stated")
    plain, barred = (np.asarray(overlay(film(300, 300), spacing=s, sides="none"))[:900] for s in (None, spacing))
    ys, _ = np.nonzero((barred != plain).any(-1))
    row = (barred[ys.max() - 2] == 255).all(-1)
    assert row.sum() / 3 == pytest.approx(100, abs=1)


def test_empty_masks_and_one_pixel_films_are_drawn() -> None:
    assert overlay(film(1, 1), masks={"heart": np.zeros((1, 1), bool)}, caption="x").width >= 500
    assert overlay(film(3, 700), points=[Point(grid="g", x=0, y=0, name="a")]).height >= 160


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        overlay(film(10, 10), masks={"heart": np.zeros((5, 5), bool)})


def test_wrapped_text_never_exceeds_its_room() -> None:
    text = "Cardiothoracic ratio 0.53 (0.49 to 0.57) " * 5 + "W" * 200 + "\n\nlast"
    for room in (60, 200, 800):
        lines = wrap(text, 18, room)
        assert all(width(line, 18) <= room for line in lines)
        assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.mark.parametrize("corner", [(0, 0), (299, 0), (0, 299), (299, 299)])
def test_labels_stay_inside_and_apart(corner: tuple[int, int]) -> None:
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(Image.new("RGB", (900, 900)), "RGBA")
    labels = Labels(draw, (0, 0, 900, 900), 18)
    placed = [labels.place(f"landmark {n}", [(corner[0] * 3, corner[1] * 3)], (255, 255, 255)) for n in range(2)]
    for x0, y0, x1, y1 in placed:
        assert x0 >= 0 and y0 >= 0 and x1 <= 900 and y1 <= 900
    a, b = placed
    assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_caption_and_notice_make_the_picture_taller() -> None:
    short, long = overlay(film(300, 300)), overlay(film(300, 300), caption="word " * 100)
    assert long.height > short.height > 900
    assert long.width == short.width


def test_organs_keep_their_colour_and_others_differ() -> None:
    found = colours(["heart", "a", "b", "right_lung"])
    assert (found["heart"], found["right_lung"]) == (VERMILLION, SKY_BLUE)
    assert len(set(found.values())) == 4


def test_boxes_are_labelled() -> None:
    box = Box(grid="g", x0=50, y0=50, x1=100, y1=100, name="heart")
    assert has(overlay(film(300, 300), boxes=[box]), (240, 228, 66)) > 100


def test_saving_leaves_a_whole_file_or_none(tmp_path: Path) -> None:
    picture = thumbnail(film(1000, 500))
    assert picture.size == (128, 256)
    assert save_png(picture, tmp_path / "a.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(UsageError, match="cannot be written"):
        save_png(picture, tmp_path / "absent" / "a.png")

    class Broken:
        def save(self, file: Any, **_: Any) -> None:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        save_png(Broken(), tmp_path / "b.png")  # type: ignore[arg-type]  # stands for a picture that fails midway
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
