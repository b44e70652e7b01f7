"""Run the robustness protocol on one expert.

    python -m secondread.evals.robustness --expert NAME --data DIR [--limit N] [--severity S ..] [--out DIR]

Every case is asked clean, then under each corruption of its modality at each severity. Answers are appended to
`asks.jsonl` in the output folder as they come; a rerun with the same weights and calibrations asks what is missing.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from secondread.evals.robustness import figures
from secondread.evals.robustness.corruptions import OF_MODALITY, SEVERITIES, corrupted
from secondread.evals.robustness.experts import EXPERTS, Case, Expert, expert
from secondread.evals.robustness.figures import CLEAN, Ask


def kept(path: Path, code: str) -> dict[tuple[str, str, int], Ask]:
    """Answers of an earlier run of the same code; damaged lines and those of another code are asked again."""
    found: dict[tuple[str, str, int], Ask] = {}
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
            if row["code"] == code:
                one = Ask.model_validate(row["ask"])
                found[one.case, one.corruption, one.severity] = one
        except (ValueError, TypeError, KeyError, ValidationError):
            continue
    return found


def run(one: Expert, cases: Sequence[Case], severities: Sequence[int], path: Path, code: str) -> list[Ask]:
    """Every answer, in order of the cases.

    Args:
        one: Who is asked.
        cases: Images with truth.
        severities: Of 1 to 5.
        path: Journal of answers.
        code: `bench.run.code_hash`.
    """
    held = kept(path, code)
    wanted = [(CLEAN, 0), *((name, s) for name in OF_MODALITY[one.modality] for s in severities)]
    made: list[Ask] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.is_file() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8") as file:
        if not whole:
            file.write("\n")
        for number, case in enumerate(cases, 1):
            for name, severity in wanted:
                found = held.get((case.id, name, severity))
                if found is None:
                    found = _ask(one, case, name, severity)
                    file.write(json.dumps({"code": code, "ask": found.model_dump(mode="json")}) + "\n")
                    file.flush()
                made.append(found)
            print(f"\r{number}/{len(cases)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return made


def _ask(one: Expert, case: Case, name: str, severity: int) -> Ask:
    pixels = case.pixels if name == CLEAN else corrupted(case.pixels, name, severity, case.id)
    said = one.ask(case, pixels)
    return Ask(
        case=case.id,
        group=case.group,
        corruption=name,
        severity=severity,
        answered=said.answered,
        right=said.right,
        confidence=said.confidence,
        error=said.error,
        why=said.why,
    )


def spread_over(cases: Sequence[Case], limit: int | None) -> list[Case]:
    """At most `limit` cases, evenly through the file order."""
    if limit is None or limit >= len(cases):
        return list(cases)
    return [cases[i * len(cases) // limit] for i in range(limit)]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the curves; returns the exit code: 0, whatever they show."""
    from secondread.evals.bench.report import write
    from secondread.evals.bench.run import code_hash
    from secondread.schema.errors import SecondReadError

    parser = argparse.ArgumentParser(
        prog="python -m secondread.evals.robustness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--expert", required=True, choices=tuple(EXPERTS))
    parser.add_argument("--data", required=True, type=Path, help="research data folder")
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="most images, evenly through the set")
    parser.add_argument("--severity", type=int, nargs="+", choices=SEVERITIES, default=list(SEVERITIES))
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="result folder; a rerun resumes it")
    args = parser.parse_args(argv)
    out: Path = args.out or Path(f"robustness-{args.expert}")
    try:
        one = expert(args.expert)
        try:
            cases = spread_over(list(one.cases(args.data)), args.limit)
            asks = run(one, cases, args.severity, out / "asks.jsonl", code_hash())
        finally:
            one.close()
    except SecondReadError as error:
        print(error)
        return error.exit_code
    told: dict[str, Any] = {
        "expert": args.expert,
        "asks": one.asks,
        "modality": one.modality,
        "code": code_hash(),
        "n": len(cases),
        **figures.summary(asks),
    }
    write(out / "robustness.json", json.dumps(told, indent=1) + "\n")
    print("\n".join(figures.lines(args.expert, one.asks, told)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
