"""Short forms that a text explains itself: `Wilson disease (WD)`."""

import re

_PAIR = re.compile(r"\(\s*([A-Za-z][A-Za-z0-9-]{1,9})s?\s*[),;]")
_WORD = re.compile(r"[A-Za-z0-9]+")
_INNER = re.compile(r"\b([A-Z][A-Za-z0-9-]{1,9})\s+\(([^()]{6,80})\)")


def defined(text: str) -> dict[str, str]:
    """Short form -> long form, as a text defines them, after Schwartz and Hearst (Pac Symp Biocomput 2003:451).

    The letters of the short form must occur in order in the words before the bracket, the first at the beginning of a
    word.
    """
    found: dict[str, str] = {}
    for match in _PAIR.finditer(text):
        short = match[1]
        if sum(c.isupper() for c in short) < 1 or len(short) < 2:
            continue
        before = text[max(0, match.start() - 120) : match.start()].rstrip()
        long = _long_form(short, before)
        if long is not None and short not in found:
            found[short] = long
    for match in _INNER.finditer(text):
        if match[1] not in found and match[1].isupper():
            long = _long_form(match[1], match[2])
            if long is not None:
                found[match[1]] = long
    return found


def _long_form(short: str, before: str) -> str | None:
    """The shortest tail of a text whose letters hold the short form in order, or whose words begin with its letters."""
    letters = [c.lower() for c in short if c.isalnum()]
    place = len(before)
    for number in range(len(letters) - 1, -1, -1):
        place -= 1
        while place >= 0 and not (
            before[place].lower() == letters[number] and (number > 0 or place == 0 or not before[place - 1].isalnum())
        ):
            place -= 1
        if place < 0:
            return _initials(letters, before)
    long = before[place:].strip(" ,;:-")
    if len(_WORD.findall(long)) > min(len(letters) + 5, 2 * len(letters)) or len(long) <= len(short):
        return _initials(letters, before)
    return long


def _initials(letters: list[str], before: str) -> str | None:
    """The last words of a text when their first letters are those of the short form in any order: DM."""
    words = list(_WORD.finditer(before))[-len(letters) :]
    if len(words) < 2 or len(words) != len(letters):
        return None
    if sorted(w.group()[0].lower() for w in words) != sorted(letters):
        return None
    return before[words[0].start() :].strip(" ,;:-")
