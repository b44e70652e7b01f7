"""Asks every subject every item: isolated, in parallel, resumable; what goes wrong is counted and the run goes on."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secondread.evals.bench import floors
from secondread.evals.bench.item import Item, Prediction, Problem, Read, Scored
from secondread.evals.bench.journal import Journal
from secondread.evals.bench.score import scored
from secondread.evals.bench.subjects import Subject
from secondread.schema.errors import InputError, SecondReadError
from secondread.schema.record import short_hash

SHUFFLED = "shuffled_image"


@dataclass
class Outcome:
    """All that a run found.

    Attributes:
        items: Those that were asked, in order.
        rows: Scored predictions by subject, in order of the items.
        problems: Of the files.
        missing: Items left out because an image of theirs is not there.
        damaged: Lines of an earlier result file that could not be read.
        stale: Predictions of another configuration, not used.
        resumed: Predictions taken from an earlier run.
        config: Hash of data, subjects and settings.
        images: Image folder.
    """

    items: list[Item]
    rows: dict[str, list[Scored]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    missing: list[Item] = field(default_factory=list)
    damaged: int = 0
    stale: int = 0
    resumed: int = 0
    config: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    images: Path | None = None


def chosen(read: Read, where: Mapping[str, str], limit: int | None, seed: int) -> list[Item]:
    """Items of the wanted strata, at most `limit`, whole groups drawn with a fixed seed.

    Raises:
        InputError: None is left.
    """
    items = [i for i in read.items if all(i.strata.get(k, "").casefold() == v.casefold() for k, v in where.items())]
    if limit is not None and len(items) > limit:
        groups = sorted({i.group for i in items})
        random.Random(seed).shuffle(groups)
        kept: set[str] = set()
        count = 0
        sizes = defaultdict[str, int](int)
        for one in items:
            sizes[one.group] += 1
        for group in groups:
            if count >= limit:
                break
            kept.add(group)
            count += sizes[group]
        items = [i for i in items if i.group in kept][:limit]
    if not items:
        raise InputError("No item is left to ask.", hint="Look at the problems listed, or change --where.")
    return items


def shuffled(items: Sequence[Item], seed: int) -> dict[str, Item]:
    """Each item with the images of an item of another group; by id. Items that have no such partner are left out."""
    order = sorted({i.group for i in items if i.images})
    random.Random(seed).shuffle(order)
    by_group: dict[str, list[Item]] = defaultdict(list)
    for one in items:
        if one.images:
            by_group[one.group].append(one)
    given: dict[str, Item] = {}
    for place, group in enumerate(order):
        for item in by_group[group]:
            for step in range(1, len(order)):
                other = by_group[order[(place + step) % len(order)]]
                fits = [o for o in other if len(o.images) == len(item.images) and set(o.images).isdisjoint(item.images)]
                if fits:
                    given[item.id] = item.model_copy(update={"images": fits[0].images})
                    break
    return given


def run(
    read: Read,
    subjects: Sequence[Subject],
    *,
    images: Path | None,
    journal: Path,
    train: Read | None = None,
    where: Mapping[str, str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    published: Callable[[Item], Prediction | None] | None = None,
    progress: Callable[[str, int, int], None] = lambda subject, done, n: None,
) -> Outcome:
    """Ask and score.

    Args:
        read: The benchmark.
        subjects: Who is asked; the first one is asked again with shuffled images.
        images: Folder of the images; None asks without images (a blind run).
        journal: Predictions are appended here as they come, and read from here when the run is repeated.
        train: Training split for the floors.
        where: Stratum -> value that items must have.
        limit: Most items.
        seed: Of the sample and of the shuffling.
        jobs: Items asked at the same time.
        published: Gives the prediction that the benchmark's own file holds of an item.
        progress: Told (subject, done, of how many).

    Raises:
        InputError: No item is left, or not one image is there.
    """
    wanted = chosen(read, where or {}, limit, seed)
    items, missing = _present(wanted, images)
    if images is not None and missing and not items:
        raise InputError(f"Not one of {len(missing)} images is below {images}.", hint="Give --images, or --blind.")
    about = {"data": read.sha256, "train": train.sha256 if train else None, "seed": seed, "blind": images is None}
    config = short_hash({**about, "subjects": {s.name: s.about for s in subjects}, "code": code_hash()})
    outcome = Outcome(items=items, problems=list(read.problems), missing=missing, config=config, images=images)
    outcome.about = {**about, "subjects": {s.name: s.about for s in subjects}}
    with Journal(journal, config) as held:
        outcome.damaged, outcome.stale = held.damaged, held.stale
        for number, subject in enumerate(subjects):
            asked = {i.id: i for i in items}
            outcome.rows[subject.name] = _ask(
                subject, subject.name, items, asked, images, held, jobs, progress, outcome
            )
            others = shuffled(items, seed) if number == 0 and images is not None else {}
            if others:
                part = [i for i in items if i.id in others]
                outcome.rows[SHUFFLED] = _ask(subject, SHUFFLED, part, others, images, held, jobs, progress, outcome)
    if published is not None:
        held_rows = [scored(i, p) for i in items if (p := published(i)) is not None]
        if held_rows:
            outcome.rows["published"] = held_rows
    learned = list(train.items) if train is not None else None
    for name, floor in (("majority", floors.majority), ("question_only", floors.question_only)):
        outcome.rows[name] = [scored(i, p) for i, p in zip(items, floor(items, learned), strict=True)]
    return outcome


def _present(items: Sequence[Item], images: Path | None) -> tuple[list[Item], list[Item]]:
    if images is None:
        return [i.model_copy(update={"images": ()}) for i in items], []
    there = {i.id: all((images / name).is_file() for name in i.images) for i in items}
    return [i for i in items if there[i.id]], [i for i in items if not there[i.id]]


def _ask(
    subject: Subject,
    name: str,
    items: Sequence[Item],
    asked: Mapping[str, Item],
    images: Path | None,
    held: Journal,
    jobs: int,
    progress: Callable[[str, int, int], None],
    outcome: Outcome,
) -> list[Scored]:
    done = 0

    def one(item: Item) -> Scored:
        nonlocal done
        made = held.kept.get((name, item.id))
        if made is None:
            made = isolated(subject, asked[item.id], images).model_copy(update={"subject": name})
            held.add(made)
        else:
            outcome.resumed += 1
        done += 1
        progress(name, done, len(items))
        return scored(item, made)

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(one, items))


def isolated(subject: Subject, item: Item, images: Path | None) -> Prediction:
    """Ask one item; whatever the subject raises becomes a recorded failure of this item alone."""
    paths = [images / name for name in item.images] if images is not None else []
    try:
        return subject.ask(item, paths)
    except SecondReadError as error:
        return Prediction(item=item.id, subject=subject.name, error=f"{error.code}: {error.message}"[:300])
    except Exception as error:  # a subject may be any model: its failure must not end the run
        return Prediction(item=item.id, subject=subject.name, error=f"{type(error).__name__}: {error}"[:300])


def code_hash() -> str:
    """Hash over the program's version and its shipped weights and calibrations: what else decides an answer."""
    from importlib.metadata import version

    from secondread.tools.weights_file import FOLDER

    listed = sorted((p.name, p.stat().st_size) for p in FOLDER.iterdir() if p.suffix in (".json", ".safetensors"))
    return short_hash({"version": version("secondread"), "weights": listed})
