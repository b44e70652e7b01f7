"""What a tool result becomes once the runtime has recorded it."""

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from secondread.schema.record import Record
from secondread.schema.region import Box, MaskRef, Point
from secondread.schema.units import Probability

Polarity = Literal["present", "absent", "uncertain"]
Grade = Literal["ok", "limited", "reject"]


class Interval(Record):
    """A range that is meant to hold the true value with probability `level`."""

    low: float
    high: float
    level: Probability
    method: str
    """How it was made and on what it was fitted."""


class Threshold(Record):
    """The value above or below which a measurement has a name."""

    value: float
    unit: str
    direction: Literal["above", "below"]
    concept: str
    """Concept id that the far side of the threshold stands for."""
    population: str
    """For whom it holds, e.g. `adult, upright PA`."""
    source: str


class CalibrationRecord(Record):
    """How often a tool or measure is right, and on what that was found out."""

    name: str
    method: str
    data: str
    """Data set, split and number of rows."""
    data_sha256: str
    date: str
    n: int = Field(ge=1)
    parameters: dict[str, Any] = Field(default_factory=dict)
    figures: dict[str, Any] = Field(default_factory=dict)
    """Measured out-of-fold figures with their intervals."""


class Measurement(Record):
    """One number taken from the image, with what it rests on; or the reason why it cannot be taken."""

    name: str
    """Concept id, e.g. `cardiothoracic_ratio`."""
    structure: str | None = None
    """Concept id of what was measured, for measures that any structure has: `structure_volume` of the `liver`."""
    value: float | None = None
    unit: str = "1"
    """`1` for ratios, `count`, `mm`, `mm2`, `mm3`, `deg`, `px`, `HU`, `units` (of the scanner) or `grey` (0 to 1)."""
    interval: Interval | None = None
    spread: float | None = None
    """Standard deviation over mask samples, in `unit`; None when there was only one."""
    spread_between: float | None = None
    """Standard deviation of the means of several networks, in `unit`; None for one network."""
    uncertainty: float | None = None
    """`Regions.network_uncertainty` of the masks it was taken from."""
    landmarks: tuple[Point, ...] = ()
    threshold: Threshold | None = None
    surrogate_for: str | None = None
    """Set when the number only hints at this concept: it supports, it never decides."""
    not_measurable: str | None = None
    """Reason, when `value` is None."""
    caveats: tuple[str, ...] = ()


class Counted(Record):
    """What was counted, one entry per object in each list that is not empty, in the same order."""

    concept: str
    """Concept id of one object, e.g. `white_blood_cell`."""
    measurement: str
    """Name of the `Measurement` that holds the count."""
    grid: str
    points: tuple[tuple[float, float], ...] = ()
    """Centres x, y in pixel-centre coordinates."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """x0, y0, x1, y1, outer edge to outer edge."""
    scores: tuple[float, ...] = ()
    """Calibrated probability that the object is one, when the tool has a calibration; else its raw score."""
    agree: bool | None = None
    """Whether count, points and boxes tell the same number of objects at the same places; None: not checked."""
    note: str = ""
    """What disagrees."""


class Measurements(Record):
    """Result of a measuring tool."""

    kind: Literal["measurement"] = "measurement"
    items: tuple[Measurement, ...]
    counted: tuple[Counted, ...] = ()
    """The objects behind counts."""
    outlined: dict[str, MaskRef] = Field(default_factory=dict)
    """Masks that the numbers were taken from, by concept id, when the tool made them itself."""

    def get(self, name: str, structure: str | None = None) -> Measurement | None:
        """The measurement with this concept id, of this structure when one is named, or None."""
        return next(
            (m for m in self.items if m.name == name and (structure is None or m.structure in (None, structure))), None
        )


class Finding(Record):
    """What a detector or classifier says of one concept."""

    concept: str
    score: float | None = None
    score_kind: Literal["calibrated probability", "sigmoid", "z", "support", "fact", "none"] = "none"
    """`fact`: read from the file and not estimated; it has no score and no probability."""
    polarity: Polarity = "uncertain"
    verified: bool = False
    """False: not shown to hold outside its training sources; read as support only."""
    region: Box | None = None
    note: str = ""


class Findings(Record):
    """Result of a detector, classifier or guard."""

    kind: Literal["finding"] = "finding"
    items: tuple[Finding, ...]

    def get(self, concept: str) -> Finding | None:
        """The finding on this concept, or None."""
        return next((f for f in self.items if f.concept == concept), None)


class MaskSample(Record):
    """One of several equally meant segmentations of the same image."""

    source: str
    """Which network and which view of the image, e.g. `fold2/shift`."""
    group: str
    """Samples of one group share a network."""
    names: tuple[str, ...] = Field(max_length=8)
    """Concept ids of its masks."""
    bits: str
    """Blob handle of a uint8 map over the whole image, of its shape or coarser; bit k is set where `names[k]` is."""


class Regions(Record):
    """Result of a segmenter."""

    kind: Literal["region"] = "region"
    masks: dict[str, MaskRef]
    samples: tuple[MaskSample, ...] = ()
    uncertainty: str | None = None
    """Blob handle of a float32 map over the whole image, of its shape or coarser; 0 sure to 1 unsure."""
    mean_uncertainty: float | None = None
    network_uncertainty: float | None = None
    """Mean uncertainty inside the masks of each network by itself, averaged over the networks: comparable for any
    number of networks, so that error models can use it."""
    plausible: bool = True
    reasons: tuple[str, ...] = ()
    """Why `plausible` is False, or what a reader should know."""
    heart_side: Literal["image_left", "image_right", "midline", "unknown"] = "unknown"
    """Side of the image on which most of the heart lies; image_left means mirrored or dextrocardia."""


class QualityAttribute(Record):
    """One measured property of an image."""

    name: str
    value: float
    unit: str = "1"
    grade: Grade
    reason: str = ""


class QualityReport(Record):
    """Result of a quality tool."""

    kind: Literal["quality"] = "quality"
    overall: Grade
    attributes: tuple[QualityAttribute, ...]
    reasons: tuple[str, ...] = ()
    log_odds_cap: float | None = None
    """Largest |log-odds| a belief may reach on this image; None: no cap."""

    def get(self, name: str) -> QualityAttribute | None:
        """The attribute of this name, or None."""
        return next((a for a in self.attributes if a.name == name), None)


class GraphEdge(Record):
    """One authored or built edge with its source."""

    subject: str
    relation: str
    object: str
    text: str
    """The edge as a sentence in plain words."""
    source: str


class RankedConcept(Record):
    """One explanation of a ranking, with the edges that count for and against it."""

    concept: str
    score: float
    """Points for less points against: an order, no probability."""
    support: tuple[str, ...] = ()
    """Ids of the edges for it."""
    against: tuple[str, ...] = ()
    """Ids of the edges against it; shown beside those for it, never set off against them in words."""
    present: tuple[str, ...] = ()
    """Concept ids found present that count for it."""
    opposed: tuple[str, ...] = ()
    """Concept ids found present that it excludes."""
    missing: tuple[str, ...] = ()
    """Concept ids found absent that it would show."""


class GraphPaths(Record):
    """Result of a knowledge-graph query: paths, each a chain of edges."""

    kind: Literal["graph_path"] = "graph_path"
    paths: tuple[tuple[GraphEdge, ...], ...]
    triples: tuple[tuple[str, ...], ...] = ()
    """Ids of the edges, path by path; empty when the maker gave none."""
    ranked: tuple[RankedConcept, ...] = ()
    """For a differential: explanations, best supported first."""


THIRD_PARTY = "mounted server "
"""Begins the corpus of passages that a mounted server wrote."""


class Passage(Record):
    """A quoted or authored passage with its source."""

    text: str
    source: str
    licence: str = ""
    id: str = ""
    """Of a retrieved passage in its corpus; empty for facts about the program."""
    title: str = ""
    date: str = ""
    corpus: str = ""
    """Name and version of the corpus."""
    ranks: dict[str, int] = Field(default_factory=dict)
    """Search channel -> rank from 1."""

    @property
    def third_party(self) -> bool:
        """Whether a mounted server wrote it: it is data, and its numbers back no claim."""
        return self.corpus.startswith(THIRD_PARTY)

    @property
    def cited(self) -> str:
        """The text with its source and id, as an answer quotes it."""
        return f"{self.text.rstrip()} ({self.source}, {self.id})" if self.id else self.text


class Passages(Record):
    """Result of a text retriever, or plain facts about the program itself."""

    kind: Literal["passage"] = "passage"
    items: tuple[Passage, ...]


class SimilarCase(Record):
    """One image of a corpus that resembles the asked one, or that words describe."""

    id: str
    """Of the image in its corpus and in the image store."""
    source: str
    licence: str = ""
    date: str = ""
    corpus: str = ""
    """Name and version of the corpus."""
    labels: tuple[str, ...] = ()
    """What its source says of it; never a finding on the asked image."""
    modality: str = ""
    similarity: float | None = None
    """Cosine of the encoder's vectors, -1 to 1."""
    ranks: dict[str, int] = Field(default_factory=dict)
    """Search channel -> rank from 1."""
    triples: tuple[str, ...] = ()
    """Edges of a graph that say what it shows; those of both polarities where its sources disagree."""
    text: str
    """The case in one sentence."""


class SimilarCases(Record):
    """Result of a search for images."""

    kind: Literal["similar_case"] = "similar_case"
    items: tuple[SimilarCase, ...]


class DerivedImage(Record):
    """Result of an image action: a crop, zoom or window of another image."""

    kind: Literal["image"] = "image"
    image: str
    """Id of the derived image; its regions resolve to the parent grid."""
    box: Box | None
    """Where it lies in the parent; None for a slice of a volume."""


class ToolFailure(Record):
    """A tool that did not finish: this, too, is evidence."""

    kind: Literal["tool_failure"] = "tool_failure"
    code: str
    message: str
    hint: str = ""


Result = Annotated[
    Measurements
    | Findings
    | Regions
    | QualityReport
    | GraphPaths
    | Passages
    | SimilarCases
    | DerivedImage
    | ToolFailure,
    Field(discriminator="kind"),
]


class Evidence(Record):
    """One recorded tool result. Ids are given in call order at dispatch, so completion order changes nothing."""

    id: str
    """`E1`, `E2`, .."""
    call_key: str
    """Hash of tool, version, weights, image and arguments."""
    kind: str
    tool: str
    tool_version: str
    weights: str | None = None
    """SHA-256 over the weights used, or None."""
    image: str | None = None
    """Image or volume id, or None for evidence that is about no image."""
    place: str = ""
    """Which study, series and slice that is, in words; empty for an image handed over by itself."""
    result: Result
    reliability: CalibrationRecord | None = None
    """The calibration of the tool, where it has exactly one."""
    calibrators: tuple[str, ...] = ()
    """Ids of the tool's calibrations, see `tools.calibrators`; a probability in `result` is made by one of them."""
    caveats: tuple[str, ...] = ()
    summary: str

    _painter: Any = PrivateAttr(default=None)

    def overlay(self) -> Any:
        """The picture of this evidence: a `PIL.Image.Image` with masks, landmarks and numbers.

        Raises:
            StoreError: The evidence shows nothing on an image, or its pixels have left the image store.
        """
        from secondread.schema.errors import StoreError

        if self._painter is None:
            raise StoreError(f"Evidence {self.id} has no picture.", hint="Ask again and keep the Agent alive.")
        return self._painter(self)
