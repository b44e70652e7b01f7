"""MediConfusion (Sepehri et al. 2024): one question and two options on two images that models confuse."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondread.evals.bench.figures import share_figure
from secondread.evals.bench.item import Figure, Item, Read, Scored
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader


def _items(packed: Any, local: bool, ai: bool) -> list[Item]:
    key, r = packed
    if not isinstance(r, dict):
        raise BadRecord("not an object")
    word = "AI_" if ai else ""
    options = {"A": str(r[f"{word}option_A"]), "B": str(r[f"{word}option_B"])}
    made = [
        Item(
            id=f"{key}/{n}",
            kind="choice",
            question=str(r[f"{word}question"]),
            images=(f"{r[f'im_{n}_local']}.jpg" if local else str(r[f"im_{n}"]),),
            options=options,
            answer=(str(r[f"im_{n}_correct"]).strip().upper(),),
            group=key,
            strata={"category": str((r.get(f"category_{n}") or ["unknown"])[0])},
        )
        for n in (1, 2)
    ]
    if made[0].answer == made[1].answer:
        raise BadRecord("both images have the same right answer, so the pair confuses nobody")
    return made


def read(root: Path, options: Options) -> Read:
    """Pairs of a dataset.json; each makes two items of one group."""
    files = Files(root)
    path = files.find("dataset*.json", "*.json")
    local, ai = options.get("images", "roco") == "local", options.get("wording", "human") == "ai"
    records = ((f"{path.name} pair {k}", (k, r)) for k, r in files.json(path).items())
    return files.made(records, lambda r, _: _items(r, local, ai))


def figures(rows: Sequence[Scored]) -> list[Figure]:
    """Set accuracy, confusion rate among pairs with two answers, individual accuracy."""
    pairs: dict[str, list[Scored]] = defaultdict(list)
    for row in rows:
        pairs[row.item.group].append(row)
    whole = [p for p in pairs.values() if len(p) == 2]
    both = [p for p in whole if all(r.prediction.answered for r in p)]
    same = sum(p[0].prediction.answer == p[1].prediction.answer for p in both)
    return [
        share_figure(
            "set accuracy (both of a pair right)", sum(all(r.score == 1 for r in p) for p in whole), len(whole)
        ),
        share_figure("confusion (same option for both, of pairs with two answers)", same, len(both)),
        share_figure("individual accuracy", sum(r.score == 1 for r in rows), len(rows)),
    ]


MEDICONFUSION = Reader(
    name="mediconfusion",
    title="MediConfusion",
    status="complete",
    expects="dataset.json; images of ROCO below the image folder (or <number>.jpg with --option images=local)",
    licence="MIT (questions); images not redistributable",
    read=read,
    metric=figures,
    options={"images": "roco (default) or local", "wording": "human (default) or ai"},
    notes=(
        "Chance is 25 % set accuracy; any subject that ignores the image has set accuracy 0 and confusion 100 %.",
        "The published letter search takes a lone A in running text as the answer A; here an article is no answer.",
        "Published per-category confusion counts a pair once per category of either image; here it is counted once.",
    ),
)
