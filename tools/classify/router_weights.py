"""The weights file of the image router and the records of its kinds."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from secondread.schema.errors import ToolUnavailable
from secondread.tools.classify.router_features import SIDE, features
from secondread.tools.classify.router_model import KINDS, RouterModel
from secondread.tools.weights_file import FOLDER, WeightsFile

WEIGHTS = WeightsFile("image_router", "secondread.training.router", licence="CC-BY-SA-4.0")


def load_model(folder: Path = FOLDER) -> RouterModel:
    """The router's model, checked against the manifest.

    Raises:
        ToolUnavailable: The file is missing, damaged, untrained, or does not fit this version of the features.
    """
    states = WEIGHTS.states(folder)
    try:
        arrays = {f.name: states[0][f.name].numpy().astype(np.float32) for f in fields(RouterModel)}
    except (IndexError, KeyError) as error:
        raise ToolUnavailable(f"The weights in {WEIGHTS.file} do not fit the router.", hint=WEIGHTS.again) from error
    model = RouterModel(**arrays)
    length = features(np.zeros((SIDE, SIDE, 3), np.uint8)).size
    axes = model.axes.shape[-1] + 1
    expected = {
        "mean": (length,),
        "scale": (length,),
        "weight": (len(KINDS) + 1, length),
        "bias": (len(KINDS) + 1,),
        "axes": (length, axes - 1),
        "centres": (len(KINDS), axes),
        "whiten": (len(KINDS), axes, axes),
        "distances": (len(KINDS), model.distances.shape[-1]),
    }
    if any(arrays[name].shape != shape for name, shape in expected.items()):
        raise ToolUnavailable(f"The weights in {WEIGHTS.file} do not fit the router.", hint=WEIGHTS.again)
    return model
