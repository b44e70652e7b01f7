"""Fit a calibration on scores with truth, show one, or compare new inputs with those of a fit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import UsageError
from secondread.serve.cli import options as shared
from secondread.serve.cli.console import one_line, print_json, printable

if TYPE_CHECKING:
    from secondread.evals.calibration.table import Table
    from secondread.schema.evidence import CalibrationRecord

MAPS = ("platt", "temperature", "isotonic", "beta")
CONFORMAL = ("set", "risk", "interval")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=("fit", "show", "drift"), help="what to do")
    parser.add_argument(
        "target",
        nargs="?",
        metavar="CALIBRATION",
        help="for show and drift: a file, or the name or id of a shipped one",
    )
    parser.add_argument("--data", type=Path, metavar="FILE", help="CSV, JSON Lines, or scored.jsonl of an evaluation")
    parser.add_argument("--name", help="of the calibration; default: that of the file")
    parser.add_argument(
        "--method", choices=(*MAPS, *CONFORMAL), default="platt",
        help="a map to probabilities; conformal sets, abstention at a risk, or intervals",
    )  # fmt: skip
    parser.add_argument("--score", default="score", metavar="COLUMN", help="what to calibrate (default: score)")
    parser.add_argument("--label", default="label", metavar="COLUMN", help="the truth, yes or no (default: label)")
    parser.add_argument("--group", default="group", metavar="COLUMN", help="patient or image (default: group)")
    parser.add_argument("--feature", action="append", default=[], metavar="COLUMN", help="also watched for drift")
    parser.add_argument("--low", default="low", metavar="COLUMN", help="of an interval (default: low)")
    parser.add_argument("--high", default="high", metavar="COLUMN", help="of an interval (default: high)")
    parser.add_argument("--truth", default="target", metavar="COLUMN", help="true value (default: target)")
    parser.add_argument("--kind", metavar="COLUMN", help="intervals of each kind are widened by themselves")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only rows like this")
    parser.add_argument("--level", type=shared.probability, default=0.9, help="coverage of sets and intervals")
    parser.add_argument("--risk", type=shared.probability, help="for the method risk: bound on P(answered and wrong)")
    parser.add_argument("--by-class", action="store_true", help="hold the guarantee within yes and within no")
    parser.add_argument("--out", type=Path, metavar="FILE", help="calibration file (default: NAME.calibration.json)")
    parser.add_argument("--json", action="store_true", help="print JSON; null when there is no such calibration")


def run(args: argparse.Namespace) -> int:
    """Fit, show or compare.

    Returns:
        0; for `show` 3 when there is no such calibration, for `drift` 3 when something warns.
    """
    return {"fit": _fit, "show": _show, "drift": _drift}[args.action](args)


def _fit(args: argparse.Namespace) -> int:
    if args.data is None:
        raise UsageError("`secondread calibrate fit` needs --data.")
    try:
        import sklearn  # noqa: F401 - told before any work
    except ImportError:
        raise UsageError("Fitting needs the extra `eval`.", hint='Run pip install "secondread[eval]".') from None
    from secondread.evals.bench.report import write
    from secondread.tools.calibrators import calibrator_id

    record = _record(args)
    out = args.out or Path(f"{record.name}.calibration.json")
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} is not there.")
    write(out, record.model_dump_json(indent=1) + "\n")
    if args.json:
        print_json({"id": calibrator_id(record), **record.model_dump(mode="json")})
    else:
        print(printable("\n".join([*_lines(record), "", str(out)])))
    return 0


def _record(args: argparse.Namespace) -> "CalibrationRecord":
    table = _table(args, [])
    name = args.name or table.name.partition(".")[0]
    if not name.replace("_", "").replace("-", "").isalnum():
        raise UsageError(f"{one_line(name, 40)!r} is no name: use letters, digits, - and _.", hint="Give --name.")
    about = f"{table.name}, {len(table.rows)} rows"
    if args.method == "interval":
        from secondread.evals.calibration.conformal_fit import fitted_intervals

        low, high, target = (table.numbers(c) for c in (args.low, args.high, args.truth))
        kinds = table.texts(args.kind) if args.kind else None
        return fitted_intervals(name, low, high, target, table.texts(args.group), args.level, kinds=kinds, about=about)
    table = _table(args, [args.score])
    about = f"{table.name}, {len(table.rows)} rows with a {args.score}"
    score, label, group = table.numbers(args.score), table.flags(args.label), table.texts(args.group)
    if args.method in CONFORMAL:
        from secondread.evals.calibration.conformal_fit import fitted_verdicts

        if args.method == "risk" and args.risk is None:
            raise UsageError("The method risk needs --risk.")
        level = args.risk if args.method == "risk" else args.level
        return fitted_verdicts(name, args.method, score, label, group, level, by_class=args.by_class, about=about)
    from secondread.evals.calibration.fit import fitted

    features = {column: table.numbers(column) for column in args.feature}
    return fitted(name, args.method, score, label, group, about=about, features=features)


def _table(args: argparse.Namespace, needed: list[str]) -> "Table":
    from secondread.evals.calibration.table import read_table

    table = read_table(args.data)
    for column, value in shared.pairs(args.where, "--where").items():
        table = table.where(column, value)
    return table.filled(needed)


def _found(target: str | None) -> "tuple[CalibrationRecord, ...]":
    """Records of a file, or shipped ones by name or id."""
    from secondread.tools.calibrators import records_in, shipped

    if target is None:
        return tuple(shipped().values())
    path = Path(target)
    if path.is_file():
        return records_in(path)
    return tuple(r for key, r in shipped().items() if target in (key, r.name))


def _show(args: argparse.Namespace) -> int:
    from secondread.tools.calibrators import calibrator_id

    found = _found(args.target)
    if args.json:
        made: list[Any] = [{"id": calibrator_id(r), **r.model_dump(mode="json")} for r in found]
        print_json(made if args.target is None or len(made) > 1 else made[0] if made else None)
    elif not found:
        print("null")
    elif args.target is None:
        print(printable("\n".join(f"{calibrator_id(r):<44} n = {r.n:<6} {one_line(r.method, 90)}" for r in found)))
    else:
        print(printable("\n\n".join("\n".join(_lines(r)) for r in found)))
    return 0 if found else 3


def _drift(args: argparse.Namespace) -> int:
    from secondread.evals.calibration.drift import drift

    found = _found(args.target) if args.target else ()
    if not found or args.data is None:
        raise UsageError("`secondread calibrate drift CALIBRATION --data FILE` needs both.")
    record = found[0]
    held = record.parameters.get("reference")
    wanted = {c: args.score if c == "score" else c for c in held} if isinstance(held, dict) else {}
    table = _table(args, list(wanted.values()))
    made = drift(record, {c: table.numbers(column) for c, column in wanted.items()})
    if args.json:
        print_json([d.model_dump(mode="json") for d in made])
    else:
        for one in made:
            shift = "" if one.psi is None else f", PSI {one.psi:.3f}, KS {one.ks:.3f} (p {one.p:.2g})"
            print(printable(f"{one.column}: n = {one.n}, outside the range {one.outside:.1%}{shift}"))
            print(printable("".join(f"  warning: {w}\n" for w in one.warns)), end="")
    return 3 if any(d.warns for d in made) else 0


def _lines(record: "CalibrationRecord") -> list[str]:
    from secondread.tools.calibrators import calibrator_id

    told = [
        f"id       {calibrator_id(record)}",
        f"method   {record.method}",
        f"data     {record.data}",
        f"sha256   {record.data_sha256}",
        f"date     {record.date}",
        f"n        {record.n}",
    ]
    for key, value in record.parameters.items():
        if key in ("map", "sets", "cutoffs", "widening"):
            shown = {k: (f"{len(v)} points" if isinstance(v, list) else v) for k, v in value.items()}
            told.append(f"{key:<8} {', '.join(f'{k} {_short(v)}' for k, v in shown.items())}")
    told += [f"  {key:<28} {_short(value)}" for key, value in record.figures.items()]
    return told


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple) and value and all(isinstance(v, int | float) for v in value):
        head = f"{value[0]:.4f}"
        if len(value) >= 3:
            head += f"  [{value[1]:.4f}, {value[2]:.4f}]"
        return head + (f"  n = {value[3]}" if len(value) == 4 else "")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_short(v)}" for k, v in list(value.items())[:6]) + "}"
    return str(value)
