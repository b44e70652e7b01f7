"""An answer in the form that clinical rules are held against, and what is left of it when it breaks one."""

from collections.abc import Mapping, Sequence

from secondread.agent.consistency import Broken, Told
from secondread.agent.gate.constraints import stated
from secondread.agent.judging.judgement import WITHDRAWN, Judgement, last_on
from secondread.agent.planners.base import Belief, Proposition
from secondread.agent.rules import read_age, read_view
from secondread.schema.answer import Claim
from secondread.schema.evidence import Evidence, Findings, Measurement, Measurements, QualityReport, Regions
from secondread.schema.image import ImageInfo

SIDED = ("left", "right")


def told_of(
    claims: Sequence[Claim],
    judged: Mapping[str, Judgement],
    ledger: Mapping[str, Evidence],
    *,
    run: str = "",
    thresholds: Mapping[str, float] | None = None,
) -> Told:
    """What claims say of the image they cite.

    Args:
        claims: Of one answer.
        judged: By proposition id; the measurement that a judgement chose counts before others of its name.
        ledger: Evidence by id.
        run: Id of the answer's run.
        thresholds: Limits that the question named, by concept: what is said against such a limit is no verdict by the
            limit of the rules.
    """
    said: dict[str, str] = {}
    sides: dict[str, tuple[str, ...]] = {}
    cited = {ledger[e].image for c in claims for e in c.evidence if e in ledger}
    values: dict[str, Measurement] = {}
    for item in ledger.values():
        if isinstance(item.result, Measurements) and item.image in cited:
            values |= {m.name: m for m in item.result.items if m.value is not None}
    values |= {j.measurement.name: j.measurement for j in judged.values() if j.measurement and j.measurement.value}
    for claim in claims:
        said |= {c: p for c, p in stated(claim, ledger).items() if c not in (thresholds or {})}
        if claim.location in SIDED:
            sides[claim.concept] = (*sides.get(claim.concept, ()), claim.location)
    claimed = tuple(dict.fromkeys(c.concept for c in claims if c.concept in values))
    return Told(run=run, said=said, sides=sides, values=values, claimed=claimed)


def facts_of(
    image: str, info: ImageInfo, claims: Sequence[Claim], ledger: dict[str, Evidence], family: tuple[str, ...]
) -> dict[str, object]:
    """What is known of the image itself, for the conditions of rules; None where it is not known.

    Outlines are those of the images that the claims cite: a closer look that found nothing plausible does not count
    against the first one.
    """
    quality = last_on(ledger, "film_quality", (image,))
    guard = last_on(ledger, "chest_film_guard", (image,))
    guards = guard.result if guard is not None and isinstance(guard.result, Findings) else None
    cited = tuple(i for i in family if any(ledger[e].image == i for c in claims for e in c.evidence if e in ledger))
    anatomy = last_on(ledger, "chest_anatomy", cited) if cited else None
    regions = anatomy.result if anatomy is not None and isinstance(anatomy.result, Regions) else None
    view = read_view(info, guards)
    age = read_age(info, guards)
    report = quality.result if quality is not None and isinstance(quality.result, QualityReport) else None
    return {
        "quality": report.overall if report is not None else None,
        "plausible": None if regions is None else "yes" if regions.plausible else "no",
        "heart_side": regions.heart_side if regions is not None else None,
        "view": info.view if info.view != "UNKNOWN" else None,
        "read_as": view.treated_as,
        "age": info.age_years,
        "age_group": age.group if age.basis != "unknown" else None,
        "position": info.position,
        "portable": info.portable,
        "modality": info.modality,
    }


def withdrawn(
    props: Sequence[Proposition], judged: Mapping[str, Judgement], found: Sequence[Broken]
) -> dict[str, Judgement]:
    """The judgements, with those open again that a broken rule concerns: nothing is told of them but why."""
    made = dict(judged)
    for prop in props:
        one = made[prop.id]
        names = {prop.concept, *([one.measurement.name] if one.measurement is not None else [])}
        mine = [b for b in found if names & set(b.concerns)]
        if not mine:
            continue
        reasons = tuple(b.named for b in mine)
        number = one.measurement is not None and any(one.measurement.name in b.concerns for b in mine)
        made[prop.id] = one.model_copy(
            update={
                "outcome": "indeterminate",
                "belief": Belief(method=WITHDRAWN, reason="; ".join(reasons), evidence=one.belief.evidence),
                "measurement": None if number else one.measurement,
                "reasons": reasons,
                "undecided": False,
            }
        )
    return made
