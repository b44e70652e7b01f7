"""Out-of-fold figures of the shipped retinal vessel networks: `python -m secondread.evals.vessels --data DIR`.

Each development photograph is read by the one shipped network that has not seen its child.
"""

import argparse
from pathlib import Path

from secondread.schema.errors import SecondReadError


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    from secondread.training.experts import data_folder
    from secondread.training.vessels.data import DATA

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.vessels", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help=f"folder of {DATA}, or the one above it")
    parser.add_argument("--refusals", action="store_true", help="also read pictures that are no fundus photographs")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    try:
        for told in report(data_folder(args.data, DATA), threads=args.threads, refusals=args.refusals):
            print(told)
    except SecondReadError as error:
        print(error)
        return error.exit_code
    return 0


def report(data: Path, *, threads: int = 2, refusals: bool = False) -> list[str]:
    """The lines that the command prints.

    Args:
        data: Folder of the photographs.
        threads: CPU threads.
        refusals: Also read pictures of the image sets beside `data`, and altered photographs.

    Raises:
        InputError: There is no index in `data`.
        ToolUnavailable: The shipped weights are missing or damaged.
    """
    import torch

    from secondread.tools.segment.vessels.weights import load_networks
    from secondread.training.vessels.data import load_eyes
    from secondread.training.vessels.out_of_fold import rows
    from secondread.training.vessels.report import lines

    torch.set_num_threads(threads)
    eyes, networks = load_eyes(data), load_networks()
    told = [f"retinal vessels, out of fold: n = {len(eyes)} photographs", *lines(list(rows(eyes, networks)))]
    if refusals:
        from secondread.training.vessels.refusals import tried

        told += ["refusals", *tried(data.parent, eyes, networks)]
    return told


if __name__ == "__main__":
    raise SystemExit(main())
