"""Long texts cut into passages at headings and paragraphs."""

import re

LONGEST = 1200
"""Characters of a passage; longer paragraphs are cut at the end of a sentence."""
SHORTEST = 200
"""A paragraph shorter than this is joined to the next one under the same heading."""
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def sections(text: str) -> list[tuple[str, str]]:
    """(heading, body) pairs of a markdown text, headings of higher levels before it joined by ` / `."""
    found: list[tuple[str, str]] = []
    stack: list[tuple[int, str]] = []
    last = 0
    for mark in _HEADING.finditer(text):
        found.append((_title(stack), text[last : mark.start()]))
        level = len(mark[1])
        stack = [(n, t) for n, t in stack if n < level] + [(level, mark[2])]
        last = mark.end()
    found.append((_title(stack), text[last:]))
    return [(title, body.strip()) for title, body in found if body.strip()]


def _title(stack: list[tuple[int, str]]) -> str:
    return " / ".join(t for _, t in stack)


def chunks(text: str) -> list[str]:
    """Passages of a plain text, in order, none longer than `LONGEST`."""
    made: list[str] = []
    held = ""
    for paragraph in re.split(r"\n\s*\n", text):
        clean = " ".join(paragraph.split())
        if not clean:
            continue
        for piece in _pieces(clean):
            if held and (len(held) >= SHORTEST or len(held) + len(piece) + 1 > LONGEST):
                made.append(held)
                held = ""
            held = f"{held} {piece}".strip()
    if held:
        made.append(held)
    return made


def _pieces(paragraph: str) -> list[str]:
    if len(paragraph) <= LONGEST:
        return [paragraph]
    made, held = list[str](), ""
    for sentence in _SENTENCE.split(paragraph):
        while len(sentence) > LONGEST:
            cut = sentence.rfind(" ", 0, LONGEST)
            cut = cut if cut > 0 else LONGEST
            made += [held] if held else []
            held = ""
            made.append(sentence[:cut])
            sentence = sentence[cut:].strip()
        if held and len(held) + len(sentence) + 1 > LONGEST:
            made.append(held)
            held = ""
        held = f"{held} {sentence}".strip()
    return [*made, held] if held else made
