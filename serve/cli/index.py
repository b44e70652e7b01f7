"""Build, look into and change corpora of images and texts."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.schema.errors import UsageError
from secondread.serve.cli.console import one_line, print_json, table

if TYPE_CHECKING:
    from secondread.tools.retrieve.build import Report
    from secondread.tools.retrieve.records import Found

ACTIONS = ("build", "info", "search", "delete", "compact", "encoders")
SHOWN = 20
"""Problems that are printed; `--json` has more."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "action", choices=ACTIONS,
        help="build FOLDER|FILE, info, search WORDS|IMAGE, delete ID.., compact, or encoders",
    )  # fmt: skip
    parser.add_argument("terms", nargs="*", metavar="TERM", help="what to build from, search for or delete")
    parser.add_argument("--out", "--corpus", dest="corpus", type=Path, metavar="CORPUS", help="folder of the corpus")
    build = parser.add_argument_group("build")
    build.add_argument("--name", default="", help="name of the corpus; default: that of its folder")
    build.add_argument("--source", default="", help="shown beside hits whose file names no source")
    build.add_argument("--licence", default="unknown", help="likewise")
    build.add_argument("--date", default="", help="likewise, ISO 8601")
    build.add_argument("--modality", default="", help="DICOM modality of images that do not say it")
    build.add_argument(
        "--encoder", default="trunk", metavar="E", help="of images: trunk, pixels, FAMILY:FOLDER, a folder, or none"
    )
    build.add_argument("--text-encoder", metavar="E", help="of texts: FAMILY:FOLDER or a folder; default: none")
    build.add_argument("--prune", action="store_true", help="take out items whose file is gone")
    search = parser.add_argument_group("search")
    search.add_argument("-k", type=int, default=5, metavar="N", help="most hits")
    search.add_argument(
        "--where", action="append", default=[], metavar="FIELD=VALUE", help="e.g. modality=DX, label=Edema"
    )
    search.add_argument("--images", action="store_true", help="search images by words")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run one action."""
    if args.action == "encoders":
        return _encoders(args.json)
    if args.corpus is None:
        raise UsageError(f"`secondread index {args.action}` needs the folder of the corpus.", hint="Add --out FOLDER.")
    if args.action == "build":
        return _build(args)
    if args.action == "info":
        return _info(args)
    if args.action == "search":
        return _search(args)
    return _change(args)


def _build(args: argparse.Namespace) -> int:
    if len(args.terms) != 1:
        raise UsageError("`secondread index build` takes one folder or file.")
    from secondread.tools.retrieve.build import ingest

    started = time.monotonic()
    live = sys.stderr.isatty()

    def progress(count: int, file: str) -> None:
        if live:
            rate = count / max(time.monotonic() - started, 1e-6)
            print(f"\r{count} items, {rate:.0f} per second: {one_line(file, 40):<40}", end="", file=sys.stderr)

    try:
        report = ingest(
            Path(args.terms[0]), args.corpus, name=args.name, source=args.source, licence=args.licence, date=args.date,
            modality=args.modality, images=None if args.encoder == "none" else args.encoder, texts=args.text_encoder,
            prune=args.prune, progress=progress,
        )  # fmt: skip
    finally:
        if live:
            print(file=sys.stderr)
    _told(report, args.json)
    return 0


def _told(report: "Report", as_json: bool) -> None:
    if as_json:
        print_json({
            "added": report.added, "files_unchanged": report.kept, "removed": report.removed, "problems": report.bad,
            "listed": [list(p) for p in report.problems], "indices": [c.model_dump() for c in report.indices],
        })  # fmt: skip
        return
    print(f"{report.added} item(s) added, {report.kept} file(s) unchanged, {report.removed} removed")
    for card in report.indices:
        found = f", recall {card.recall:.3f}" if card.recall is not None else ""
        print(f"index of {card.space}s: {card.kind}, {card.count} vectors{found} ({card.why})")
    for file, what in report.problems[:SHOWN]:
        print(f"problem: {one_line(Path(file).name, 60)}: {one_line(what, 160)}")
    if report.bad > SHOWN:
        print(f".. and {report.bad - SHOWN} more problems")


def _info(args: argparse.Namespace) -> int:
    from secondread.tools.retrieve.corpus.corpus import Corpus

    with Corpus.open(args.corpus) as corpus:
        info, problems = corpus.info(), corpus.problems()
    if args.json:
        print_json({**info.model_dump(), "problems": [list(p) for p in problems]})
        return 0
    print(table([(name, str(value)) for name, value in info.model_dump().items()]))
    for file, what in problems[:SHOWN]:
        print(f"problem: {one_line(Path(file).name, 60)}: {one_line(what, 160)}")
    return 0


def _search(args: argparse.Namespace) -> int:
    if not args.terms:
        raise UsageError("`secondread index search` needs words or an image file.")
    from secondread.tools.retrieve.retriever import Retriever

    where = _filters(args.where)
    retriever = Retriever.open(args.corpus)
    try:
        path = Path(args.terms[0])
        if len(args.terms) == 1 and path.is_file():
            from secondread.tools.retrieve.readers.draft import Defaults
            from secondread.tools.retrieve.readers.images import image_draft

            draft = image_draft(path, Defaults(source="", salt=retriever.corpus.meta("salt")))
            people = {draft.item.patient, *retriever.corpus.patients_of([draft.item.id])}
            found = retriever.similar(
                draft.pictures() if draft.pictures else [], args.k, where=where, not_items=[draft.item.id],
                not_patients=tuple(p for p in people if p),
            )  # fmt: skip
        elif args.images:
            found = retriever.pictured(" ".join(args.terms), args.k, where=where)
        else:
            found = retriever.passages(" ".join(args.terms), args.k, where=where)
    finally:
        retriever.close()
    return _shown(found, args.json)


def _shown(found: "Found", as_json: bool) -> int:
    if as_json:
        print_json(found.model_dump(mode="json"))
        return 0 if found.hits else 3
    for number, hit in enumerate(found.hits, 1):
        near = f"similarity {hit.similarity:.3f}" if hit.similarity is not None else f"score {hit.score:.4f}"
        ranks = ", ".join(f"{channel} {rank}" for channel, rank in hit.ranks.items())
        print(f"{number}. {hit.item.id} [{hit.item.source}, {hit.item.licence}] {near} ({ranks})")
        said = " | ".join(p for p in (hit.item.title, hit.item.text, ", ".join(hit.item.labels)) if p)
        if said:
            print(f"   {one_line(said, 200)}")
    if not found.hits:
        print(f"no hit: {found.note}")
    return 0 if found.hits else 3


def _filters(given: list[str]) -> dict[str, str]:
    made = {}
    for one in given:
        field, equals, value = one.partition("=")
        if not equals or not field or not value:
            raise UsageError(f"{one_line(one, 80)!r} is not FIELD=VALUE.")
        made[field] = value
    return made


def _change(args: argparse.Namespace) -> int:
    from secondread.tools.retrieve.corpus.corpus import Corpus

    with Corpus.open(args.corpus, write=True) as corpus:
        if args.action == "delete":
            if not args.terms:
                raise UsageError("`secondread index delete` needs the ids of items.")
            gone = corpus.delete(args.terms)
            print(f"{gone} item(s) deleted")
        else:
            from secondread.tools.retrieve.build import index

            gone = corpus.compact()
            index(corpus)
            print(f"{gone} vector(s) of deleted items left the corpus")
    return 0


def _encoders(as_json: bool) -> int:
    from secondread.tools.retrieve.encoders.base import BUILT_IN, FAMILIES, encoder

    cards = [encoder(name).card for name in BUILT_IN]
    if as_json:
        print_json({"built_in": [c.model_dump() for c in cards], "families": list(FAMILIES)})
        return 0
    print(table([(c.name, str(c.dimension), "+".join(c.takes), c.licence, c.good_for) for c in cards]))
    print(f"from local folders: {', '.join(f'{f}:FOLDER' for f in FAMILIES)}")
    return 0
