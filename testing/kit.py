"""Runs the checks on a tool."""

from collections.abc import Callable, Mapping, Sequence
from inspect import isclass
from typing import Any

from secondread.testing import behaviour, failures, form, places
from secondread.testing.images import sample_images
from secondread.testing.report import Fault, NotConforming, Outcome, Report, Skip
from secondread.testing.subject import Defaults, Subject, enter
from secondread.tools.base import Tool
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.contract import faults
from secondread.tools.runtime.runtime import Runtime

Check = Callable[[Subject], None]

CHECKS: dict[str, Check] = {
    "card": form.whole_card,
    "light import": form.light_import,
    "request": form.request,
    "answers": form.answers,
    "result": form.result,
    "names": form.names,
    "summary": form.summary,
    "probabilities": form.probabilities,
    "repeats": behaviour.repeats,
    "batch equals single": behaviour.batch,
    "threads": behaviour.threads,
    "devices": behaviour.devices,
    "inputs untouched": behaviour.inputs_untouched,
    "bounds": behaviour.bounds,
    "regions inside": places.inside,
    "follows a shift": places.shift,
    "follows a crop": places.crop,
    "unknown image": failures.unknown_image,
    "wrong dimension": failures.wrong_dimension,
    "odd images": failures.odd_images,
    "weights": failures.weights,
    "no identifiers": failures.no_identifiers,
}


def check_names() -> tuple[str, ...]:
    """Names of the checks, in the order in which they run."""
    return tuple(CHECKS)


def check_tool(
    tool: type[Tool] | Tool,
    *,
    images: Sequence[Any] = (),
    args: Sequence[Mapping[str, Any]] | None = None,
    defaults: Defaults | None = None,
    only: Sequence[str] = (),
    skip: Mapping[str, str] | None = None,
    runtime: Runtime | None = None,
    strict: bool = True,
) -> Report:
    """Check that a tool keeps the contract.

    Args:
        tool: The tool, or its class. What it needs must be installed.
        images: Images it is made for; at least one must give a result. Each is a path, bytes, an array, a `Volume`, or
            one of these with what is stated of it or which part is meant, as `("film.png", {"view": "PA", "age": 60,
            "region": (x0, y0, x1, y1)})` or `(volume, {"slice": ("axial", 12)})`. Drawn ones are added.
        args: Arguments of calls beside the image; None: the examples of the card, or none at all.
        defaults: Gives, for a store and an image id, arguments by tool that a caller fills in: of this tool and of
            those that it needs, e.g. outlines put into the store.
        only: Names of the checks to run; empty: all.
        skip: Names of checks to leave out, each with the reason, which the report shows.
        runtime: One to share between tools, so that what they need runs once; None makes one.
        strict: Raise when a check failed.

    Returns:
        What each check found.

    Raises:
        NotConforming: A check failed and `strict` is set; the message lists all that did.
        ValueError: There is no check of such a name.
    """
    skipped = dict(skip or {})
    unknown = [name for name in (*only, *skipped) if name not in CHECKS]
    if unknown:
        raise ValueError(f"there is no check {unknown[0]!r}; there are: {', '.join(CHECKS)}")
    wrong = faults(tool if isclass(tool) else type(tool))
    if wrong:
        name = tool.__name__ if isclass(tool) else type(tool).__name__
        return _judged(Report(name, (Outcome("card", "failed", "; ".join(wrong)),)), strict)
    made = tool() if isclass(tool) else tool
    own = runtime is None
    used = runtime if runtime is not None else Runtime(tools=catalogue())
    before = used.catalogue
    used.catalogue = Catalogue({**{n: before.get(n) for n in before.names()}, made.card.name: made})
    try:
        subject = Subject(
            tool=made,
            runtime=used,
            images=enter(used, made, (*images, *sample_images())),
            args=tuple(args if args is not None else made.card.examples) or ({},),
            defaults=defaults or (lambda store, image: {}),
        )
        chosen = {name: check for name, check in CHECKS.items() if not only or name in only}
        outcomes = tuple(_outcome(name, check, subject, skipped) for name, check in chosen.items())
    finally:
        used.catalogue = before
        if own:
            used.close()
    return _judged(Report(made.card.name, outcomes), strict)


def _outcome(name: str, check: Check, subject: Subject, skipped: Mapping[str, str]) -> Outcome:
    if name in skipped:
        return Outcome(name, "skipped", skipped[name])
    try:
        if not subject.answers and not subject.errors and subject.broken is None:
            subject.first_answers()
        check(subject)
    except Skip as reason:
        return Outcome(name, "skipped", str(reason))
    except Fault as fault:
        return Outcome(name, "failed", str(fault))
    except Exception as error:  # a tool may raise anything anywhere: that is a finding, not the end of the report
        return Outcome(name, "failed", f"{type(error).__name__}: {error}"[:300])
    return Outcome(name, "passed")


def _judged(report: Report, strict: bool) -> Report:
    if strict and not report.ok:
        told = "\n".join(f"  {o.check}: {o.detail}" for o in report.failed)
        raise NotConforming(f"{report.tool} does not keep the contract:\n{told}")
    return report
