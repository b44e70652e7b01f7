"""Command line of the encoder recipe: `python -m secondread.training.encoder`."""

import argparse
from pathlib import Path

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import CalibrationRecord
from secondread.schema.record import short_hash
from secondread.tools.retrieve.encoders.trunk import WEIGHTS
from secondread.tools.weights_file import FOLDER
from secondread.training.card import table, today, write_card
from secondread.training.encoder.data import rows
from secondread.training.encoder.fit import AXES, features, projection


def main() -> int:
    """Fit the projection; with --ship write weights, manifest and card with the figures."""
    parser = argparse.ArgumentParser(prog="python -m secondread.training.encoder", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the research data folder")
    parser.add_argument("--cache", type=Path, help="file that keeps the trunk features")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="where to write (default: tools/weights)")
    parser.add_argument("--ship", action="store_true", help="write weights, manifest and card")
    args = parser.parse_args()
    try:
        return _run(args.data, args.cache, args.weights, args.ship)
    except SecondReadError as error:
        print(error)
        return error.exit_code


def _run(data: Path, cache: Path | None, weights: Path, ship: bool) -> int:
    import torch

    from secondread.evals.retrieval import evaluate

    everything = rows(data)
    seen = features(everything, cache)
    fitted = [n for n, row in enumerate(everything) if row.split != "val"]
    made = projection(seen[fitted])
    print(f"{len(fitted)} images, {seen.shape[1]} features, {made['axes'].shape[1]} axes")
    if not ship:
        return 0
    found = evaluate(data, cache)
    sha256 = WEIGHTS.write(weights, [{k: torch.from_numpy(v) for k, v in made.items()}], [])
    record = CalibrationRecord(
        name="image_encoder",
        method="principal axes of standardised features; precision of the five nearest of other groups",
        data="permissive train rows of chest films, cells, nuclei, ultrasound and retina",
        data_sha256=short_hash([[str(everything[n].path.name), everything[n].split] for n in fitted], 64),
        date=today(),
        n=len(fitted),
        figures=found,
    )
    WEIGHTS.write_manifest(weights, sha256, [record])
    size = (weights / WEIGHTS.file).stat().st_size
    write_card(
        Path(__file__).parent / "card.md", weights / "image_encoder.md",
        axes=str(AXES), size=f"{size / 1e6:.1f}", sha256=sha256, n=str(len(fitted)), figures=table(found),
    )  # fmt: skip
    print(table(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
