"""Out-of-fold figures of the shipped hippocampus networks: `python -m secondread.evals.hippocampus --data DIR`.

Each development crop is read by the one shipped network that has not seen it.
"""

import argparse
from pathlib import Path

from secondread.schema.errors import SecondReadError


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    from secondread.training.experts import data_folder
    from secondread.training.hippocampus.data import DATA

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.hippocampus", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help=f"folder of {DATA}, or the one above it")
    parser.add_argument("--refusals", action="store_true", help="also read volumes that are no hippocampus crops")
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
        data: Folder of the crops.
        threads: CPU threads.
        refusals: Also read the volumes of `volumes_ct_mr` beside `data`, and altered crops.

    Raises:
        InputError: There is no index in `data`.
        ToolUnavailable: The shipped weights are missing or damaged.
    """
    import torch

    from secondread.tools.segment.hippocampus.weights import load_networks
    from secondread.training.hippocampus.data import load_cases
    from secondread.training.hippocampus.out_of_fold import rows
    from secondread.training.hippocampus.report import floor_lines, lines

    torch.set_num_threads(threads)
    cases, networks = load_cases(data), load_networks()
    told = [f"hippocampus, out of fold: n = {len(cases)} crops", *lines(list(rows(cases, networks)))]
    told += floor_lines(cases)
    if refusals:
        from secondread.training.hippocampus.refusals import tried

        told += ["refusals", *tried(data.parent, cases, networks)]
    return told


if __name__ == "__main__":
    raise SystemExit(main())
