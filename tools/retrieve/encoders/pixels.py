"""A baseline without learning: the image itself, small and without its mean. Not semantic; finds near-duplicates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.schema.record import short_hash
from secondread.tools.retrieve.encoders.base import EncoderCard, ImageEncoder, Picture, unit

SIDE = 32


class PixelEncoder(ImageEncoder):
    """Grey values of the image at 32 x 32 pixels, mean taken off, of unit length."""

    card = EncoderCard(
        name="pixels",
        fingerprint=short_hash(["pixels", "1", SIDE]),
        dimension=SIDE * SIDE,
        takes=("images",),
        good_for="near-duplicates; a floor for comparisons, not semantic",
        licence="Apache-2.0",
    )

    def embed_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, 1024)."""
        from PIL import Image

        made = np.zeros((len(pictures), SIDE * SIDE), np.float64)
        for number, picture in enumerate(pictures):
            small = Image.fromarray(np.ascontiguousarray(picture)).convert("L").resize((SIDE, SIDE))
            flat = np.asarray(small, np.float64).ravel()
            made[number] = flat - flat.mean()
        return unit(made)
