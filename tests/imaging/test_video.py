"""Clips written with PyAV: times, seeking, upright frames, damaged files."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.video import open_video
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage, UsageError

RATE, COUNT = 10, 40
Writer = Callable[..., Path]


def picture(index: int) -> NDArray[np.uint8]:
    """48 x 64, a white top left corner, and eight fields that tell the index in bits."""
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:16, :16] = 255
    for bit in range(8):
        frame[32:, 8 * bit : 8 * bit + 8] = 255 * (index >> bit & 1)
    return frame


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """A function that writes a clip and returns its path."""

    def writer(
        name: str = "clip.mp4", codec: str = "mpeg4", count: int = COUNT, turn: int = 0, flip: bool = False
    ) -> Path:
        import av

        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=RATE)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.gop_size = 12
            if turn or flip:
                if not hasattr(stream, "set_display_rotation"):
                    pytest.skip("this PyAV does not write display matrices")
                stream.set_display_rotation(turn, hflip=flip)
            for index in range(count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
            container.mux(stream.encode())
        return path

    return writer


def told(rgb: NDArray[np.uint8]) -> int:
    return sum(int(rgb[36:44, 8 * bit + 2 : 8 * bit + 6].mean() > 127) << bit for bit in range(8))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mpeg4"), ("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.avi", "mpeg4"), ("a.ts", "mpeg2video")],
)
def test_frames_come_in_order_with_their_times(write: Writer, name: str, codec: str) -> None:
    video = open_video(write(name, codec))
    assert (video.info.rows, video.info.columns, video.info.rate) == (48, 64, RATE)
    assert video.info.duration_s == pytest.approx(COUNT / RATE, abs=0.15)
    frames = list(video)
    assert [told(f.rgb) for f in frames] == list(range(COUNT))
    assert [f.time_s for f in frames] == pytest.approx([k / RATE for k in range(COUNT)], abs=2e-3)
    with pytest.raises(ValueError, match="read-only"):
        frames[0].rgb[0, 0] = 1


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mpeg4"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "mpeg2video")]
)
def test_the_frame_at_a_time_is_the_one_shown_then(write: Writer, name: str, codec: str) -> None:
    video = open_video(write(name, codec))
    for time_s, index in ((0.0, 0), (0.05, 0), (0.101, 1), (1.25, 12), (1.75, 17), (3.95, 39)):
        assert told(video.at(time_s).rgb) == index
    assert [told(f.rgb) for f in video.frames(1.05, 1.5)] == [10, 11, 12, 13, 14]
    assert [told(f.rgb) for f in video.frames(step_s=1.0)] == [0, 10, 20, 30]


@pytest.mark.parametrize("turn", [0, 90, 180, -90])
@pytest.mark.parametrize("flip", [False, True])
def test_frames_are_upright(write: Writer, turn: int, flip: bool) -> None:
    plain = next(iter(open_video(write("plain.mp4"))))
    video = open_video(write("turned.mp4", turn=turn, flip=flip))
    wanted = np.rot90(plain.rgb, turn // 90)
    shown = next(iter(video)).rgb
    np.testing.assert_array_equal(shown, wanted[:, ::-1] if flip else wanted)
    assert shown.shape[:2] == (video.info.rows, video.info.columns)
    assert video.info.turned == bool(turn or flip)


def test_a_frame_becomes_an_image(write: Writer) -> None:
    loaded = open_video(write()).at(2.0).load()
    assert loaded.info.source_format == "video" and not loaded.info.colour
    assert loaded.grey[5, 5] > 0.9 and loaded.grey[24, 40] < 0.1


def test_memory_does_not_grow_with_the_length_of_a_clip(write: Writer) -> None:
    video = open_video(write(count=250))
    next(iter(video))
    tracemalloc.start()
    seen = sum(1 for _ in video)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 250
    assert peak < 20 * 48 * 64 * 3


def test_readings_of_one_clip_do_not_disturb_each_other(write: Writer) -> None:
    video = open_video(write())
    first, second = video.frames(), video.frames(2.0)
    mixed = [(told(next(first).rgb), told(next(second).rgb)) for _ in range(5)]
    assert mixed == [(k, 20 + k) for k in range(5)]


def test_bytes_are_read_like_a_file(write: Writer) -> None:
    assert told(open_video(write().read_bytes(), "clip").at(1.0).rgb) == 10


def test_times_outside_the_clip_are_refused(write: Writer) -> None:
    video = open_video(write())
    for time_s in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="from 0"):
            video.at(time_s)
        with pytest.raises(UsageError, match="from 0"):
            next(video.frames(time_s))
    with pytest.raises(UsageError, match=r"no frame at 9\.00 s; it lasts 4\.00 s"):
        video.at(9.0)


def test_what_is_no_clip_is_refused_by_name(tmp_path: Path, write: Writer) -> None:
    import av

    text = tmp_path / "notes.mp4"
    text.write_text("not a clip" * 100)
    with pytest.raises(UnreadableImage, match=r"notes\.mp4 is not a video clip"):
        open_video(text)
    with pytest.raises(UnreadableImage, match="does not exist"):
        open_video(tmp_path / "missing.mp4")
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))
        container.mux(stream.encode())
    with pytest.raises(UnsupportedImage, match=r"sound\.mp4 holds no video stream"):
        open_video(sound)


def test_a_play_list_is_not_followed(tmp_path: Path, write: Writer) -> None:
    clip = write()
    lists = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:4,\n{clip}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile {clip.name}\n",
    }
    for name, words in lists.items():
        path = tmp_path / name
        path.write_text(words)
        with pytest.raises(UnreadableImage, match="not a video clip"):
            open_video(path)


def test_a_truncated_clip_says_where_it_ends(write: Writer, tmp_path: Path) -> None:
    whole = write("a.mkv", "mpeg4", count=250).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2])
    seen = []
    with pytest.raises(UnreadableImage, match=r"cut\.mkv is truncated: it ends at 1\d\.\d s of the 25\.0 s"):
        for frame in open_video(cut):
            seen.append(told(frame.rgb))  # noqa: PERF401 - what came before the error is kept
    assert len(seen) > 100 and seen == list(range(len(seen)))
    half = write("b.mp4").read_bytes()
    with pytest.raises(UnreadableImage, match="not a video clip, or damaged"):
        open_video(half[: len(half) // 2])


def test_damaged_clips_end_in_a_typed_error_or_in_frames(write: Writer, capfd: pytest.CaptureFixture[str]) -> None:
    whole = write("a.mkv", "libx264", count=12).read_bytes()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        broken = bytearray(whole)
        for place in rng.integers(0, len(broken), 4):
            broken[place] ^= 1 << int(rng.integers(8))
        try:
            shapes = {frame.rgb.shape for frame in open_video(bytes(broken))}
        except SecondReadError as error:
            assert "The data" in error.message
        else:
            assert all(shape[2] == 3 for shape in shapes)
    assert capfd.readouterr().err == ""
