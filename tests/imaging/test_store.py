"""The image store: one decode per content, a byte budget, crops, masks."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from secondread.imaging.store import ImageStore
from secondread.schema.errors import InputError, StoreError, UnreadableImage
from secondread.schema.region import Box

Film = NDArray[np.uint8]


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    """Four different films of 64 x 64 pixels: 16384 bytes of grey each."""
    random = np.random.default_rng(1)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        Image.fromarray(random.integers(0, 255, (64, 64), np.uint8)).save(path)
    return paths


def test_a_film_is_decoded_once_however_often_and_under_whatever_name_it_is_added(films: list[Path]) -> None:
    store = ImageStore()
    first = store.add(films[0])
    copy = films[0].with_name("copy.png")
    copy.write_bytes(films[0].read_bytes())
    for source in (films[0], str(films[0]), copy, films[0].read_bytes()):
        assert store.add(source).ref.id == first.ref.id
    store.pixels(first.ref.id)
    assert store.decodes <= 2  # bytes without a name have a key of their own


def test_concurrent_adds_decode_once(films: list[Path]) -> None:
    store = ImageStore()
    gate = threading.Barrier(8)
    found: list[str] = []

    def add() -> None:
        gate.wait()
        found.append(store.add(films[0]).ref.id)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert store.decodes == 1


def test_what_is_stated_last_holds(films: list[Path]) -> None:
    store = ImageStore()
    image = store.add(films[0], view="PA", age=40).ref.id
    assert store.info(image).view == "PA"
    store.add(films[0])
    assert (store.info(image).view, store.info(image).age_years) == ("UNKNOWN", None)
    assert store.decodes == 1


def test_least_recently_used_pixels_leave_and_come_back(films: list[Path]) -> None:
    store = ImageStore(byte_budget=2 * 64 * 64 * 4)
    ids = [store.add(path).ref.id for path in films]
    assert store.nbytes == 2 * 64 * 64 * 4
    assert store.decodes == 4
    again = store.pixels(ids[0])
    assert store.decodes == 5
    np.testing.assert_array_equal(again, np.asarray(Image.open(films[0])) / np.float32(255))
    store.pixels(ids[3])
    assert store.decodes == 5
    store.pixels(ids[2])
    assert store.decodes == 6


def test_pinned_pixels_stay(films: list[Path]) -> None:
    store = ImageStore(byte_budget=64 * 64 * 4)
    image = store.add(films[0]).ref.id
    with store.pinned(image):
        for path in films[1:]:
            store.add(path)
        before = store.decodes
        store.pixels(image)
        assert store.decodes == before
    assert store.nbytes <= 64 * 64 * 4


def test_evicted_pixels_of_a_changed_file_are_an_error(films: list[Path]) -> None:
    store = ImageStore(byte_budget=1)
    image = store.add(films[0]).ref.id
    store.add(films[1])
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(films[0])
    with pytest.raises(StoreError, match="changed"):
        store.pixels(image)
    films[0].unlink()
    with pytest.raises(StoreError, match="changed or gone"):
        store.pixels(image)


def test_a_file_that_changed_is_a_new_image(films: list[Path]) -> None:
    store = ImageStore()
    before = store.add(films[0]).ref.id
    films[0].write_bytes(films[1].read_bytes())
    os.utime(films[0], ns=(1, 1))
    assert store.add(films[0]).ref.id != before


def test_arrays_and_bytes_outlive_the_budget(film8: Film, films: list[Path]) -> None:
    store = ImageStore(byte_budget=1)
    array, data = store.add(film8).ref.id, store.add(films[0].read_bytes()).ref.id
    for path in films[1:]:
        store.add(path)
    np.testing.assert_array_equal(store.pixels(array), film8 / np.float32(255))
    np.testing.assert_array_equal(store.pixels(data), np.asarray(Image.open(films[0])) / np.float32(255))


def test_a_later_change_of_the_callers_array_changes_nothing(film8: Film) -> None:
    store = ImageStore()
    source = film8.astype(np.float32) / 255
    image = store.add(source).ref.id
    source[:] = 0
    np.testing.assert_allclose(store.pixels(image), film8 / 255, atol=1e-6)


def test_masks_return_as_they_were_put(film8: Film) -> None:
    store = ImageStore()
    info = store.add(film8)
    mask = film8 > 100
    ref = store.put_mask(info.ref.id, "heart", mask)
    np.testing.assert_array_equal(store.mask(ref), mask)
    assert (ref.name, ref.grid, ref.pixels) == ("heart", info.ref.grid, int(mask.sum()))
    assert store.put_mask(info.ref.id, "other", mask.copy()).blob == ref.blob
    assert store.put_mask(info.ref.id, "heart", ~mask).blob != ref.blob
    empty = store.put_mask(info.ref.id, "heart", np.zeros_like(mask))
    assert (empty.pixels, empty.box) == (0, None)
    with pytest.raises(InputError, match="bool of shape"):
        store.put_mask(info.ref.id, "heart", mask[:5])
    with pytest.raises(ValueError, match="read-only"):
        store.mask(ref)[0, 0] = True


def test_maps_return_close_to_what_was_put(film8: Film) -> None:
    store = ImageStore()
    image = store.add(film8).ref.id
    small, large = film8.astype(np.float32) / 255, film8.astype(np.float32) * 1000
    np.testing.assert_allclose(store.map(store.put_map(image, small)), small, atol=2.5e-4)
    np.testing.assert_array_equal(store.map(store.put_map(image, large)), large)
    with pytest.raises(InputError):
        store.put_map(image, np.full_like(small, np.nan))


def test_bit_maps_and_maps_may_be_coarser_than_their_image_but_not_finer(film8: Film) -> None:
    store = ImageStore()
    info = store.add(film8)
    rows, columns = film8.shape
    bits = (film8[::2, ::2] > 100).astype(np.uint8) | (film8[::2, ::2] > 50).astype(np.uint8) << 1
    np.testing.assert_array_equal(store.bits(store.put_bits(info.ref.id, bits)), bits)
    half = np.full((rows // 2, columns // 2), 0.5, np.float32)
    np.testing.assert_array_equal(store.map(store.put_map(info.ref.id, half)), half)
    for wrong in (np.zeros((rows + 1, columns), np.uint8), np.zeros((rows, 0), np.uint8), bits.astype(np.int64)):
        with pytest.raises(InputError, match="uint8 of at most"):
            store.put_bits(info.ref.id, wrong)
    with pytest.raises(InputError, match="at most"):
        store.put_map(info.ref.id, np.zeros((rows, columns, 1)))


def test_a_crop_shows_its_part_and_knows_its_parent(film8: Film) -> None:
    store = ImageStore()
    info = store.add(film8)
    ref = store.derive(info.ref.id, Box(grid=info.ref.grid, x0=9.5, y0=19.5, x1=49.5, y1=69.5), scale=1)
    np.testing.assert_allclose(store.pixels(ref.id), film8[20:70, 10:50] / 255, atol=1e-6)
    large = store.derive(info.ref.id, Box(grid=info.ref.grid, x0=9.5, y0=19.5, x1=49.5, y1=69.5), scale=3)
    assert (large.rows, large.columns, large.parent) == (150, 120, info.ref.id)
    middle = store.pixels(large.id)[1::3, 1::3]
    assert np.abs(middle - film8[20:70, 10:50] / 255).mean() < 0.01
    inner = store.derive(large.id, Box(grid=large.grid, x0=29.5, y0=29.5, x1=59.5, y1=59.5))
    transform = store.to_ancestor(inner.id, info.ref.grid)
    assert (transform.x0, transform.y0) == pytest.approx((9.5 + 10 + 1 / 6, 19.5 + 10 + 1 / 6))
    same = store.derive(large.id, Box(grid=info.ref.grid, x0=19.5, y0=29.5, x1=29.5, y1=39.5))
    assert same.id == inner.id


def test_the_spacing_of_a_crop_follows_its_scale(film12: Film, write_dicom: Callable[..., Path]) -> None:
    store = ImageStore()
    info = store.add(write_dicom(film12, ImagerPixelSpacing=[0.2, 0.2]))
    ref = store.derive(info.ref.id, Box(grid=info.ref.grid, x0=-0.5, y0=-0.5, x1=39.5, y1=39.5), scale=2)
    spacing = store.info(ref.id).spacing
    assert spacing is not None
    assert spacing.column_mm == pytest.approx(0.1)


def test_a_crop_knows_what_was_last_stated_of_its_parent(film8: Film) -> None:
    store = ImageStore()
    for view in ("PA", "AP"):
        info = store.add(film8, view=view)
        ref = store.derive(info.ref.id, Box(grid=info.ref.grid, x0=0, y0=0, x1=9, y1=9))
        assert store.info(ref.id).view == view


def test_threads_that_add_read_and_evict_see_whole_images(films: list[Path]) -> None:
    store = ImageStore(byte_budget=2 * 64 * 64 * 4)
    expected = {path: np.asarray(Image.open(path)) / np.float32(255) for path in films}
    problems: list[BaseException] = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        try:
            for number in random.integers(0, len(films), 40):
                image = store.add(films[number]).ref.id
                np.testing.assert_array_equal(store.pixels(image), expected[films[number]])
                mask = expected[films[number]] > random.random()
                np.testing.assert_array_equal(store.mask(store.put_mask(image, "heart", mask)), mask)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert store.nbytes <= store.byte_budget


@pytest.mark.parametrize("part", [(200, 200, 300, 300), (-50, -50, -10, -10)])
def test_a_crop_outside_the_image_is_refused(film8: Film, part: tuple[float, float, float, float]) -> None:
    store = ImageStore()
    info = store.add(film8)
    x0, y0, x1, y1 = part
    with pytest.raises(InputError, match="outside"):
        store.derive(info.ref.id, Box(grid=info.ref.grid, x0=x0, y0=y0, x1=x1, y1=y1))
    with pytest.raises(InputError, match="grid"):
        store.derive(info.ref.id, Box(grid="another", x0=0, y0=0, x1=5, y1=5))


def test_a_forgotten_image_takes_its_crops_and_masks_along(film8: Film) -> None:
    store = ImageStore()
    info = store.add(film8)
    crop = store.derive(info.ref.id, Box(grid=info.ref.grid, x0=0, y0=0, x1=9, y1=9))
    mask = store.put_mask(info.ref.id, "heart", film8 > 10)
    store.forget(info.ref.id)
    assert store.nbytes == 0
    for missing in (lambda: store.info(info.ref.id), lambda: store.pixels(crop.id), lambda: store.mask(mask)):
        with pytest.raises(StoreError):
            missing()


def test_unknown_ids_are_store_errors_and_bad_files_keep_their_error(tmp_path: Path) -> None:
    store = ImageStore()
    with pytest.raises(StoreError):
        store.pixels("img-0")
    with pytest.raises(UnreadableImage, match="does not exist"):
        store.add(tmp_path / "absent.png")
    with pytest.raises(UnreadableImage, match="folder"):
        store.add(tmp_path)
