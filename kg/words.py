"""Words of a text with their places, folded so that case, plural, hyphen and spelling variants agree."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_WORD = re.compile("[^\\W_]+(?:['\u2019][^\\W_]+)?")
_SPELLINGS = (("oedem", "edem"), ("haem", "hem"), ("oesoph", "esoph"), ("anaem", "anem"), ("paed", "ped"),
              ("tumour", "tumor"), ("foet", "fet"), ("ischaem", "ischem"), ("goitre", "goiter"),
              ("colour", "color"), ("dilatation", "dilation"), ("grey", "gray"))  # fmt: skip
_IRREGULAR = {
    "xray": "xray", "apices": "apex", "hila": "hilum", "vertebrae": "vertebra", "scapulae": "scapula",
    "bullae": "bulla", "bases": "base", "children": "child", "clavicles": "clavicle", "thorax": "thorax",
    "diagnoses": "diagnosis", "atelectases": "atelectasis", "metastases": "metastasis", "heartsize": "heart size",
    "pneumothoraces": "pneumothorax", "axes": "axis", "masses": "mass", "lenses": "lens", "centre": "center",
    "centres": "center", "disease": "disease", "diseases": "disease", "pleuras": "pleura", "centered": "center",
}  # fmt: skip


class Word(NamedTuple):
    """A word of a text and the characters it covers."""

    start: int
    end: int
    text: str
    """Folded form."""


@lru_cache(maxsize=65536)
def fold_word(word: str) -> str:
    """Lower case, no accents, American spelling, singular."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c)).replace("\u2019", "'")
    if plain.endswith("'s"):
        plain = plain[:-2]
    for british, american in _SPELLINGS:
        plain = plain.replace(british, american)
    if plain in _IRREGULAR:
        return _IRREGULAR[plain]
    if len(plain) > 4 and plain.endswith("ies"):
        return plain[:-3] + "y"
    if len(plain) > 4 and plain.endswith(("sses", "xes", "ches", "shes")):
        return plain[:-2]
    if len(plain) > 3 and plain.endswith("s") and not plain.endswith(("ss", "us", "is", "ps", "ns", "ous")):
        return plain[:-1]
    if len(plain) > 4 and plain.endswith(("ns", "ps")):
        return plain[:-1]
    return plain


def words(text: str) -> list[Word]:
    """Words of a text in order; `x-ray` and `X ray` both give `xray`."""
    found = [Word(m.start(), m.end(), fold_word(m.group())) for m in _WORD.finditer(text)]
    joined: list[Word] = []
    for word in found:
        if joined and joined[-1].text == "x" and word.text == "ray":
            joined[-1] = Word(joined[-1].start, word.end, "xray")
        else:
            joined.append(word)
    return joined


def fold(text: str) -> tuple[str, ...]:
    """The folded words of a text."""
    return tuple(w.text for w in words(text))
