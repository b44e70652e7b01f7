"""A second look at the door: an image refused because of its plain frame is cropped to its content and gated again."""

from secondread.agent.nodes.act import run_planned
from secondread.agent.nodes.valid import FRONTAL
from secondread.agent.run import Run
from secondread.schema.evidence import DerivedImage, Evidence, Findings, QualityReport
from secondread.tools.runtime.calls import Call, plan

FRAME_SHARE = 0.10
"""Share of the image that must be frame for a crop to change what the gates see."""


def refused(image: str, evidence: dict[str, Evidence]) -> bool:
    """Whether a gate refuses this image."""
    for item in evidence.values():
        if item.image != image:
            continue
        if isinstance(item.result, QualityReport) and item.result.overall == "reject":
            return True
        if isinstance(item.result, Findings):
            frontal = item.result.get(FRONTAL)
            if frontal is not None and frontal.polarity != "present":
                return True
    return False


async def look_inside_frame(
    image: str, evidence: dict[str, Evidence], run: Run, gates: tuple[str, ...]
) -> tuple[str, dict[str, Evidence]]:
    """Crop a refused image to what lies inside its plain frame and run the gates on that.

    Returns:
        The image to go on with (the crop, when the gates no longer refuse it), and all evidence so far.
    """
    names = run.executor.catalogue.names()
    if "plain_frame" not in names or "crop" not in names or not refused(image, evidence):
        return image, evidence

    async def more(*calls: Call) -> list[Evidence]:
        planned = plan(calls, evidence, run.executor.catalogue, next_id=len(evidence) + 1, defaults=run.tool_defaults)
        run.meter.calls += len(planned)
        new = await run_planned(planned, evidence, run)
        evidence.update(new)
        return list(new.values())

    [frame] = await more(Call(tool="plain_frame", args={"image": image}))
    found = frame.result.get("plain_frame") if isinstance(frame.result, Findings) else None
    if found is None or found.region is None or (found.score or 0.0) < FRAME_SHARE:
        return image, evidence
    box = found.region
    [cropped] = await more(
        Call(tool="crop", args={"image": image, "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1})
    )
    if not isinstance(cropped.result, DerivedImage):
        return image, evidence
    inside = cropped.result.image
    await more(*(Call(tool=name, args={"image": inside}) for name in gates))
    still = refused(inside, evidence)
    run.trace.add(
        "second_gate",
        image=image,
        crop=inside,
        text=f"{found.score:.0%} of the image is a plain frame; its content was gated again: "
        + ("still refused" if still else "accepted"),
    )
    if still:
        return image, evidence
    run.enter_crop(image, cropped.result)
    return inside, evidence
