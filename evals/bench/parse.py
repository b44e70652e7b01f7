"""Replies in free wording -> letters, yes or no, numbers, boxes and points. What cannot be read is None, never a guess.

Letters are read from a final-answer form first, then from a reply that is little more than a letter, then from the
text of exactly one option. A capital A inside a sentence is an article, so a lone letter in running text counts not.
"""

import json
import re
import string
from collections.abc import Mapping
from typing import Any

Box = tuple[float, float, float, float]
_THINK = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL | re.IGNORECASE)
_TAGGED = re.compile(r"<answer>\s*(.*?)\s*(?:</answer>|$)", re.DOTALL | re.IGNORECASE)
_FINAL = re.compile(
    r"(?:[Ff]inal answer|[Aa]nswer|[Oo]ption|[Cc]hoice)\s*(?:is|:|=)*\s*[\(\[\"'*]*([A-Z])[\)\]\"'*.:,]*(?=\s|$)"
)
_LETTER = re.compile(r"^[\s\(\[\"'*]*([A-Za-z])[\s\)\]\"'*.:,]*(?:$|[\.\):]\s)")
_NUMBER = re.compile(r"[-+]?\d+(?:,\d{3})+(?:\.\d+)?|[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
_PAIR = re.compile(r"\(\s*(-?\d+\.?\d*)\s*,\s*(-?\d+\.?\d*)\s*\)")
_FOUR = re.compile(r"\[\s*(-?\d+\.?\d*)\s*,\s*(-?\d+\.?\d*)\s*,\s*(-?\d+\.?\d*)\s*,\s*(-?\d+\.?\d*)\s*\]")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def said(text: str) -> str:
    """The reply without its reasoning: what stands in answer tags, or all that is outside of thinking."""
    tagged = _TAGGED.findall(text)
    if tagged:
        return str(tagged[-1]).strip()
    return _THINK.sub("", text).strip()


def normal(text: str) -> str:
    """Lower case, no punctuation, single spaces: how texts are compared."""
    spaced = text.lower().translate({ord(c): " " for c in string.punctuation})
    return " ".join(spaced.split())


def letter(text: str, options: Mapping[str, str]) -> str | None:
    """The option that a reply names, by letter or by its whole text."""
    reply = said(text)
    for found in (_LETTER.match(reply), *reversed(list(_FINAL.finditer(reply)))):
        if found is not None and found.group(1).upper() in options:
            return found.group(1).upper()
    words = f" {normal(reply)} "
    named = [key for key, value in options.items() if normal(value) and f" {normal(value)} " in words]
    if len(named) > 1:  # one option may be a part of another: the longest decides when it holds all the others
        longest = max(named, key=lambda k: len(normal(options[k])))
        inside = f" {normal(options[longest])} "
        if all(k == longest or f" {normal(options[k])} " in inside for k in named):
            return longest
    return named[0] if len(named) == 1 else None


def yes_no(text: str) -> str | None:
    """`yes` or `no` when the reply opens with one or holds just one of them."""
    words = normal(said(text)).split()
    if words and words[0] in ("yes", "no"):
        return words[0]
    held = {w for w in words if w in ("yes", "no")}
    return held.pop() if len(held) == 1 else None


def numbers(text: str) -> list[float]:
    """Every number of the reply, thousands separators removed."""
    return [float(found.replace(",", "")) for found in _NUMBER.findall(said(text))]


def number(text: str) -> float | None:
    """The first number of the reply."""
    found = numbers(text)
    return found[0] if found else None


def fenced(text: str) -> Any:
    """The first JSON value in a reply, fenced or not; of truncated output the whole objects it holds; else None."""
    body = re.sub(r"```(?:json)?", "", text)
    decoder = json.JSONDecoder()
    start = min((i for i in (body.find("["), body.find("{")) if i >= 0), default=-1)
    if start < 0:
        return None
    try:
        return decoder.raw_decode(body[start:])[0]
    except ValueError:
        pass
    whole = []
    at = body.find("{", start)
    while at >= 0:
        try:
            value, length = decoder.raw_decode(body[at:])
        except ValueError:
            break
        whole.append(value)
        at = body.find("{", at + length)
    return whole or None


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return [one for part in value for one in _objects(part)]
    return []


def _floats(value: Any, many: int) -> tuple[float, ...] | None:
    if not isinstance(value, list | tuple) or len(value) != many:
        return None
    try:
        return tuple(float(v) for v in value)
    except (TypeError, ValueError):
        return None


def boxes(text: str) -> tuple[Box, ...]:
    """Boxes of a reply in any published syntax: JSON `bbox_2d`, box tokens with point pairs, or `[x0, y0, x1, y1]`."""
    found: list[Box] = []
    for one in _objects(fenced(text)):
        four = _floats(one.get("bbox_2d") or one.get("bbox") or one.get("box"), 4)
        if four is not None:
            found.append((four[0], four[1], four[2], four[3]))
    if not found:
        for part in re.findall(r"<\|box_start\|>(.*?)<\|box_end\|>", text) or [text]:
            pairs = [(float(x), float(y)) for x, y in _PAIR.findall(part)]
            found += [(*pairs[i], *pairs[i + 1]) for i in range(0, len(pairs) - 1, 2)]
    if not found:
        found = [(float(a), float(b), float(c), float(d)) for a, b, c, d in _FOUR.findall(text)]
    return tuple(found)


def points(text: str) -> tuple[tuple[float, float], ...]:
    """Points of a reply: JSON `point_2d`, or `(x, y)` pairs."""
    found = [_floats(one.get("point_2d") or one.get("point"), 2) for one in _objects(fenced(text))]
    pairs = [(p[0], p[1]) for p in found if p is not None]
    return tuple(pairs or [(float(x), float(y)) for x, y in _PAIR.findall(text)])


def counts(text: str) -> float | None:
    """A count: JSON `count` or `counts`, else the first number."""
    for one in _objects(fenced(text)):
        for key in ("counts", "count"):
            if isinstance(one.get(key), int | float):
                return float(one[key])
    return number(text)


def which_image(text: str) -> int | None:
    """Index of the image that a reply names in words ("in the third image"), from 0."""
    found = re.search(rf"\b({'|'.join(_ORDINALS)})\s+image", text.lower())
    return _ORDINALS.index(found.group(1)) if found else None
