"""From the concepts named in a clause to what is asked of them."""

import re
from collections.abc import Sequence

from secondread.kg.asked import Asked
from secondread.kg.graph import Graph
from secondread.kg.link import Mention
from secondread.kg.patterns import BAD, BELOW_WORDS, LARGER, LIMIT, NORMAL, SMALLER, UNUSABLE

ENLARGED = "enlarged_cardiac_silhouette"
RATIO = "cardiothoracic_ratio"
_BIG = (
    r"\b(enlarg\w*|big|bigger|large|larger|wide|wider|widened|broad|dilated|prominent|"
    r"increased|too (big|large|wide)|huge|massive|oversized|bulky|magnified)\b"
)
_ADJECTIVES: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "heart": (
        (r"\bon the (right|wrong)\b", "dextrocardia", True),
        (r"\b(on|to|in) the left\b", "dextrocardia", False),
        (_BIG, ENLARGED, True),
        (r"\b(small|tiny|narrow|smaller)\b", "small_heart", True),
    ),
    "mediastinum": (
        (_BIG, "widened_mediastinum", True),
        (r"\b(shift\w*|displaced|pushed|pulled)\b", "mediastinal_shift", True),
        (r"\b(midline|central|centered|narrow)\b", "mediastinal_shift", False),
    ),
    "trachea": (
        (r"\b(deviat\w*|shift\w*|displaced|pushed|pulled|bent)\b", "tracheal_deviation", True),
        (r"\b(midline|central|centered|centred|straight|middle)\b", "tracheal_deviation", False),
    ),
    "aorta": (
        (r"\b(tortuous|unfolded|winding|elongated)\b", "aortic_tortuosity", True),
        (r"\bcalcif\w*\b", "aortic_calcification", True),
        (_BIG, "aortic_enlargement", True),
    ),
    "diaphragm": (
        (r"\bflat\w*\b", "flattened_diaphragm", True),
        (r"\b(elevated|raised|high|higher)\b", "elevated_hemidiaphragm", True),
    ),
    "hilum": ((_BIG, "hilar_enlargement", True),),
    "costophrenic_angle": (
        (r"\bblunt\w*\b", "blunted_costophrenic_angle", True),
        (r"\b(sharp|clear|free|open)\b", "blunted_costophrenic_angle", False),
    ),
    "lung": (
        (r"\b(clear|free)\b", "lung_opacity", False),
        (r"\bcollapsed?\b", "pneumothorax", True),
        (r"\b(white|opaque|dense)\b", "lung_opacity", True),
        (r"\b(inflated|expanded|aerated)\b", "poor_inspiration", False),
    ),
    "rib": ((r"\b(broken|fractur\w*|cracked)\b", "rib_fracture", True),),
    "clavicle": ((r"\b(broken|fractur\w*|cracked)\b", "clavicle_fracture", True),),
    "thoracic_spine": (
        (r"\b(curved|bent|crooked)\b", "scoliosis", True),
        (r"\b(broken|fractur\w*)\b", "vertebral_fracture", True),
        (r"\bstraight\b", "scoliosis", False),
    ),
    "thoracic_cage": ((r"\b(broken|fractur\w*)\b", "fracture", True),),
    "pleura": ((r"\bthick\w*\b", "pleural_thickening", True),),
    "left_atrium": ((_BIG, "enlarged_left_atrium", True),),
    "pulmonary_artery": ((_BIG, "enlarged_pulmonary_artery", True),),
}
"""Anatomy + adjective -> (finding, whether the adjective says that it is present)."""
_NORMAL_MEANS = {
    "heart": ENLARGED,
    "mediastinum": "widened_mediastinum",
    "trachea": "tracheal_deviation",
    "aorta": "aortic_enlargement",
    "hilum": "hilar_enlargement",
    "lung": "abnormality",
    "diaphragm": "elevated_hemidiaphragm",
    "thorax": "abnormality",
    "costophrenic_angle": "blunted_costophrenic_angle",
    "thoracic_cage": "fracture",
    "rib": "rib_fracture",
    "clavicle": "clavicle_fracture",
    "pleura": "pleural_thickening",
    "thoracic_spine": "scoliosis",
    "frontal_chest_radiograph": "abnormality",
}
"""Anatomy -> the finding that its being "normal" rules out."""
_SAME = {"cardiac_silhouette": "heart", "right_lung": "lung", "left_lung": "lung", "aortic_arch": "aorta"}
_JUDGED = ("finding", "disease", "device", "quality", "view", "position", "population")
_PLACES = {"lung": ("right_lung", "left_lung"), "cardiac_silhouette": ("heart",)}
"""What is shown when a place is asked for."""
_WIDTHS = {
    "heart": "heart_width",
    "thorax": "thorax_width",
    "mediastinum": "mediastinal_width",
    "thoracic_cage": "thorax_width",
}


def asks(clause: str, found: Sequence[Mention], parts: Sequence[tuple[int, int]], graph: Graph) -> list[Asked]:
    """What is asked by presence or quality, part by part when each part speaks for itself, else as a whole."""
    split = [_asks(clause[a:b].lower(), [m for m in found if a <= m.start < b], graph) for a, b in parts]
    made = [one for part in split for one in part] if len(split) > 1 and all(split) else []
    return _without_general(_distinct(made or _asks(clause.lower(), found, graph)), clause.lower(), graph)


def _without_general(made: Sequence[Asked], low: str, graph: Graph) -> list[Asked]:
    """Without what another item is a kind of ("are ribs broken": the rib fracture, not any fracture)."""
    covered = {p for a in made for p in graph.parents(a.concept)[1:]}
    if len(made) > 1 and not re.search(r"\b(other|else|otherwise)\b", low):
        covered.add("abnormality")
    return [a for a in made if a.concept not in covered]


def _asks(low: str, found: Sequence[Mention], graph: Graph) -> list[Asked]:
    made: list[Asked] = []
    limit = limit_of(low)
    normal = NORMAL.search(low) is not None and not re.search(r"\b(not|isn't|aren't|never) (a |of )?normal\b", low)
    kinds = {m.concept: graph.concept(m.concept).kind for m in found}
    for m in found:
        kind = kinds[m.concept]
        if m.concept in (RATIO, "heart_size"):
            made += _of_ratio(m, low, limit, normal)
        elif m.concept in ("inspiration", "rib_count"):
            made.append(Asked(kind="quality", concept="poor_inspiration", polarity="absent" if normal else "present"))
        elif m.concept in ("obliquity", "in_plane_rotation"):
            made.append(Asked(kind="quality", concept="rotated_film", polarity="absent" if m.negated else "present"))
        elif m.concept == "frontal_chest_radiograph" and (normal or len(found) > 1):
            continue
        elif kind in _JUDGED:
            made.append(_judged(m, kind, low, limit))
    named = {a.concept for a in made}
    for m in found:
        concept = _SAME.get(m.concept, m.concept)
        if kinds[m.concept] != "anatomy" and m.concept != "frontal_chest_radiograph":
            continue
        made += [a for a in _by_adjective(m, concept, low, normal, made, limit) if a.concept not in named]
    return _distinct(made)


def _judged(m: Mention, kind: str, low: str, limit: tuple[float, str] | None) -> Asked:
    absent = m.negated and not _rhetorical(low)
    if m.concept == ENLARGED and limit is not None and limit[0] <= 1:
        return Asked(kind="presence", concept=ENLARGED, polarity="absent" if absent else "present", threshold=limit[0])
    return Asked(
        kind="quality" if kind == "quality" else "presence",
        concept=m.concept,
        polarity="absent" if absent else "present",
        laterality=m.laterality,
    )


def _rhetorical(low: str) -> bool:
    """Whether a negation only colours the question ("isn't the heart enlarged")."""
    return re.match(r"\s*(isn't|aren't|doesn't|don't|hasn't|is not there|isn t)\b", low) is not None


def _of_ratio(m: Mention, low: str, limit: tuple[float, str] | None, normal: bool) -> list[Asked]:
    if limit is not None:
        value, direction = limit
        return [
            Asked(
                kind="presence",
                concept=ENLARGED,
                polarity="absent" if (direction == "below") != m.negated else "present",
                threshold=value,
                direction="below" if direction == "below" else "above",
            )
        ]
    if normal:
        return [Asked(kind="presence", concept=ENLARGED, polarity="absent")]
    if re.search(_BIG + r"|\b(elevated|raised|high|abnormal|pathologic\w*|too high)\b", low):
        return [Asked(kind="presence", concept=ENLARGED, polarity="absent" if m.negated else "present")]
    return []


def _by_adjective(
    m: Mention, concept: str, low: str, normal: bool, made: Sequence[Asked], limit: tuple[float, str] | None
) -> list[Asked]:
    negative = re.search(r"\b(not|no|never)\b", low) is not None and not _rhetorical(low)
    for pattern, finding, present in _ADJECTIVES.get(concept, ()):
        if re.search(pattern, low):
            said = present != negative
            side = m.laterality if concept not in ("heart", "mediastinum") else None
            threshold = limit[0] if limit and finding == ENLARGED and limit[0] <= 1 else None
            return [
                Asked(
                    kind="quality" if finding == "poor_inspiration" else "presence",
                    concept=finding,
                    polarity="present" if said else "absent",
                    laterality=side,
                    threshold=threshold,
                )
            ]
    if normal and concept in _NORMAL_MEANS and not any(a.polarity == "present" for a in made):
        return [Asked(kind="presence", concept=_NORMAL_MEANS[concept], polarity="absent")]
    return []


def limit_of(low: str) -> tuple[float, str] | None:
    """A limit for a ratio named in a clause, as a fraction, and its side."""
    hit = LIMIT.search(low)
    if hit is None or hit["unit"] in ("mm", "cm"):
        return None
    value = float(hit["value"].replace(",", "."))
    if hit["unit"] in ("%", "percent") or 1 < value <= 100:
        value /= 100
    return round(value, 4), "below" if hit["word"].startswith(BELOW_WORDS) else "above"


def film_quality(low: str) -> list[Asked]:
    """Quality questions that name no single fault: usable, exposure fine, sharp enough, straight."""
    if re.search(r"\bexpos(ure|ed)\b", low):
        bad = BAD.search(low) is not None
        return [
            Asked(kind="quality", concept=c, polarity="present" if bad else "absent")
            for c in ("underexposed_film", "overexposed_film")
        ]
    if re.search(r"\bcontrast\b", low):
        return [Asked(kind="quality", concept="low_contrast_film", polarity="absent")]
    if re.search(r"\b(sharp|in focus|crisp)\b", low):
        return [Asked(kind="quality", concept="blurred_film", polarity="absent")]
    if re.search(r"\b(straight|aligned|level|well positioned)\b", low):
        return [Asked(kind="quality", concept="rotated_film", polarity="absent")]
    if re.search(r"\b(complete|whole chest|entire chest|fully (included|covered|visible))\b", low):
        return [Asked(kind="quality", concept="cropped_film", polarity="absent")]
    return []


def usability(low: str) -> Asked:
    """Whether the film is good enough, in the sense of the question."""
    bad = UNUSABLE.search(low) is not None
    return Asked(kind="quality", concept="poor_image_quality", polarity="present" if bad else "absent")


def places(found: Sequence[Mention], graph: Graph) -> list[Asked]:
    """Structures, findings and devices whose place is asked; structures only when nothing else is named."""
    wanted = [m for m in found if graph.concept(m.concept).kind in ("finding", "device", "disease")]
    structures = [m for m in found if graph.concept(m.concept).kind == "anatomy"]
    wanted = wanted or [m for m in structures if m.concept != "thorax"] or structures
    return _distinct(
        [
            Asked(kind="location", concept=concept, laterality=m.laterality)
            for m in wanted
            for concept in _PLACES.get(m.concept, (m.concept,))
        ]
    )


def comparison(low: str, found: Sequence[Mention]) -> list[Asked]:
    """A comparison of the two lungs; `laterality` is the side that a yes calls larger."""
    lungs = [m for m in found if m.concept in ("lung", "left_lung", "right_lung")]
    ratios = [m for m in found if m.concept in ("lung_area_ratio", "lung_width_ratio", "lung_height_ratio")]
    sides = [s for s in re.findall(r"\b(left|right)\b", low)]
    if not lungs and not ratios and not (sides and re.search(r"\bsides?\b|\bhemithora", low)):
        return []
    concept = ratios[0].concept if ratios else "lung_area_ratio"
    if re.search(r"\b(wid|narrow|broad)(e|er|est|th)?\b", low):
        concept = "lung_width_ratio"
    elif re.search(r"\b(tall|short|high|long)(er|est)?\b|\bheight|\blength", low):
        concept = "lung_height_ratio"
    side: str | None = None
    if sides and not re.search(r"\b(which|what|compare|difference)\b", low) and not re.search(r"\bor\b", low):
        if LARGER.search(low):
            side = sides[0]
        elif SMALLER.search(low):
            side = "right" if sides[0] == "left" else "left"
    return [Asked(kind="comparison", concept=concept, laterality=side)]


OF_ANY = frozenset(
    (
        "structure_volume", "structure_area", "longest_diameter", "short_axis", "mean_intensity",
        "intensity_deviation", "lowest_intensity", "highest_intensity",
    )
)  # fmt: skip
"""Measures that any structure has."""


def _of(measure: str, found: Sequence[Mention], graph: Graph) -> str | None:
    """The structure named beside a measure that any structure has."""
    if measure not in OF_ANY:
        return None
    return next((m.concept for m in found if graph.concept(m.concept).kind == "anatomy"), None)


def _counted(low: str, found: Sequence[Mention], graph: Graph) -> list[Asked]:
    """Objects whose number is asked: "how many white cells"."""
    if not re.search(r"\b(how many|number of|count)\b", low):
        return []
    return [
        Asked(kind="value", concept=edge.object)
        for m in found
        for edge in graph.neighbors(m.concept, "assessed_by")
        if edge.object.endswith("_count")
    ]


_OUTLINED = ("abnormality", "mass", "nodule")
"""Findings whose size is that of an outline; without one nothing measures them."""


def values(low: str, found: Sequence[Mention], graph: Graph) -> list[Asked]:
    """Numbers asked for: measurements by name, or structures by "how wide", "how big"."""
    unit = (
        "mm" if re.search(r"\b(mm|millimet\w+)\b", low) else "cm" if re.search(r"\b(cm|centimet\w+)\b", low) else None
    )
    made = [
        Asked(kind="value", concept=m.concept, unit=unit, structure=_of(m.concept, found, graph))
        for m in found
        if graph.concept(m.concept).kind == "measurement"
    ]
    if any(m.concept == "heart_size" for m in found):
        made.append(Asked(kind="value", concept="heart_width" if unit else RATIO, unit=unit))
    made = made or _counted(low, found, graph)
    if made:
        return _distinct(made)
    if re.search(
        (
            r"\bhow (strongly |much |far |badly )?(tilted|rotated|crooked|turned|askew)\b|"
            r"\bdegrees?\b|\b(tilt|rotation)\b"
        ),
        low,
    ) and any(m.concept == "rotated_film" for m in found):
        return [Asked(kind="value", concept="in_plane_rotation")]
    sized = re.search(
        (
            r"\bhow (wide|big|large|broad|small|tall|high|long)\b|\b(size|width|diameter|"
            r"dimensions?|extent)\b|\bmeasure\b"
        ),
        low,
    )
    if not sized:
        return []
    wide = re.search(r"\b(wide|broad|width|diameter|mm|cm|millimet\w+|centimet\w+)\b", low) is not None
    for m in found:
        concept = _SAME.get(m.concept, m.concept) if m.concept == "cardiac_silhouette" else m.concept
        if concept == "heart" and not wide:
            made.append(Asked(kind="value", concept=RATIO))
        elif concept in _WIDTHS:
            made.append(Asked(kind="value", concept=_WIDTHS[concept], unit=unit))
        elif graph.concept(concept).kind == "anatomy":
            made.append(Asked(kind="value", concept=concept, unit=unit))
    if not made and any(m.concept in _OUTLINED for m in found):
        made.append(Asked(kind="value", concept="marked_region", unit=unit))
    return _distinct(made)


_PHRASE = re.compile(
    r"(?:\b(?:is|are|was|were) there|\bany(?: signs?| evidence| hint)?(?: of| for)?|"
    r"\bsigns? of|\bevidence (?:of|for)|\b(?:has|have|having|got|shows?|see|suffers? from|"
    r"rule out|exclude)|^is (?:it|this|that)|\bpresence of|\bcheck for|\blook for)"
    r"\s+(?:(?:any|an?|the|some|signs? of|evidence of|got|"
    r"also)\s+)*(?P<phrase>[^\W\d_][^?.!,;:]*)"
)
_TAIL = re.compile(
    r"\s+(?:on|in|at|to) (?:this|the|that|my|his|her|image|film|here|x).*$|\s+(?:here|"
    r"visible|present|seen|please|pls|or not)\b.*$"
)


def unlinked_phrases(low: str, found: Sequence[Mention]) -> list[str]:
    """The noun phrase that seems to be asked about, when no finding of the graph is in it."""
    hit = _PHRASE.search(low)
    if hit is None:
        return []
    phrase = _TAIL.sub("", hit["phrase"].strip()).strip()
    return [" ".join(phrase.split()[:6])] if phrase and len(phrase) > 2 else []


def _distinct(made: Sequence[Asked]) -> list[Asked]:
    return list(dict.fromkeys(made))
