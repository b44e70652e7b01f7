"""The tools of DeepTumorVQA v2 under their published names, in its three fidelity modes, and an agent that uses them.

oracle, predicted   `segment_organ`, `measure`, `lookup_medical_knowledge`; numbers come from the benchmark's cache file
                    `{"cache": {image id: {"segment": {target: ..}, "measure": {target: {type: ..}}}}}`
vision              `crop_organ`, `lookup_medical_knowledge`; pictures `<image id>_<organ>.png`
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.evals.bench.item import Item, Prediction
from secondread.evals.bench.subjects import picture, prompt, read_reply
from secondread.schema.errors import InputError, UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

MODES = ("oracle", "predicted", "vision")
MEASURES = (
    "volume_cm3", "mean_hu", "max_diameter_mm", "lesion_count", "largest_lesion_volume_cm3",
    "largest_lesion_diameter_cm",
)  # fmt: skip
MAX_STEPS = 5
"""Rounds of tool use; in the last one no tool is offered."""
PARENTS = {"liver_tumor": "liver", "kidney_tumor": "kidney", "kidney_cyst": "kidney", "colon_tumor": "colon"}
Run = Callable[[str, Mapping[str, Any]], dict[str, Any]]


def _schema(name: str, about: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": about,
            "parameters": {"type": "object", "properties": dict(fields), "required": list(fields)},
        },
    }


TEXT = {"type": "string"}
SCHEMAS = {
    "segment_organ": _schema(
        "segment_organ", "Voxel count and bounding box of an organ or lesion on this scan.", {"target": TEXT}
    ),
    "measure": _schema(
        "measure",
        "One measurement of an organ or lesion on this scan.",
        {"target": TEXT, "measurement_type": {"type": "string", "enum": list(MEASURES)}},
    ),
    "lookup_medical_knowledge": _schema(
        "lookup_medical_knowledge", "Thresholds and definitions on a topic.", {"query": TEXT}
    ),
    "crop_organ": _schema("crop_organ", "A slice of this scan cropped around an organ.", {"organ": TEXT}),
}


def offered(mode: str) -> tuple[str, ...]:
    """Names of the tools of a mode.

    Raises:
        UsageError: There is no such mode.
    """
    if mode not in MODES:
        raise UsageError(f"There is no tool-fidelity mode {mode!r}.", hint=f"Use {', '.join(MODES)}.")
    first = ("crop_organ",) if mode == "vision" else ("segment_organ", "measure")
    return (*first, "lookup_medical_knowledge")


def toolkit(mode: str, *, cache: Path | None = None, crops: Path | None = None) -> dict[str, Run]:
    """Tools of a mode by name: each maps image id and arguments to a JSON object, errors included.

    Raises:
        InputError: The cache is missing or is not one.
        UsageError: The mode is unknown, or its source was not given.
    """
    names = offered(mode)
    held: Mapping[str, Any] = {}
    if mode != "vision":
        if cache is None:
            raise UsageError(f"The mode {mode} needs the benchmark's tool cache.", hint="--option tool_cache=FILE")
        try:
            found = json.loads(cache.read_text(encoding="utf-8"))
            held = found.get("cache", found)
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(f"{cache.name} is no tool cache: {type(error).__name__}.") from None

    def segment(image: str, args: Mapping[str, Any]) -> dict[str, Any]:
        targets = held.get(image, {}).get("segment", {})
        found = targets.get(str(args.get("target", "")))
        return dict(found) if found is not None else {"mask_found": False, "available_targets": sorted(targets)}

    def measure(image: str, args: Mapping[str, Any]) -> dict[str, Any]:
        wanted = str(args.get("measurement_type") or args.get("measurement") or "")
        found = held.get(image, {}).get("measure", {}).get(str(args.get("target", "")), {}).get(wanted)
        return dict(found) if found is not None else {"error": f"no {wanted or 'measurement'} of that target"}

    def crop(image: str, args: Mapping[str, Any]) -> dict[str, Any]:
        organ = str(args.get("organ", "")).strip().lower()
        path = (crops or Path()) / f"{image}_{PARENTS.get(organ, organ)}.png"
        if "/" in organ or crops is None or not path.is_file():
            return {"error": "no picture of that organ"}
        return {"image_base64": picture(path), "mime_type": "image/png"}

    every: dict[str, Run] = {
        "segment_organ": segment, "measure": measure, "lookup_medical_knowledge": _knowledge, "crop_organ": crop,
    }  # fmt: skip
    return {name: every[name] for name in names}


def _knowledge(image: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """What the project's own graph says of the concepts in a query, each edge with its source."""
    from secondread.kg.graph import core_graph
    from secondread.kg.link import mentions

    graph = core_graph()
    concepts = list(dict.fromkeys(m.concept for m in mentions(str(args.get("query", "")), graph)))
    edges = [e for c in concepts[:4] for e in graph.neighbors(c)[:6]]
    return {"results": [{"text": e.text, "source": e.source} for e in edges[:12]]}


@dataclass
class DeepTumorAgent:
    """A chat model that calls these tools for at most `MAX_STEPS` rounds and then answers."""

    model: "BaseChatModel"
    mode: str
    tools: Mapping[str, Run]
    name: str
    about: dict[str, Any] = field(default_factory=dict)

    def ask(self, item: Item, images: Sequence[Path]) -> Prediction:
        """The answer; the calls made, by name, in `meta`, beside the tools that the item is said to need."""
        from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

        messages: list[BaseMessage] = [HumanMessage(prompt(item))]
        bound = self.model.bind_tools([SCHEMAS[n] for n in self.tools])
        started, tokens, called = time.monotonic(), 0, list[str]()
        text = ""
        for step in range(MAX_STEPS):
            reply = (bound if step < MAX_STEPS - 1 else self.model).invoke(messages)
            text = str(reply.text)
            used = getattr(reply, "usage_metadata", None)
            tokens += int(used["total_tokens"]) if used else 0
            if not isinstance(reply, AIMessage) or not reply.tool_calls or step == MAX_STEPS - 1:
                break
            messages.append(reply)
            for call in reply.tool_calls:
                known = self.tools.get(call["name"])
                result = known(item.meta["image_id"], call["args"]) if known else {"error": "no such tool"}
                called.append(call["name"])
                messages.append(ToolMessage(json.dumps(result), tool_call_id=call["id"] or str(len(called))))
        return Prediction.model_validate(
            {
                "item": item.id, "subject": self.name, "text": text, "seconds": time.monotonic() - started,
                "calls": len(called), "tokens": tokens,
                "meta": {"called": called, "needed": item.meta.get("tools", []), "mode": self.mode},
                **read_reply(item, text),
            }
        )  # fmt: skip

    def close(self) -> None:
        """Nothing is held."""
