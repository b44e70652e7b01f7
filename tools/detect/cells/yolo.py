"""The one place that imports ultralytics: training and use of its detector, with telemetry, downloads and checks off.

ultralytics is under AGPL-3.0, and so are weights trained with it; it is installed by the extra `yolo` only.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import ToolUnavailable
from secondread.tools.detect.cells.boxes import Detection
from secondread.tools.detect.cells.layout import KINDS
from secondread.tools.weights_file import FOLDER, WeightsFile

if TYPE_CHECKING:
    import torch

    from secondread.tools.detect.cells.inference import CellsResult

WEIGHTS = WeightsFile("blood_cells_yolo", "secondread.training.cells.yolo", licence="AGPL-3.0-only")
SCORE_RECORD = "blood_cell_score"
ARCHITECTURE = "cfg/models/v8/yolov8.yaml"
"""Architecture file of the installed package; only its sizes are set here."""
SCALE = (0.33, 0.125, 512)
"""Depth, width and largest number of channels: half as wide as the smallest published size, since three kinds of round
cells need little."""
SIDE = 320
"""Long side of the input; a field of 640 x 480 becomes 320 x 240."""
NOTICE = "found by the ultralytics detector, whose code and weights are under AGPL-3.0"
CONFIDENCE, SAME = 0.05, 0.5
"""Boxes of a lower score are dropped; of two that overlap by more than `SAME` the lower one is."""
_OFF = ("sync", "hub", "clearml", "comet", "dvc", "mlflow", "neptune", "raytune", "tensorboard", "wandb", "platform")
"""Settings of ultralytics that send or fetch something."""


@cache
def library() -> Any:
    """The ultralytics package, told to stay offline and silent before it is imported.

    Raises:
        ToolUnavailable: The extra `yolo` is not installed.
    """
    folder = Path(tempfile.mkdtemp(prefix="secondread-yolo-"))
    before = {k: os.environ.get(k) for k in ("YOLO_CONFIG_DIR", "YOLO_OFFLINE", "YOLO_AUTOINSTALL", "YOLO_VERBOSE")}
    os.environ.update(YOLO_CONFIG_DIR=str(folder), YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    import torch

    threads = torch.get_num_threads()
    try:
        ultralytics = import_module("ultralytics")
        settings: Any = import_module("ultralytics.utils").SETTINGS
    except ImportError as error:
        raise ToolUnavailable(
            "The YOLO detector needs ultralytics (AGPL-3.0).", hint="Install the extra: pip install 'secondread[yolo]'."
        ) from error
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    settings.update({name: False for name in _OFF if name in settings})
    torch.set_num_threads(threads)  # ultralytics changes it
    return ultralytics


def architecture() -> dict[str, Any]:
    """The architecture file of the installed package with our sizes and kinds."""
    import yaml

    path = Path(library().__file__).parent / ARCHITECTURE
    made: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {**made, "nc": len(KINDS), "scales": {"n": list(SCALE)}, "scale": "n", "yaml_file": "yolov8n.yaml"}


def build() -> "torch.nn.Module":
    """An untrained network.

    Raises:
        ToolUnavailable: The extra `yolo` is not installed.
    """
    made: torch.nn.Module = _class("ultralytics.nn.tasks", "DetectionModel")(
        architecture(), ch=3, nc=len(KINDS), verbose=False
    )
    return made


def _class(module: str, name: str) -> Any:
    """A class of the library, which has no types."""
    library()
    return getattr(import_module(module), name)


def train(
    folder: Path, train_list: Path, out: Path, *, epochs: int, seed: int, batch: int = 16
) -> "dict[str, torch.Tensor]":
    """Train one network from the architecture file; returns its averaged weights.

    Args:
        folder: Of the images, with labels beside them as ultralytics reads them.
        train_list: Text file with one image path per line.
        out: Where ultralytics writes; nothing of it is kept but the weights returned.
        epochs: Passes over the images.
        seed: Of everything drawn.
        batch: Images per step.

    Raises:
        ToolUnavailable: The extra `yolo` is not installed.
    """
    import torch
    import yaml

    trainer_of = _class("ultralytics.models.yolo.detect", "DetectionTrainer")
    out.mkdir(parents=True, exist_ok=True)
    data = {"path": str(folder), "train": str(train_list), "val": str(train_list), "names": dict(enumerate(KINDS))}
    (out / "data.yaml").write_text(yaml.safe_dump(data))
    (out / "yolov8n.yaml").write_text(yaml.safe_dump(architecture()))
    overrides = {
        "model": str(out / "yolov8n.yaml"), "data": str(out / "data.yaml"), "project": str(out), "name": "run",
        "exist_ok": True, "epochs": epochs, "imgsz": SIDE, "batch": batch, "seed": seed, "deterministic": True,
        "device": "cpu", "workers": 0, "val": False, "plots": False, "save": True, "pretrained": False,
        "verbose": False,
        "optimizer": "AdamW", "lr0": 0.002, "lrf": 0.02, "warmup_epochs": 2, "cos_lr": True, "weight_decay": 0.005,
        "mosaic": 0.5, "close_mosaic": max(1, epochs // 4), "degrees": 20.0, "flipud": 0.5, "fliplr": 0.5, "scale": 0.4,
        "hsv_h": 0.02, "hsv_s": 0.4, "hsv_v": 0.3, "cache": "ram", "amp": False,
    }  # fmt: skip
    with _quiet():
        trainer = trainer_of(overrides=overrides)
        trainer.train()
        last = torch.load(trainer.last, map_location="cpu", weights_only=False)  # written a moment ago by this process
    ema = last.get("ema") or last["model"]
    return {k: v.float() for k, v in ema.state_dict().items()}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Progress bars of the library go to stderr's void; its log is set to warnings."""
    import logging

    logging.getLogger("ultralytics").setLevel(logging.WARNING)
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        yield


def load_networks(folder: Path = FOLDER) -> "list[torch.nn.Module]":
    """The member networks; number k has not seen the fields of fold k, the last one has seen all.

    Raises:
        ToolUnavailable: The extra is not installed, or the weights are missing, damaged or untrained.
    """
    networks = []
    for state in WEIGHTS.states(folder):
        network = build()
        fresh = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
        try:
            network.load_state_dict({**fresh, **state})
        except RuntimeError as error:
            raise ToolUnavailable("The YOLO weights do not fit the network.", hint=WEIGHTS.again) from error
        networks.append(network.eval().requires_grad_(False))
    return networks


def raw_boxes(
    shown: NDArray[np.float32], rows: int, columns: int, networks: "Sequence[torch.nn.Module]", member: int = -1
) -> list[Detection]:
    """Boxes with raw scores, by falling score.

    Args:
        shown: The field as `smear.to_input` gives it, shape (h, w, 3), 0..1.
        rows: Of the original image.
        columns: Of the original image.
        networks: From `load_networks`.
        member: Which of them; the last one by default.
    """
    import torch
    from torch.nn import functional

    image = torch.from_numpy(np.ascontiguousarray(shown.transpose(2, 0, 1)))[None]
    h, w = image.shape[2:]
    ratio = SIDE / max(h, w)
    height, width = max(1, round(h * ratio)), max(1, round(w * ratio))
    small = functional.interpolate(image, (height, width), mode="bilinear", antialias=True)
    padded = functional.pad(small, (0, -width % 32, 0, -height % 32), value=114 / 255)
    with torch.inference_mode():
        output = networks[member](padded)
    found = output[0] if isinstance(output, tuple | list) else output
    return _suppressed(found[0].float(), rows / height, columns / width, rows, columns)


def _suppressed(output: "torch.Tensor", up_y: float, up_x: float, rows: int, columns: int) -> list[Detection]:
    """(4 + kinds, boxes) of centres, sizes and scores to boxes of the original image, overlaps of a kind dropped."""
    import torch
    from torchvision.ops import batched_nms

    scores, kinds = output[4:].max(0)
    kept = scores >= CONFIDENCE
    x, y, w, h = output[:4, kept]
    boxes = torch.stack([(x - w / 2) * up_x, (y - h / 2) * up_y, (x + w / 2) * up_x, (y + h / 2) * up_y], 1)
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, columns)
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, rows)
    best = batched_nms(boxes, scores[kept], kinds[kept], SAME)
    return [
        Detection(KINDS[int(k)], float(s), (float(b[0]), float(b[1]), float(b[2]), float(b[3])))
        for b, s, k in zip(boxes[best], scores[kept][best], kinds[kept][best], strict=True)
        if b[2] - b[0] >= 1 and b[3] - b[1] >= 1
    ]


def detect(
    pixels: NDArray[np.generic], networks: "Sequence[torch.nn.Module]", members: Sequence[int] | None = None
) -> "CellsResult":
    """Find the cells of one field, as `inference.detect` does with the built-in networks.

    Args:
        pixels: Colour (rows, columns, 3 or 4), any range.
        networks: From `load_networks`.
        members: At most one of them; None: the one that has seen all development fields.

    Raises:
        NotApplicable: The array cannot be such a field.
        ToolUnavailable: There is no such network, or no record of the scores.
    """
    from secondread.tools.detect.cells.inference import assemble
    from secondread.tools.detect.cells.smear import as_rgb, to_input

    if members is not None and (len(members) != 1 or not 0 <= members[0] < len(networks)):
        raise ToolUnavailable("The YOLO detector takes one member at a time.", hint=f"There are {len(networks)}.")
    rgb = as_rgb(pixels)
    rows, columns = rgb.shape[:2]
    shown, _ = to_input(rgb)
    found = raw_boxes(shown, rows, columns, networks, -1 if members is None else members[0])
    made = assemble(found, shown, rows, columns, WEIGHTS.record(SCORE_RECORD).parameters)
    return replace(made, reasons=(*made.reasons, NOTICE))


def sends_events() -> bool:
    """Whether ultralytics would send usage events; False is what `library` sees to."""
    library()
    return bool(import_module("ultralytics.utils.events").Events().enabled)
