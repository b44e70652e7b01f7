"""Witnesses: what speaks for or against a proposition, each by name, documented once, and removable by a setting.

A witness that a calibration was fitted with enters the belief through it. Any other one gives support: a number with
its meaning, kept beside the belief, which never becomes a probability. `Settings.witnesses_off` takes witnesses away.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Self

from pydantic import model_validator

from secondread.agent.witness_names import Name as Name
from secondread.schema.evidence import (
    Evidence,
    Findings,
    GraphPaths,
    Measurement,
    Regions,
    SimilarCases,
)
from secondread.schema.record import Record
from secondread.schema.units import Probability


class Witness(Record):
    """What one kind of witness is."""

    name: Name
    says: str
    """What its number means, with the unit."""
    source: str
    """Where it comes from."""
    enters: Literal["probability", "support"]
    """`probability`: through a calibration fitted with it, where the tool ships one; else, and for `support`: shown."""
    off: str
    """What happens when it is taken away."""


WITNESSES: Mapping[str, Witness] = {
    w.name: w
    for w in (
        Witness(
            name="detector_score",
            says="score of a detector, classifier or guard for the concept, 0 to 1",
            source="`Finding.score`; a probability only where the finding is verified and its score calibrated",
            enters="probability",
            off="no verdict rests on a finding",
        ),
        Witness(
            name="mask_uncertainty",
            says="mean uncertainty inside the masks of each network, averaged over networks, 0 sure to 1 unsure",
            source="`Measurement.uncertainty`, else `Regions.network_uncertainty`",
            enters="probability",
            off="the error model takes the uncertainty of its fit's centre",
        ),
        Witness(
            name="augmentation_spread",
            says="standard deviation of the measurement over looks at the shifted, scaled or mirrored image by one "
            "network, in its unit",
            source="`Measurement.spread`",
            enters="probability",
            off="the error model cannot be used: no probability and no verdict",
        ),
        Witness(
            name="ensemble_variance",
            says="variance of the measurement over networks, in its unit squared",
            source="`Measurement.spread_between` squared",
            enters="support",
            off="it is not shown",
        ),
        Witness(
            name="sample_agreement",
            says="share of k replies of a model, asked again with sampling, that give its most frequent answer",
            source="chat subjects of the evaluator, `--option samples=K`",
            enters="support",
            off="it is not recorded",
        ),
        Witness(
            name="token_log_probability",
            says="mean natural log-probability of the reply's tokens, at most 0",
            source="log-probabilities in the reply's metadata, where the server gives them",
            enters="support",
            off="it is not recorded",
        ),
        Witness(
            name="retrieval_support",
            says="share of the similar cases found whose source labels name the concept",
            source="`similar_case` evidence on other images; it establishes nothing in the asked one",
            enters="support",
            off="it is not shown",
        ),
        Witness(
            name="graph_support",
            says="edges for less edges against the concept in the graph's ranking, divided by their sum, -1 to 1",
            source="`RankedConcept` of `graph_path` evidence",
            enters="support",
            off="it is not shown",
        ),
    )
}


class Testimony(Record):
    """What one witness says of one proposition."""

    witness: Name
    value: float
    probability: Probability | None = None
    """Set only together with `calibrator`."""
    calibrator: str | None = None
    """Id in the catalogue of calibrations."""
    evidence: tuple[str, ...] = ()
    leans: Literal["for", "against"] | None = None
    """Side it leans to, where it has one; support only, unless calibrated."""

    @model_validator(mode="after")
    def _support_is_no_probability(self) -> Self:
        if (self.probability is None) != (self.calibrator is None):
            raise ValueError("a witness has a probability exactly when a calibration stands behind it")
        return self


def heard(
    concept: str,
    measurement: Measurement | None,
    cited: Iterable[Evidence],
    others: Iterable[Evidence],
    off: frozenset[str],
) -> tuple[Testimony, ...]:
    """Every witness on one proposition that is not taken away.

    Args:
        concept: Concept id of the proposition.
        measurement: What the verdict rests on, if it is a measurement.
        cited: Evidence of the judgement.
        others: The whole ledger, for retrieval and graph.
        off: Names of witnesses to leave out.
    """
    found: list[Testimony] = []
    held = list(cited)
    ids = tuple(e.id for e in held[:1])
    for item in held:
        if isinstance(item.result, Findings):
            found += _score(concept, item)
    if measurement is not None:
        found += _measured(measurement, held, ids)
    for item in others:
        if isinstance(item.result, SimilarCases) and item.result.items:
            found.append(_retrieved(concept, item, item.result))
        elif isinstance(item.result, GraphPaths):
            found += _ranked(concept, item, item.result)
    return tuple(t for t in found if t.witness not in off)


def _score(concept: str, item: Evidence) -> list[Testimony]:
    assert isinstance(item.result, Findings)
    one = item.result.get(concept)
    if one is None or one.score is None:
        return []
    calibrator = calibrated_by(concept, item)
    leans: Literal["for", "against"] | None = {"present": "for", "absent": "against"}.get(one.polarity)  # type: ignore[assignment]  # the keys are the two sides
    return [
        Testimony(
            witness="detector_score",
            value=one.score,
            probability=one.score if calibrator else None,
            calibrator=calibrator,
            evidence=(item.id,),
            leans=leans,
        )
    ]


def _measured(found: Measurement, held: Sequence[Evidence], ids: tuple[str, ...]) -> list[Testimony]:
    said: list[Testimony] = []
    unsure = found.uncertainty
    if unsure is None:
        unsure = next((e.result.network_uncertainty for e in held if isinstance(e.result, Regions)), None)
    if unsure is not None:
        said.append(Testimony(witness="mask_uncertainty", value=unsure, evidence=ids))
    if found.spread is not None:
        said.append(Testimony(witness="augmentation_spread", value=found.spread, evidence=ids))
    if found.spread_between is not None:
        said.append(Testimony(witness="ensemble_variance", value=found.spread_between**2, evidence=ids))
    return said


def _retrieved(concept: str, item: Evidence, found: SimilarCases) -> Testimony:
    wanted = concept.replace("_", " ").casefold()
    named = [any(wanted == label.replace("_", " ").casefold() for label in case.labels) for case in found.items]
    return Testimony(witness="retrieval_support", value=sum(named) / len(named), evidence=(item.id,))


def _ranked(concept: str, item: Evidence, found: GraphPaths) -> list[Testimony]:
    one = next((r for r in found.ranked if r.concept == concept), None)
    if one is None or not (one.support or one.against):
        return []
    share = (len(one.support) - len(one.against)) / (len(one.support) + len(one.against))
    leans: Literal["for", "against"] | None = "for" if share > 0 else "against" if share < 0 else None
    return [Testimony(witness="graph_support", value=share, evidence=(item.id,), leans=leans)]


def sample_agreement(answers: Sequence[str | None]) -> tuple[str | None, Testimony | None]:
    """The most frequent of k answers and the share that gives it; replies without an answer count in k.

    Args:
        answers: As read from k replies of the same model to the same question. Equally frequent ones: the earlier.

    Returns:
        (answer, testimony); no testimony for fewer than two replies or when no reply had an answer.
    """
    given = [a for a in answers if a is not None]
    if not given:
        return None, None
    best = max(dict.fromkeys(given), key=given.count)
    if len(answers) < 2:
        return best, None
    return best, Testimony(witness="sample_agreement", value=given.count(best) / len(answers))


def token_log_probability(metadata: Mapping[str, object]) -> Testimony | None:
    """Mean log-probability of a reply's tokens in the form of the OpenAI interface, or None where there is none.

    Args:
        metadata: `response_metadata` of a langchain message: `{"logprobs": {"content": [{"logprob": -0.1}, ..]}}`.
    """
    held = metadata.get("logprobs")
    content = held.get("content") if isinstance(held, Mapping) else None
    values = [t.get("logprob") for t in content if isinstance(t, Mapping)] if isinstance(content, list) else []
    numbers = [float(v) for v in values if isinstance(v, int | float) and v <= 0]
    if not numbers:
        return None
    return Testimony(witness="token_log_probability", value=sum(numbers) / len(numbers))


def calibrated_by(concept: str, item: Evidence) -> str | None:
    """Id of the calibration behind a finding's score; None when the finding is support only.

    A tool with one calibration per concept names them so; the projections share that of `pa_view`.
    """
    found = item.result.get(concept) if isinstance(item.result, Findings) else None
    if found is None or found.score is None or found.score_kind != "calibrated probability" or not found.verified:
        return None
    source = "pa_view" if concept == "ap_view" else concept
    named = [c for c in item.calibrators if c.startswith(f"{source}@")]
    return named[0] if named else item.calibrators[0] if len(item.calibrators) == 1 else None
