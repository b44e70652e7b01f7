"""One typing error in a long word, never at the price of a word that is known."""

from collections.abc import Collection
from functools import lru_cache

SHORTEST = 7
"""Letters; a shorter word has too many neighbours."""
_WORDS = """
abdominal another measure measured measuring measures measurement compare compared comparison between patient
picture image question answer because whether something anything everything nothing general possible probably
radiology doctor hospital therapy medical display explain describe present absence reading report reported
several through without within distance capital country weather history position interior superior inferior
anterior posterior interval internal external transfer section session surface surgery surgical natural
numeral central control contrast contract content context suggest suggests expected exposed exposure rotate
rotates rotation location locations located relation function fraction fractional friction attraction
extraction inspection injection infection inflection reflection rejection selection collection correction
direction dissection affection perfection perfusion profusion diffusion confusion infusion suffusion
transfusion edition emotion notion section version diversion aversion inversion conversion clinical chemical
physical physics cardinal carnival cordial cardiology criminal thoracotomy pneumonectomy underwater overtone
expose exposes lateral literal collateral portal postal partial particle article measurable reasonable
suitable portables urethral epstein bacteria inspire inspired expire expired expiry heading hearing
"""
_ORDINARY = frozenset(_WORDS.split())
"""Words near a term of the graph that mean something else."""


def one_apart(a: str, b: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours turns a into b."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    first = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    if len(a) == len(b):
        if a[first + 1 :] == b[first + 1 :]:
            return True
        return a[first : first + 2] == b[first : first + 2][::-1] and a[first + 2 :] == b[first + 2 :]
    short, long = sorted((a, b), key=len)
    return short[first:] == long[first + 1 :]


@lru_cache(maxsize=4096)
def corrected(word: str, vocabulary: Collection[str]) -> str:
    """The one word of the vocabulary that a mistyped word must be, else the word itself.

    Left alone: short words, ordinary words, words with two candidates, and words that differ in the first letter.
    """
    if len(word) < SHORTEST or word in _ORDINARY:
        return word
    near = [v for v in vocabulary if len(v) >= SHORTEST - 1 and v[0] == word[0] and one_apart(word, v)]
    return near[0] if len(near) == 1 else word
