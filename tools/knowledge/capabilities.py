"""What the installed tools can say, about an image when one is given."""

from secondread.schema.evidence import Passage, Passages
from secondread.schema.image import ImageInfo
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="capabilities",
    version="1.0",
    summary="What can be measured or answered here, by which tool and with which validity.",
    kind="passage",
    establishes=("capabilities_tool",),
    image="optional",
    dimension=None,
    cost_seconds=0.01,
    cache="memory",
    limits=("It lists what is installed; whether a tool succeeds shows only when it runs.",),
)
_SKIPPED = frozenset({"capabilities", "graph_facts"})


@tool(CARD, request=ToolRequest, result=Passages, summary=lambda result: summarise(result))
def capabilities(request: ToolRequest, ctx: Context) -> Passages:
    """What can be measured or answered here: one passage per installed tool that looks at images."""
    info = ctx.info(request.image) if request.image is not None else None
    graph = ctx.graph()
    items: list[Passage] = []
    for card in sorted(ctx.cards(), key=lambda c: c.name):
        if card.name in _SKIPPED or not card.establishes:
            continue
        names = [graph.concept(c).name if graph.has(c) else c.replace("_", " ") for c in card.establishes]
        text = f"{card.name}: {', '.join(dict.fromkeys(names))}. {validity(card)}{fit(card, info)}"
        items.append(
            Passage(text=text.strip(), source=f"card of the tool {card.name} {card.version}", licence=card.licence)
        )
    return Passages(items=tuple(items))


def validity(card: Card) -> str:
    """For which images a tool is valid, in one sentence; empty when for any."""
    parts = []
    if card.views:
        parts.append(f"{' or '.join(card.views)} view")
    if card.modality:
        parts.append(f"modality {' or '.join(card.modality)}")
    if card.population != "any":
        parts.append(card.population)
    return f"Valid for {', '.join(parts)}." if parts else ""


def fit(card: Card, info: ImageInfo | None) -> str:
    """What of that this image does not meet or does not tell, in one sentence; empty when all is met."""
    if info is None:
        return ""
    open_points = []
    if card.views and info.view not in card.views:
        open_points.append("the view is not stated" if info.view == "UNKNOWN" else f"this is a {info.view} view")
    if card.modality and info.modality is not None and info.modality not in card.modality:
        open_points.append(f"this is a {info.modality} image")
    if card.population == "adult":
        if info.age_years is None:
            open_points.append("the age is not stated")
        elif info.age_years < 18:
            open_points.append("this is a child")
    return f" On this image {' and '.join(open_points)}." if open_points else ""


def summarise(result: Passages) -> str:
    """How many tools are listed."""
    return f"{len(result.items)} tool(s) that look at images are installed"
