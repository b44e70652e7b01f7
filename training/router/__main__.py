"""Recipe of the image router: `python -m secondread.training.router --data DIR --out DIR --ship`."""

import argparse
from pathlib import Path

from secondread.schema.errors import SecondReadError
from secondread.tools.weights_file import FOLDER
from secondread.training.router.card import write_router_card
from secondread.training.router.data import read
from secondread.training.router.fit import views
from secondread.training.router.ship import build, lines, write


def main(argv: list[str] | None = None) -> int:
    """Fit the router and print its figures; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m secondread.training.router", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cxr/ and the other image sets")
    parser.add_argument("--out", type=Path, required=True, help="cache of pictures and features")
    parser.add_argument("--ship", action="store_true", help="write weights, manifest and card")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="where --ship writes (default: tools/weights)")
    args = parser.parse_args(argv)
    try:
        pictures = read(args.data, args.out / "pictures.npz")
        seen = views(pictures, args.out / "views.npz")
        model, records = build(pictures, seen)
        told = write(model, records, args.weights) if args.ship else lines(records)
        if args.ship:
            told.append(str(write_router_card(args.weights)))
    except SecondReadError as error:
        print(error)
        return error.exit_code
    for line in told:
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
