"""The image store: every image decoded once, shared by all tools, within a byte budget."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.alone import alone
from secondread.imaging.annotations import Annotations
from secondread.imaging.colour import of_source
from secondread.imaging.content import bytes_key
from secondread.imaging.coordinates import to_ancestor
from secondread.imaging.derive import derived_info
from secondread.imaging.entry import Entry
from secondread.imaging.identity.person import person
from secondread.imaging.identity.vault import Vault
from secondread.imaging.load import decode, load_plain, read_bytes
from secondread.imaging.loaded import LoadedImage, with_statement
from secondread.imaging.origin import FromBytes, FromFile, FromParent, FromStudy, FromVolume, Origin, file_stamp
from secondread.imaging.pixel_cache import PixelCache
from secondread.imaging.regrade import FromRegrade, Regrade, regraded_info
from secondread.schema.errors import InputError, StoreError
from secondread.schema.image import CropTransform, ImageInfo, ImageRef
from secondread.schema.record import short_hash
from secondread.schema.region import Box
from secondread.schema.study import Plane, StudyInfo

if TYPE_CHECKING:
    from secondread.imaging.study.model import Instance, Series
    from secondread.imaging.volume.volume import Volume

DEFAULT_BUDGET = 1 << 30


class ImageStore(Annotations):
    """Images, masks and maps by id. Thread-safe.

    Grey pixels of files count against `byte_budget` and the least recently used leave first; they are decoded again
    from their file when it is unchanged. Pixels given as arrays stay, since nothing else holds them.
    """

    def __init__(self, *, byte_budget: int = DEFAULT_BUDGET) -> None:
        self.vault = Vault()
        self.decodes = 0
        """How often a source was decoded, for tests and benchmarks."""
        super().__init__()
        self._entries: dict[str, Entry] = {}
        self._pixels = PixelCache(byte_budget)
        self._studies: dict[str, StudyInfo] = {}
        self._known: dict[str, str] = {}
        """File stamp or bytes key -> image id."""
        self._busy: dict[str, threading.Lock] = {}
        self._lock = threading.RLock()

    def add(self, source: Any, *, view: str | None = None, age: float | None = None) -> ImageInfo:
        """Load an image, or recognise it, and return what is known of it.

        A second `add` of the same content replaces what was stated by the first.

        Args:
            source: As for `secondread.imaging.load.load`.
            view: Stated view; overrides the header.
            age: Stated age in years; overrides the header.

        Raises:
            UnreadableImage: As `load`.
            UnsupportedImage: As `load`.
            UsageError: As `load`.
        """
        if isinstance(source, str | os.PathLike):
            return self._add_file(os.fsdecode(source), view, age)
        if isinstance(source, bytes | bytearray | memoryview):
            data = bytes(source)
            return self._add_encoded(data, "The data", None, view, age)
        loaded = load_plain(source)
        with self._lock:
            self.decodes += 1
        info = self._enter(loaded, None, view, age)
        self._entries[info.ref.id].rgb = of_source(source) if info.colour else None
        return info

    def add_instance(self, instance: "Instance", *, view: str | None = None, age: float | None = None) -> ImageInfo:
        """Load one image of a study; its place in the study is part of what is known of it.

        Args:
            instance: From `secondread.imaging.study.scan.open_studies`.
            view: As for `add`.
            age: As for `add`.

        Raises:
            UnreadableImage: As `load`.
            UnsupportedImage: As `load`.
            UsageError: As `load`.
        """
        loaded = instance.load()
        with self._lock:
            self.decodes += 1
        return self._enter(loaded, FromStudy(loaded.info.ref.id, instance), view, age)

    def add_frame(self, series: "Series", index0: int) -> ImageInfo:
        """Enter one frame of a video file; only this frame is decoded.

        Args:
            series: Series of a video file.
            index0: Number of the frame from 0, in order of presentation.

        Raises:
            UnreadableImage: Missing or damaged.
            InputError: The clip has no such frame.
        """
        from itertools import islice

        video = series.video()
        frame = next(islice(video.frames(), index0, None), None) if index0 >= 0 else None
        if frame is None:
            raise InputError(f"There is no frame {index0 + 1} in the clip.")
        loaded = frame.load()
        place = series.place.model_copy(
            update={
                "unit": "frame",
                "index": index0 + 1,
                "count": max(video.info.frames or 1, index0 + 1),
                "time_s": frame.time_s,
            }
        )
        info = loaded.info.model_copy(update={"place": place})
        return self._enter(LoadedImage(info, loaded.grey), None, None, None)

    def add_volume(self, volume: "Volume", path: str | None = None) -> ImageInfo:
        """Enter a volume. Its voxels stay where they are: in the file, or in memory once they were needed.

        Args:
            volume: The volume.
            path: The file it was read from, or the first one of its series, as typed.

        Returns:
            What is known of it, with `dimension` 3; rows and columns are those of its axial slices.
        """
        known = volume.info
        middle = volume.slice_info("axial", volume.count("axial") // 2)
        place = known.place or middle.place
        info = middle.model_copy(
            update={
                "ref": middle.ref.model_copy(update={"id": known.id, "grid": known.id, "volume": None}),
                "dimension": 3,
                "geometry": None,
                "place": place.model_copy(
                    update={"unit": "volume", "index": 1, "count": 1, "plane": None, "position_mm": None}
                )
                if place is not None
                else None,
                "caveats": known.caveats,
            }
        )
        with self._lock:
            self._entries.setdefault(known.id, Entry(info, info, volume=volume, path=path)).info = info
        if volume.identity is not None:
            self.vault.put(known.id, volume.identity)
        return info

    def slice(self, volume: str, plane: Plane, index0: int, window: tuple[float, float] | None = None) -> ImageInfo:
        """Register a slice of a volume; its pixels are made when asked for.

        Args:
            volume: Id of the volume.
            plane: `axial`, `coronal` or `sagittal`.
            index0: From 0 at the low RAS end.
            window: Centre and width for its display grey; None: the volume's own.

        Raises:
            StoreError: Unknown id.
            UsageError: No such slice.
        """
        held = self.volume(volume)
        info = held.slice_info(plane, index0)
        if window is not None:
            name = f"img-{short_hash([info.ref.id, *window])}"
            info = info.model_copy(update={"ref": info.ref.model_copy(update={"id": name})})
        origin = FromVolume(held, plane, index0, window)
        with self._lock:
            self._entries.setdefault(info.ref.id, Entry(info, info, origin, held))
        return info

    def volume(self, image: str) -> "Volume":
        """The volume that an id stands for, or that a slice or a crop of a slice was cut from.

        Raises:
            StoreError: Unknown id, or an image that is no part of a volume.
        """
        entry = self._entry(image)
        while entry.volume is None and entry.info.ref.parent is not None:
            entry = self._entry(entry.info.ref.parent)
        if entry.volume is None:
            raise StoreError("This image is not part of a volume.")
        return entry.volume

    def origin(self, image: str) -> Origin | None:
        """Where the pixels of an image come from, for exporters; None for what was an array, and for a volume.

        Raises:
            StoreError: Unknown id.
        """
        return self._entry(image).origin

    def path(self, image: str) -> str | None:
        """The file an image was read from, as typed; None when it was no file.

        It may name a person: for the caller's own crosswalk, never for evidence, traces or logs.

        Raises:
            StoreError: Unknown id.
        """
        entry = self._entry(image)
        above = entry.info.ref.parent or entry.info.ref.volume
        if above is not None:
            return self.path(above)
        return entry.path if entry.origin is None else entry.origin.path

    def add_study(self, study: StudyInfo) -> None:
        """Remember what a study holds, under its key."""
        with self._lock:
            self._studies[study.key] = study

    def study(self, image: str) -> StudyInfo:
        """The study that an image or volume was handed over with; one of its own when it came alone.

        Raises:
            StoreError: Unknown id.
        """
        info = self._entry(image).info
        known = self._studies.get(info.place.study) if info.place is not None else None
        return known or alone(info)

    def forget_study(self, key: str) -> None:
        """Drop what a study holds, not its images. Unknown keys are ignored."""
        with self._lock:
            self._studies.pop(key, None)

    def person(self, image: str, salt: str) -> str:
        """Opaque key of whoever the image is of, see `imaging.identity.person.person`; empty when nobody is named."""
        return person(self.vault.identity(image), salt) if self.vault.holds(image) else ""

    def info(self, image: str) -> ImageInfo:
        """What is known of an image besides its pixels.

        Raises:
            StoreError: Unknown id.
        """
        return self._entry(image).info

    def pixels(self, image: str) -> NDArray[np.float32]:
        """Display grey, shape (rows, columns), 0 black to 1 white, air dark; read-only.

        Raises:
            StoreError: Unknown id, or the pixels were evicted and their file has changed or gone.
        """
        entry = self._entry(image)
        held = self._pixels.get(image)
        if held is not None:
            return held
        if entry.info.dimension == 3:
            raise StoreError("A volume has no pixels of its own.", hint="Take a slice of it.")
        with entry.lock:
            held = self._pixels.get(image)
            if held is None:
                held = self._again(entry)
                self._pixels.put(image, held)
            return held

    def values(self, image: str) -> NDArray[np.float32]:
        """Values in `ImageInfo.unit`, shape (rows, columns): no window, not kept in memory; may hold NaN.

        A crop gives the values of its part at the resolution of the image it was cut from.

        Raises:
            StoreError: Unknown id, a volume, or the source has changed or gone.
        """
        entry = self._entry(image)
        if entry.info.unit != "grey" and entry.origin is not None:
            found = entry.origin.values()
            if found is not None:
                return found
        return self.pixels(image)

    def colour(self, image: str) -> NDArray[np.uint8]:
        """Red, green and blue, shape (rows, columns, 3), not kept in memory; a grey image gives its grey three times.

        Raises:
            StoreError: As `pixels`.
        """
        entry = self._entry(image)
        found = entry.rgb
        if found is None and entry.info.colour and entry.origin is not None:
            found = entry.origin.colour()
        if found is None:
            found = np.repeat(np.rint(self.pixels(image) * 255).astype(np.uint8)[..., None], 3, axis=2)
        return found

    def grid(self, image: str) -> tuple[str, tuple[int, ...]]:
        """See `Annotations.grid`."""
        entry = self._entry(image)
        ref = entry.info.ref
        if entry.info.dimension == 3 and entry.volume is not None:
            return ref.grid, entry.volume.shape
        return ref.grid, (ref.rows, ref.columns)

    @contextmanager
    def pinned(self, *images: str) -> Iterator[None]:
        """Keep the pixels of these images in memory while the block runs."""
        for image in images:
            self._entry(image)
        self._pixels.pin(images)
        try:
            yield
        finally:
            self._pixels.unpin(images)

    def derive(self, image: str, box: Box, scale: float = 1.0) -> ImageRef:
        """Register a crop of an image, enlarged `scale` times; its pixels are made when asked for.

        Args:
            image: Image id.
            box: In the grid of the image or of one it was derived from; widened to whole pixels and cut at the border.
            scale: Derived pixels per pixel of `image`, 0.05 to 16.

        Raises:
            StoreError: Unknown image.
            InputError: The box lies outside the image or in a foreign grid, or the scale is out of range.
        """
        entry = self._entry(image)
        chain = self._chain(image)
        info, part = derived_info(entry.info, box, scale, chain)
        plain, _ = derived_info(entry.plain, box, scale, chain)
        with self._lock:
            origin = FromParent(
                part,
                info.ref.rows,
                info.ref.columns,
                partial(self.pixels, image),
                partial(self.values, image),
                partial(self.colour, image),
            )
            known = self._entries.setdefault(info.ref.id, Entry(info, plain, origin))
            known.info = info  # what is stated of the parent may have changed since
        return info.ref

    def regrade(self, image: str, how: Regrade) -> ImageRef:
        """Register an image shown otherwise: another window or contrast, or marks drawn in.

        Raises:
            StoreError: Unknown image.
            InputError: As `imaging.regrade.regraded_info`.
        """
        entry = self._entry(image)
        info, plain = regraded_info(entry.info, how), regraded_info(entry.plain, how)
        origin = FromRegrade(how, partial(self.pixels, image), partial(self.values, image))
        with self._lock:
            self._entries.setdefault(info.ref.id, Entry(info, plain, origin)).info = info
        return info.ref

    def to_ancestor(self, image: str, grid: str) -> CropTransform:
        """How the grid of an image lies in that of an image it was derived from, at any distance.

        Raises:
            StoreError: Unknown image.
            InputError: `grid` is not among its ancestors.
        """
        return to_ancestor(self._chain(image), grid)

    def forget(self, image: str) -> None:
        """Drop an image, what was derived from it, their masks, maps and identity. Unknown ids are ignored."""
        with self._lock:
            for child in [k for k, e in self._entries.items() if image in (e.info.ref.parent, e.info.ref.volume)]:
                self.forget(child)
            entry = self._entries.pop(image, None)
            if entry is None:
                return
            self._pixels.drop(image)
            self._known = {key: known for key, known in self._known.items() if known != image}
        self._blobs.forget(entry.info.ref.grid)
        self.vault.forget(image)

    @property
    def byte_budget(self) -> int:
        """Bytes of grey pixels that are kept at most."""
        return self._pixels.budget

    @property
    def nbytes(self) -> int:
        """Bytes of grey pixels held."""
        return self._pixels.nbytes

    def __contains__(self, image: object) -> bool:
        return image in self._entries

    def __repr__(self) -> str:
        return f"ImageStore({len(self._entries)} images, {self.nbytes} bytes)"

    def _add_file(self, typed: str, view: str | None, age: float | None) -> ImageInfo:
        path = os.path.abspath(typed)
        with self._one_at_a_time(path):
            try:
                stamp = file_stamp(path)
            except (OSError, ValueError):
                read_bytes(typed)  # raises the error that names the cause
                raise StoreError(f"{typed} changed while it was read.") from None
            key = f"{path}|{stamp}|{os.path.splitext(typed)[1]}"
            with self._lock:
                known = self._known.get(key)
            if known is not None:
                return self._restate(known, view, age)
            origin = partial(FromFile, path=typed, file=path, stamp=stamp)
            info = self._add_encoded(read_bytes(typed), typed, origin, view, age)
            with self._lock:
                self._known[key] = info.ref.id
            return info

    def _add_encoded(
        self, data: bytes, name: str, file: Callable[[str], FromFile] | None, view: str | None, age: float | None
    ) -> ImageInfo:
        key = f"{bytes_key(data)}|{os.path.splitext(name)[1].lower()}"
        with self._one_at_a_time(key):
            with self._lock:
                known = self._known.get(key)
                if known is not None and file is not None:
                    self._entries[known].origin = file(known)
            if known is not None:
                return self._restate(known, view, age)
            loaded = decode(data, name)
            with self._lock:
                self.decodes += 1
            name_of = loaded.info.ref.id
            info = self._enter(loaded, file(name_of) if file else FromBytes(name_of, data), view, age)
            with self._lock:
                self._known[key] = info.ref.id
            return info

    def _enter(self, loaded: LoadedImage, origin: Origin | None, view: str | None, age: float | None) -> ImageInfo:
        image = loaded.info.ref.id
        info = with_statement(loaded.info, view, age)
        with self._lock:
            old = self._entries.get(image)
            if old is None:
                self._entries[image] = Entry(info, loaded.info, origin)
            else:
                old.info, old.plain = info, loaded.info
                old.origin = origin or old.origin
        if loaded.identity is not None:
            self.vault.put(image, loaded.identity)
        if origin is None:
            self._pixels.pin((image,))  # they exist nowhere else
        self._pixels.put(image, loaded.grey)
        return info

    def _restate(self, image: str, view: str | None, age: float | None) -> ImageInfo:
        with self._lock:
            entry = self._entries[image]
            entry.info = with_statement(entry.plain, view, age)
            return entry.info

    def _entry(self, image: str) -> Entry:
        with self._lock:
            entry = self._entries.get(image)
        if entry is None:
            raise StoreError("The image store does not hold this image.", hint="Add it first.")
        return entry

    def _chain(self, image: str) -> list[ImageRef]:
        chain = [self._entry(image).info.ref]
        while (parent := chain[-1].parent) is not None:
            chain.append(self._entry(parent).info.ref)
        return chain

    def _again(self, entry: Entry) -> NDArray[np.float32]:
        """Pixels that are not in memory."""
        if entry.origin is None:
            raise StoreError("The pixels of this image are no longer held.", hint="Add it again.")
        if not isinstance(entry.origin, FromParent | FromRegrade | FromVolume):
            with self._lock:
                self.decodes += 1
        return entry.origin.grey()

    @contextmanager
    def _one_at_a_time(self, key: str) -> Iterator[None]:
        """Concurrent adds of one source wait for the first."""
        with self._lock:
            lock = self._busy.setdefault(key, threading.Lock())
        with lock:
            yield
        with self._lock:
            if not lock.locked():
                self._busy.pop(key, None)
