"""A chest film to masks of both lungs and heart, with samples that show how sure they are.

Every network of the ensemble looks at the film several times, each time turned, sized and exposed a little
differently. The mean of all looks is the answer; each look by itself is a sample. The spread of a measurement over the
samples of one network tells how it bears such changes; between networks, how it depends on the training films.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.tools.segment.gather import AnatomyResult, Gathering, Sample
from secondread.tools.segment.grid import to_grid
from secondread.tools.segment.looks import LOOKS, Look, show
from secondread.tools.segment.postprocess import STRUCTURES

if TYPE_CHECKING:
    import torch

    from secondread.tools.segment.network import ChestAnatomyNet


def segment(
    pixels: NDArray[np.float32],
    networks: "Mapping[int, ChestAnatomyNet]",
    members: Sequence[int] | None = None,
    looks: Sequence[Look] = LOOKS,
) -> AnatomyResult:
    """Segment one film; see `segment_batch`."""
    return segment_batch([pixels], networks, members, looks)[0]


def segment_batch(
    films: Sequence[NDArray[np.float32]],
    networks: "Mapping[int, ChestAnatomyNet]",
    members: Sequence[int] | None = None,
    looks: Sequence[Look] = LOOKS,
) -> list[AnatomyResult]:
    """Segment films of any sizes.

    Args:
        films: Display grey in 0..1 (air dark), each of shape (rows, columns).
        networks: From `load_networks`.
        members: Which of them to use; None: all. A film of the training set must be given to the one network that
            has not seen it.
        looks: How each network is shown each film.

    Returns:
        One result per film, in order; each equals what `segment` gives for the film alone.

    Raises:
        ToolUnavailable: A member was asked for that is not among `networks`, or there is none.
        NotApplicable: A film is not two-dimensional, smaller than 32 pixels on a side or more than four times as
            long as wide, so it cannot be a frontal chest film.
    """
    import torch

    used = sorted(networks) if members is None else sorted(set(members))
    missing = [m for m in used if m not in networks]
    if missing or not used:
        raise ToolUnavailable(f"No chest anatomy network {missing or ''} is loaded.".replace("  ", " "))
    for film in films:
        _check(film)
    with torch.inference_mode():
        return [_one(film, {m: networks[m] for m in used}, looks) for film in films]


def _one(film: NDArray[np.float32], networks: "Mapping[int, ChestAnatomyNet]", looks: Sequence[Look]) -> AnatomyResult:
    """One film through its networks; what one has said is gathered while the next one computes."""
    import torch

    grid = torch.from_numpy(to_grid(film))[None, None]
    shown = torch.cat([show(grid, look) for look in looks])
    gathering = Gathering(film.shape[0], film.shape[1], looks)
    with ThreadPoolExecutor(1, thread_name_prefix="secondread-gather") as beside:
        added = [beside.submit(gathering.add, m, _run(network, shown)) for m, network in networks.items()]
        for one in added:
            one.result()
    return gathering.result()


def _check(film: NDArray[np.float32]) -> None:
    if film.ndim != 2:
        raise NotApplicable(f"A chest film has rows and columns; this array has {film.ndim} dimensions.")
    rows, columns = film.shape
    if min(rows, columns) < 32:
        raise NotApplicable(f"The image has only {rows} x {columns} pixels; lungs and heart need at least 32 a side.")
    if max(rows, columns) > 4 * min(rows, columns):
        raise NotApplicable(f"An image of {rows} x {columns} pixels is too long and narrow for a frontal chest film.")


def _run(network: "ChestAnatomyNet", shown: "torch.Tensor") -> NDArray[np.float32]:
    """Class logits (looks, 4, 256, 256); the network computes where it lies."""
    import torch

    device = next((p.device for p in network.parameters()), shown.device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cpu" and _bf16()):
        logits: torch.Tensor = network(shown.to(device).contiguous(memory_format=torch.channels_last))
    result: NDArray[np.float32] = logits.float().cpu().numpy()
    return result


def _bf16() -> bool:
    """Half precision only where the processor computes in it; elsewhere it is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported()) if hasattr(torch.cpu, "_is_avx512_bf16_supported") else False


__all__ = ["LOOKS", "STRUCTURES", "AnatomyResult", "Look", "Sample", "segment", "segment_batch"]
