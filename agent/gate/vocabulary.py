"""The closed vocabulary: a word that is neither in the cited evidence nor here may carry an unsupported statement."""

from collections.abc import Iterable
from functools import cache, lru_cache

from secondread.agent.gate.text import words

_GLUE_WORDS = """
a an the this that these those it its they them their there here which who what when where while as so than then
thus therefore hence because since if whether or and but nor neither either both each every any all some none no
not yes only also too even still just about around approximately roughly nearly almost close of in on at by to
from for with without within into onto over under above below between across along against per via up down out
off near beyond past through during before after again once first second last next one more most less least
fewer enough is are was were be been being am do does did done has have had having can could may might must
should would will shall cannot me my we us our you your he she his her value values number numbers ratio ratios
figure result results reading readings estimate estimated estimates measure measures measured measuring
measurement measurements measurable mean means meaning meant unit units wide wider widest width high higher
highest height low lower lowest larger largest smaller smallest greater greatest long tall taller shorter
broader narrower bigger half times time equal equally same similar similarly symmetric symmetrical symmetry
asymmetric asymmetry alike differ differs different difference compare compared compares comparison relative
relation related range ranges interval intervals spread limit limits threshold thresholds cutoff cut level
levels probability probabilities chance likelihood odds confidence confident certainty certain uncertain
uncertainty sure unsure likely unlikely indeterminate undecided undetermined unclear unknown inconclusive
calibrated uncalibrated calibration based basis rests rest given giving gives give according using used use uses
user evidence cited cites cite source sources supported supports support shows show shown showing suggests
suggest suggested indicates indicate indicated indicating consistent compatible agree agrees agreement disagree
conflict exceed exceeds exceeded exceeding lies lie lying lay falls fall stands stand stays normal usual usually
adult adults child children upright view views frontal projection film films image images picture pictures
radiograph radiographs xray ray chest posteroanterior anteroposterior pa ap lateral stated caller header age old
group side sides middle midline centre center central position positioned location located place places part
parts area areas region regions box boxes pixel pixels point points edge edges border borders question questions
answer answers answered asked ask asks choice choices option options verdict verdicts conclusion finding
findings sign signs criterion criteria rule rules assess assessed assesses assessment judge judges judged
judgement tool tools installed install installable missing capability capabilities available list listed lists
following include includes including included such like example examples namely called call calls named name
counts count counted considered regarded read reads allows allow allowing allowed permits lets magnification
magnified magnify magnifies magnifying portable supine treated quality failed fail fails failure finish finished
error reason reasons why applicable apply applies outside inside valid validity closer look looks looked looking
whole wholly entirely partly however although though despite nevertheless moreover otherwise instead found find
finds identified seen see visible noted note notes reported report reports reporting observed research device
medical purpose purposes prior flat assumed assuming fitted fit fits model models needs need needed needing
required require requires takes take taken taking made make makes making gets get tell tells told telling say
says said saying state states stating know knows known decide decides decided decision size sized sizes
transverse diameter maximal maximum minimum minimal horizontal vertical plane planes degree degrees overall
grade graded spans spanning column columns row rows percent percentage fraction fractions cm mm px deg th
ml mm2 mm3 hu grey outline outlines outlined marked
"""


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A crude stem, so that inflections of a known word are known."""
    for ending, least in (("ations", 5), ("ation", 5), ("ingly", 5), ("ities", 5), ("edly", 5), ("ing", 4), ("ies", 4),
                          ("ity", 5), ("ied", 4), ("ment", 5), ("ness", 5), ("ed", 4), ("es", 4), ("al", 5), ("ly", 4),
                          ("s", 3), ("e", 3), ("y", 4)):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= least - 1:
            return stem(word[: -len(ending)]) if ending in ("s", "es", "ly") else word[: -len(ending)]
    return word


@cache
def glue() -> frozenset[str]:
    """Stems of the words that state nothing about a patient by themselves."""
    return frozenset(stem(w) for w in _GLUE_WORDS.split())


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """Stems of every word of these texts."""
    return frozenset().union(*map(_stems, texts))


@lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(w) for w in words(text.replace("_", " ")))


def unsupported(text: str, known: frozenset[str]) -> list[str]:
    """Words of the text that neither the known vocabulary nor the glue holds, in order, each once."""
    allowed = known | glue()
    return list(dict.fromkeys(w for w in words(text) if len(w) > 1 and stem(w) not in allowed))
