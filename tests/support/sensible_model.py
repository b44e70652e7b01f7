"""What a sensible language model would reply to the planner's prompts, read from the prompt alone."""

import json
import re
from typing import Any

TOOLS = {
    "ratio": "cardiothoracic_ratio",
    "enlarged": "cardiothoracic_ratio",
    "rotated": "film_rotation",
    "symmetric": "lung_symmetry",
}
"""A word of the question, and the tool that a reader would reach for."""


def sensible(text: str) -> dict[str, Any]:
    """The reply as JSON: the fitting tool once, then the answer; claims in their own words.

    Args:
        text: All messages of the request, one after the other.
    """
    if "\nClaims:\n" in text:
        claims = json.loads(_block(text.split("\nClaims:\n", 1)[1]))
        return {"sentences": [{"text": c["text"], "claims": [c["id"]]} for c in claims]}
    question = _block(text.split("Question:\n", 1)[1])
    images = json.loads(_block(text.split("\nImages:\n", 1)[1]))
    evidence = text.split("\nEvidence so far:\n", 1)[1].split("\nCritiques:\n", 1)[0]
    for word, tool in TOOLS.items():
        if word in question and tool not in evidence and re.search(rf'"{tool}"', text.split("Question:\n", 1)[0]):
            return {"moves": [{"action": "call", "tool": tool, "args": {"image": images[0]["id"]}}]}
    return {"moves": [{"action": "answer", "why": "nothing is left to do"}]}


def _block(text: str) -> str:
    return text.split("<data>\n", 1)[1].split("\n</data>", 1)[0]
