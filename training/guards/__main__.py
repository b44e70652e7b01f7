"""Recipe of the chest film guards: `python -m secondread.training.guards --data DIR --out DIR`."""

import argparse
import json
from pathlib import Path

import torch

from secondread.training.guards.arms import ARMS
from secondread.training.guards.card import write_card
from secondread.training.guards.data import load
from secondread.training.guards.fit import run_arm
from secondread.training.guards.outside import unseen_files, val
from secondread.training.guards.ship import ship


def main() -> None:
    """Train what is missing (`--arms` alone trains nothing), then ship and print what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m secondread.training.guards", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cxr/ and the other image sets")
    parser.add_argument("--out", type=Path, required=True, help="cache, checkpoints, scores; a second run goes on")
    parser.add_argument("--arms", nargs="*", choices=sorted(ARMS), help="only these training runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument(
        "--ship", action="store_true", help="write weights and manifest under tools/weights, print them"
    )
    parser.add_argument("--outside", action="store_true", help="print the shipped guards on files of unseen sources")
    parser.add_argument("--card", action="store_true", help="read val, then write the model card beside the weights")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    images = load(args.data, args.out / "images.npz")
    for name in list(ARMS) if args.arms is None else args.arms:
        run_arm(ARMS[name], images, args.out)
    if args.ship:
        for record in ship(images, args.out):
            print(record.model_dump_json(indent=1))
    if args.outside:
        print(json.dumps(unseen_files(args.data), indent=1))
    if args.card:
        print(write_card(unseen_files(args.data), val(images)))


if __name__ == "__main__":
    main()
