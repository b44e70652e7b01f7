"""Drawn images that are nothing medical: noise, blanks, text pages, scenes; and chest films made unusable."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from secondread.tools.classify.guard_input import CACHE

N = CACHE


def _coloured_noise(rng: np.random.Generator) -> NDArray[np.float32]:
    power = rng.uniform(0, 2.5)
    fy, fx = np.meshgrid(np.fft.fftfreq(N), np.fft.fftfreq(N), indexing="ij")
    radius = np.maximum(np.hypot(fx, fy), 1 / N)
    wave = np.fft.ifft2(np.fft.fft2(rng.standard_normal((N, N))) / radius**power).real
    return np.asarray(wave, dtype=np.float32)


def _gradient(rng: np.random.Generator) -> NDArray[np.float32]:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    turn = rng.uniform(0, 2 * np.pi)
    linear = x * np.cos(turn) + y * np.sin(turn)
    radial = np.hypot(x - rng.uniform(-1, 1), y - rng.uniform(-1, 1))
    picture = rng.uniform(-1, 1) * linear + rng.uniform(-1, 1) * radial + rng.normal(0, 0.02, (N, N))
    return np.asarray(picture, dtype=np.float32)


def _stripes(rng: np.random.Generator) -> NDArray[np.float32]:
    y, x = np.mgrid[0:N, 0:N]
    turn, period = rng.uniform(0, np.pi), rng.uniform(4, 40)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = np.sign(wave) * np.sign(np.sin((y * np.cos(turn) - x * np.sin(turn)) * 2 * np.pi / period))
    return np.asarray(wave + rng.normal(0, 0.1, (N, N)), dtype=np.float32)


def _shapes(rng: np.random.Generator) -> NDArray[np.float32]:
    from PIL import Image, ImageDraw

    page = Image.new("L", (N, N), int(rng.integers(0, 256)))
    draw = ImageDraw.Draw(page)
    for _ in range(int(rng.integers(1, 14))):
        x, y = rng.uniform(-10, N, 2)
        wide, high = rng.uniform(5, 80, 2)
        tone = int(rng.integers(0, 256))
        kind = int(rng.integers(0, 4))
        if kind == 0:
            draw.ellipse((x, y, x + wide, y + high), fill=tone)
        elif kind == 1:
            draw.rectangle((x, y, x + wide, y + high), fill=tone)
        elif kind == 2:
            draw.line((x, y, x + wide, y + rng.uniform(-60, 60)), fill=tone, width=int(rng.integers(1, 9)))
        else:
            draw.polygon([tuple(p) for p in rng.uniform(0, N, (int(rng.integers(3, 7)), 2))], fill=tone)
    soft = ndimage.gaussian_filter(np.asarray(page, dtype=np.float32), rng.uniform(0, 2.5))
    return np.asarray(soft, dtype=np.float32)


def _page(rng: np.random.Generator) -> NDArray[np.float32]:
    from PIL import Image, ImageDraw

    page = Image.new("L", (256, 256), 255)
    draw = ImageDraw.Draw(page)
    size = int(rng.integers(8, 26))
    for line in range(6, 250, size + int(rng.integers(2, 9))):
        words = "".join(rng.choice(list("abcdefghij klmnop qrstuvwxyz 0123456789 "), int(rng.integers(3, 400 // size))))
        draw.text((int(rng.integers(2, 30)), line), words, fill=int(rng.integers(0, 120)), font_size=size)
    grey = np.asarray(page.resize((N, N)), dtype=np.float32)
    return 255 - grey if rng.random() < 0.4 else grey


def _scene(rng: np.random.Generator) -> NDArray[np.float32]:
    """Sky, ground and a few lit objects: two large areas of different grey, as in many photographs."""
    horizon = int(rng.uniform(0.2, 0.8) * N)
    noise = np.stack([ndimage.gaussian_filter(_coloured_noise(rng), 1) for _ in range(2)])
    noise /= noise.std((1, 2), keepdims=True) + 1e-6
    picture = np.empty((N, N), np.float32)
    picture[:horizon] = rng.uniform(0, 255) + noise[0][:horizon] * rng.uniform(2, 40)
    picture[horizon:] = rng.uniform(0, 255) + noise[1][horizon:] * rng.uniform(2, 60)
    y, x = np.mgrid[0:N, 0:N]
    for _ in range(int(rng.integers(1, 6))):
        cx, cy, rx, ry = rng.uniform(0, N), rng.uniform(0, N), rng.uniform(4, 40), rng.uniform(4, 40)
        inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        light = rng.uniform(0, 255) + rng.uniform(-2, 2) * (x - cx) + rng.uniform(-2, 2) * (y - cy)
        picture = np.where(inside, light, picture)
    return np.asarray(picture, dtype=np.float32)


def _axial(rng: np.random.Generator) -> NDArray[np.float32]:
    """A body cross-section in outline: an ellipse with smaller ones inside, as on CT and MR slices."""
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    turn = rng.uniform(-0.3, 0.3)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    wide, high = rng.uniform(0.5, 0.98), rng.uniform(0.45, 0.98)
    picture = np.where((u / wide) ** 2 + (v / high) ** 2 < 1, rng.uniform(80, 200), 0.0)
    for _ in range(int(rng.integers(3, 16))):
        cx, cy = rng.uniform(-0.6, 0.6) * wide, rng.uniform(-0.6, 0.6) * high
        spot = ((u - cx) / rng.uniform(0.04, 0.4)) ** 2 + ((v - cy) / rng.uniform(0.04, 0.4)) ** 2 < 1
        picture = np.where(spot & (picture > 0), rng.uniform(1, 255), picture)
    soft = ndimage.gaussian_filter(picture, rng.uniform(0.3, 2)) + rng.normal(0, rng.uniform(0, 14), (N, N))
    return np.asarray(soft, dtype=np.float32)


def _blank(rng: np.random.Generator) -> NDArray[np.float32]:
    picture = np.zeros((N, N), np.float32)
    if rng.random() < 0.5:
        y, x = rng.integers(0, N - 12, 2)
        picture[y : y + int(rng.integers(1, 12)), x : x + int(rng.integers(1, 12))] = 1
    return picture


KINDS = (_coloured_noise, _gradient, _stripes, _shapes, _page, _scene, _axial, _blank)


def drawn(rng: np.random.Generator) -> tuple[str, NDArray[np.float32]]:
    """One drawn image and the name of its kind; float32, shape (128, 128), any range."""
    kind = KINDS[int(rng.integers(0, len(KINDS)))]
    return kind.__name__.strip("_"), kind(rng)


def _jigsaw(film: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    parts = int(rng.choice([2, 4]))
    step = N // parts
    tiles = [film[r : r + step, c : c + step] for r in range(0, N, step) for c in range(0, N, step)]
    while True:
        order = rng.permutation(len(tiles))
        if np.mean(order == np.arange(len(tiles))) < 0.5:
            break
    rows = [np.hstack([tiles[i] for i in order[r * parts : (r + 1) * parts]]) for r in range(parts)]
    return np.vstack(rows)


def _enlarged(film: NDArray[np.uint8], rows: slice, columns: slice) -> NDArray[np.uint8]:
    part = film[rows, columns].astype(np.float32)
    zoom = (N / part.shape[0], N / part.shape[1])
    return np.asarray(np.clip(ndimage.zoom(part, zoom, order=1), 0, 255), dtype=np.uint8)


def unusable(film: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A chest film that can no longer be read as a frontal one.

    Turned by 90 or 180 degrees, upside down, cut into shuffled tiles, a small part enlarged, or one half stretched to
    the whole width. What tells them from a film is the layout of the chest alone: texture and exposure are the same.
    """
    kind = int(rng.integers(0, 5))
    if kind == 0:
        return np.ascontiguousarray(np.rot90(film, int(rng.choice([1, 2, 3]))))
    if kind == 1:
        return np.ascontiguousarray(film[::-1])
    if kind == 2:
        return _jigsaw(film, rng)
    if kind == 3:
        side = int(rng.uniform(0.15, 0.4) * N)
        top, left = rng.integers(0, N - side, 2)
        return _enlarged(film, slice(int(top), int(top) + side), slice(int(left), int(left) + side))
    half = int(rng.uniform(0.42, 0.55) * N)
    return _enlarged(film, slice(0, N), slice(0, half) if rng.random() < 0.5 else slice(N - half, N))
