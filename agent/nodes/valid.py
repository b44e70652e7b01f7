"""Which tools a planner may call now, and why it may not call another: image, gates, and what is still asked."""

from collections.abc import Mapping, Sequence

from secondread.agent.hierarchy import waiting
from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Belief, Critique, Proposition
from secondread.agent.propositions import FILM_FREE
from secondread.agent.run import Run
from secondread.agent.serving import fits, gates_of, lacks_outline, outside, serving
from secondread.schema.evidence import Evidence, Findings, QualityReport
from secondread.schema.image import ImageInfo
from secondread.tools.base import Card

FRONTAL = "frontal_chest_radiograph"
OTHER_MODALITIES = ("CT", "MR", "US", "PT", "NM", "XA", "MG", "OP", "ES", "SM")
"""DICOM modalities that never hold a chest film."""
GENERAL = ("image", "passage", "graph_path", "similar_case")
"""Kinds of evidence that may help with any question: other views of the image, knowledge, other images."""


def header_reason(info: ImageInfo) -> str | None:
    """Why the header or the caller's statement rules the image out as a frontal chest film, or None."""
    readers = "the installed tools for this question read frontal chest films"
    if info.view == "LATERAL":
        said = "stated by the caller" if info.view_source == "stated" else "from the header"
        return f"this is a lateral view ({said}); {readers}"
    if info.dimension == 3:
        return f"this is a {info.modality + ' ' if info.modality else ''}volume; {readers}"
    if info.modality in OTHER_MODALITIES:
        return f"this is a {info.modality} image; {readers}"
    return None


def film_reason(image: str, info: ImageInfo, ledger: Mapping[str, Evidence]) -> tuple[str, tuple[str, ...]] | None:
    """Why tools behind the film gates shall not see an image, with the ids of the evidence; None when they may."""
    known = header_reason(info)
    if known:
        return known, ()
    for item in ledger.values():
        if item.image != image:
            continue
        if isinstance(item.result, QualityReport) and item.result.overall == "reject":
            return "the image is not usable: " + "; ".join(item.result.reasons), (item.id,)
        if isinstance(item.result, Findings):
            frontal = item.result.get(FRONTAL)
            if frontal is not None and frontal.polarity == "absent":
                note = f": {frontal.note}" if frontal.note else ""
                return f"this does not look like a frontal chest film{note}", (item.id,)
    return None


def shut_out(prop: Proposition, image: str, ledger: Mapping[str, Evidence], run: Run) -> Judgement | None:
    """That a proposition cannot be judged, when a gate refuses the image to every tool that could; else None."""
    if prop.kind in FILM_FREE:
        return None
    found = film_reason(image, run.infos[image], ledger)
    if found is None:
        return None
    catalogue = run.executor.catalogue
    names = serving(prop.concept, catalogue.cards(), run.graph, limits=False, structure=prop.structure)
    if not names or not all(gates_of([n], catalogue) for n in names):
        return None
    reason, evidence = found
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome="indeterminate",
        belief=Belief(method="not judged", reason=reason, evidence=evidence),
        evidence=evidence,
        reasons=(reason,),
    )


class Offer:
    """The tools that make sense at one moment of a run.

    Args:
        run: Handles of the run.
        images: Ids of the asked images.
        props: All propositions.
        judged: Judgements so far, by proposition id.
        ledger: Evidence by id.
        critiques: Of the last rethink.
        hold: Leave out tools that only serve propositions whose parent is not decided.
    """

    def __init__(
        self,
        run: Run,
        images: Sequence[str],
        props: Sequence[Proposition],
        judged: Mapping[str, Judgement],
        ledger: Mapping[str, Evidence],
        critiques: Sequence[Critique] = (),
        *,
        hold: bool = True,
    ) -> None:
        self.run, self.images, self.ledger = run, images, ledger
        held = waiting(props, judged) if hold else {}
        self._closed = {p: f"{p} waits until {parent} is decided" for p, parent in held.items()}
        for key, one in judged.items():
            if one.closed_by is not None:
                self._closed[key] = f"{key} is settled by {one.closed_by}: {'; '.join(one.reasons)}"
        self._asked = [p for p in props if p.id not in self._closed]
        self._shut = [p for p in props if p.id in self._closed]
        self._useful = self._serving(self._asked) | {t for c in critiques for t in c.tools}

    def cards(self) -> tuple[Card, ...]:
        """Cards of the tools that fit an asked image and serve what is asked, in the order of the catalogue."""
        cards = self.run.executor.catalogue.cards()
        return tuple(c for c in cards if self._helps(c) and self._refuses(c, self.images) is None)

    def _helps(self, card: Card) -> bool:
        return card.kind in GENERAL or card.name in self._useful

    def refuses(self, name: str, image: str | None) -> str | None:
        """Why a planner may not call a tool on an image, in words that it can act on; None when it may."""
        catalogue = self.run.executor.catalogue
        if name not in catalogue:
            return f"no installed tool is called {name[:60]!r}; offered: {self._offered()}"
        root = next((i for i in self.images if image in self.run.family(i, dict(self.ledger))), None)
        reason = self._refuses(catalogue.get(name).card, self.images if root is None else [root], derived=image != root)
        return None if reason is None else f"{reason}; offered: {self._offered()}"

    def _offered(self) -> str:
        return ", ".join(c.name for c in self.cards()) or "none"

    def _refuses(self, card: Card, images: Sequence[str], *, derived: bool = False) -> str | None:
        if not card.in_plan:
            return f"{card.name} is run by the program itself when it is needed"
        if card.image == "required" and not images:
            return f"{card.name} needs an image, and none was given"
        if lacks_outline(card, self.run.tool_defaults):
            return f"{card.name} measures outlines of the caller, and none was given"
        reasons = [self._unfit(card, i, derived) for i in images] if card.image != "none" else []
        if reasons and all(reasons):
            return reasons[0]
        if self._helps(card):
            return None
        if card.name in self._serving(self._shut):
            return f"{card.name} serves nothing that is open: {'; '.join(self._closed.values())}"
        return f"{card.name} settles nothing that is asked"

    def _unfit(self, card: Card, image: str, derived: bool) -> str | None:
        info = self.run.infos[image]
        if derived and info.dimension == 3:
            info = info.model_copy(update={"dimension": 2})
        if not fits(card, info):
            return outside(card, info)
        if gates_of([card.name], self.run.executor.catalogue):
            found = film_reason(image, self.run.infos[image], self.ledger)
            if found is not None:
                tags = "".join(f" [{e}]" for e in found[1])
                return f"{card.name} is for frontal chest films, and {found[0]}{tags}"
        return None

    def _serving(self, props: Sequence[Proposition]) -> set[str]:
        return {name for prop in props for name in serving_tools(prop, self.run)}


def serving_tools(prop: Proposition, run: Run) -> frozenset[str]:
    """Tools that serve a proposition, those that check what limits them, and all that these need."""
    key = (prop.kind, prop.concept, prop.structure)
    if key not in run.serves:
        catalogue = run.executor.catalogue
        names = serving(prop.concept, catalogue.cards(), run.graph, limits=True, structure=prop.structure)
        if prop.kind == "listing" and run.graph.has(prop.concept):
            names.append(run.graph.concept(prop.concept).tool or "capabilities")
            if prop.structure is not None:  # what is to be shown has to be found first
                names += serving(prop.structure, catalogue.cards(), run.graph, limits=False)
        for name in names:
            if name in catalogue:
                needs = (catalogue.provider(n) for n in catalogue.get(name).card.needs)
                names += [t.card.name for t in needs if t is not None and t.card.name not in names]
        run.serves[key] = frozenset(names)
    return run.serves[key]
