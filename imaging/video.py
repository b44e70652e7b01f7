"""Video clips through PyAV: frames streamed with their times, upright, one at a time in memory.

A clip is read through a Python file object and a list of container formats, so that a play list or a reference inside
a file is never followed to another file or address. The licence of what FFmpeg was built with is that of the wheel.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.limits import check_size
from secondread.imaging.loaded import LoadedImage
from secondread.imaging.volume.content import Content
from secondread.schema.errors import InputError, ToolUnavailable, UnreadableImage, UnsupportedImage, UsageError

if TYPE_CHECKING:
    from av.container import InputContainer

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,asf,flv,mxf,dv"
"""Formats that hold their own frames; play lists (hls, concat, dash) are not among them."""

_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}

TOLERANCE_S = 1.0
"""A clip that ends earlier than its header says by more than this (and more than 5 %) is truncated."""


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a clip without decoding it all. Holds no text of the file."""

    rows: int
    columns: int
    """Upright, as displayed."""
    frames: int | None
    """As the container says; None when it does not."""
    duration_s: float | None
    rate: float | None
    """Frames per second, on average."""
    codec: str
    turned: bool
    """The file asks for frames to be turned or mirrored (a telephone held upright does); that is done."""
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class VideoFrame:
    """One decoded frame."""

    time_s: float
    """From the first frame of the clip: presentation time stamp times time base."""
    rgb: NDArray[np.uint8] = field(repr=False)
    """Shape (rows, columns, 3), upright, read-only."""
    damaged: bool = False
    """The decoder filled in for missing data."""

    def load(self) -> LoadedImage:
        """The frame as an image: its grey, and whether it has colour. Place and time in a study are the caller's."""
        from secondread.imaging.arrays import load_array

        loaded = load_array(self.rgb)
        changes: dict[str, Any] = {"source_format": "video", "photometric": "RGB", "bits_stored": 8}
        if self.damaged:
            changes["caveats"] = (*loaded.info.caveats, "The decoder filled in for missing data of this frame.")
        return LoadedImage(loaded.info.model_copy(update=changes), loaded.grey)


class Video:
    """A clip. Each reading opens the file anew, so readings can run side by side; memory does not grow with length.

    Args:
        content: The file.

    Raises:
        UnreadableImage: Damaged, or not a clip.
        UnsupportedImage: No video stream, a codec that is not built in, or frames that are too large.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self.name = content.name
        with self._opened() as container:
            self.info = self._look(container)

    def frames(self, start_s: float = 0.0, end_s: float | None = None, step_s: float = 0.0) -> Iterator[VideoFrame]:
        """Frames in order of their times, decoded as they are asked for.

        Args:
            start_s: From the frame that is shown at this time on.
            end_s: Up to and without this time; None for all.
            step_s: Frames closer than this to the one given before are left out.

        Raises:
            UsageError: A time that is negative or not finite.
            UnreadableImage: The clip is damaged or ends early; frames before that have been given.
        """
        if not all(math.isfinite(t) and t >= 0 for t in (start_s, step_s, 0.0 if end_s is None else end_s)):
            raise UsageError("A time in a clip is a number of seconds from 0.")
        last = -math.inf
        for frame in self._from(start_s):
            if end_s is not None and frame.time_s >= end_s - 1e-9:
                return
            if frame.time_s - last >= step_s - 1e-9:
                last = frame.time_s
                yield frame

    def at(self, time_s: float) -> VideoFrame:
        """The frame that is shown at a time: the last one whose time is not after it.

        Raises:
            UsageError: Before the start or after the end of the clip.
            UnreadableImage: The clip is damaged there.
        """
        if not math.isfinite(time_s) or time_s < 0:
            raise UsageError("A time in a clip is a number of seconds from 0.")
        length = self.info.duration_s
        if length is not None and time_s > length + 1e-6:
            raise UsageError(f"{self.name} has no frame at {time_s:.2f} s; it lasts {length:.2f} s.")
        for frame in self._from(time_s):
            return frame
        raise UnreadableImage(f"{self.name} holds no frame at {time_s:.2f} s.")

    def __iter__(self) -> Iterator[VideoFrame]:
        return self.frames()

    def __repr__(self) -> str:
        return f"Video({self.info.columns} x {self.info.rows}, {self.info.duration_s} s, {self.info.codec})"

    def _from(self, start_s: float) -> Iterator[VideoFrame]:
        """Frames from the one shown at `start_s` on."""
        held: tuple[Any, float] | None = None
        for raw, time_s in self._decoded(start_s):
            if time_s <= start_s + 1e-9:
                held = raw, time_s
                continue
            if held is not None:
                yield self._frame(*held)
                held = None
            yield self._frame(raw, time_s)
        if held is not None:
            yield self._frame(*held)

    def _decoded(self, start_s: float) -> Iterator[tuple[Any, float]]:
        """Frames with their times, from a key frame at or before `start_s` on."""
        import av

        with self._opened() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            period = 1 / (self.info.rate or 25)
            base, zero = float(stream.time_base or 0) or period, stream.start_time or 0
            sought = start_s > 0
            count, time_s = 0, 0.0
            try:
                if sought:
                    container.seek(zero + int(start_s / base), stream=stream)
                for raw in container.decode(stream):
                    check_size(f"A frame of {self.name}", raw.height, raw.width)
                    time_s = (raw.pts - zero) * base if raw.pts is not None else count * period
                    if sought and count == 0 and (raw.pts is None or time_s > start_s + 1e-9):
                        break
                    count += 1
                    yield raw, time_s
                if count or not sought:
                    self._check_end(container, time_s)
                    return
            except av.FFmpegError:
                raise UnreadableImage(
                    f"{self.name} is damaged at {time_s:.2f} s: it cannot be decoded further."
                ) from None
        # A container without an index may land behind the time that was asked for: then it is read from its start.
        yield from self._decoded(0.0)

    def _frame(self, raw: Any, time_s: float) -> VideoFrame:
        rgb = self._turn.upright(raw.to_ndarray(format="rgb24"))
        rgb.flags.writeable = False
        return VideoFrame(max(time_s, 0.0), rgb, bool(raw.is_corrupt))

    def _check_end(self, container: "InputContainer", last_s: float) -> None:
        length = self.info.duration_s
        own = len(container.streams) == 1 or container.streams.video[0].duration is not None
        spare = max(TOLERANCE_S, 0.05 * (length or 0)) + 1 / (self.info.rate or 25)
        if length is not None and own and length - last_s > spare:
            raise UnreadableImage(
                f"{self.name} is truncated: it ends at {last_s:.1f} s of the {length:.1f} s that its header says."
            )

    def _look(self, container: "InputContainer") -> VideoInfo:
        """Size, length and orientation, from the header and the first frame."""
        import av

        if not container.streams.video:
            raise UnsupportedImage(f"{self.name} holds no video stream.")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise UnsupportedImage(f"{self.name} has a codec that cannot be decoded here.")
        if context.width and context.height:
            check_size(f"{self.name} holds frames that are large: it", context.height, context.width)
        try:
            first = next(iter(container.decode(stream)), None)
        except av.FFmpegError:
            first = None
        if first is None:
            raise UnreadableImage(f"{self.name} is damaged: its first frame cannot be decoded.")
        check_size(f"A frame of {self.name}", first.height, first.width)
        caveats: list[str] = []
        self._turn = _turn(first)
        turned = self._turn != _Turn()
        if turned:
            caveats.append("Frames were turned or mirrored as the clip asks for.")
        if not self._turn.exact:
            caveats.append("The clip asks for a turn that is no quarter turn; the nearest one was made.")
        aspect = stream.sample_aspect_ratio
        if aspect and aspect != 1:
            caveats.append("The pixels of the clip are not square; frames are shown as stored.")
        if len(container.streams.video) > 1:
            caveats.append("The file holds several video streams; the first is read.")
        rows, columns = (first.width, first.height) if self._turn.transposed else (first.height, first.width)
        length = None
        if stream.duration is not None and stream.time_base:
            length = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            length = container.duration / 1_000_000
        rate = stream.average_rate
        return VideoInfo(
            rows=rows,
            columns=columns,
            frames=stream.frames or None,
            duration_s=length,
            rate=float(rate) if rate else None,
            codec=context.codec.name,
            turned=turned,
            caveats=tuple(caveats),
        )

    @contextmanager
    def _opened(self) -> Iterator["InputContainer"]:
        import av

        with self._content.stream() as file:
            try:
                container = av.open(file, "r", options=_OPTIONS, metadata_errors="ignore")
            except InputError:
                raise
            except (av.FFmpegError, ValueError, OSError):
                raise UnreadableImage(
                    f"{self.name} is not a video clip, or damaged at its start.",
                    hint="MP4, MOV, Matroska, WebM, AVI, MPEG, Ogg, ASF, FLV, MXF and DV are read.",
                ) from None
            with container:
                yield container


def open_video(source: str | os.PathLike[str] | bytes, name: str | None = None) -> Video:
    """Open a clip and decode its first frame.

    Args:
        source: Path of the file, or its bytes.
        name: What to call it in messages; the path as typed when None.

    Raises:
        UnreadableImage: Missing, empty, damaged, or not a clip.
        UnsupportedImage: No video stream, a codec that is not built in, or frames that are too large.
        ToolUnavailable: The extra `video` is not installed.
    """
    from importlib.util import find_spec

    if find_spec("av") is None:
        raise ToolUnavailable("Video is read through PyAV, which is not installed.", hint='pip install ".[video]"')
    return Video(Content(source, name))


@dataclass(frozen=True)
class _Turn:
    """How stored frames become upright ones: swap rows and columns, then reverse them."""

    transposed: bool = False
    rows_reversed: bool = False
    columns_reversed: bool = False
    exact: bool = True

    def upright(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Shape (rows, columns, 3) of the display."""
        frame = stored.swapaxes(0, 1) if self.transposed else stored
        frame = frame[:: -1 if self.rows_reversed else 1, :: -1 if self.columns_reversed else 1]
        return np.ascontiguousarray(frame)


def _turn(frame: Any) -> _Turn:
    """The display matrix of a frame, to the nearest quarter turn.

    Source: libavutil/display.h: (x, y) is shown at (a x + c y, b x + d y), y downwards, in 16.16 fixed point.
    """
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return _Turn()
    matrix = np.frombuffer(bytes(data), np.int32).astype(np.float64)
    a, b, c, d = (float(matrix[index]) for index in (0, 1, 3, 4))
    transposed = abs(b) > abs(a)
    along_x, along_y = (c, b) if transposed else (a, d)
    crooked = min(abs(a), abs(b)) > 0.01 * max(abs(a), abs(b))
    return _Turn(transposed, along_y < 0, along_x < 0, not crooked)
