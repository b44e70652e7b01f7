"""The summary of a batch as a page."""

from collections.abc import Mapping
from html import escape
from typing import Any

from secondread.imaging.study.words import counted
from secondread.serve.batch.page import histogram, page, table


def cohort_page(figures: Mapping[str, Any]) -> str:
    """The page as HTML.

    Args:
        figures: From `serve.batch.cohort.Cohort.figures`.
    """
    parts = [f'<p class="muted">{counted(figures["cases"], "case")}. Shares carry 95 % intervals (Wilson).</p>\n']
    parts += ["<h2>Answers and prevalence</h2>\n", _questions(figures["questions"])]
    parts += ["<h2>Abstention</h2>\n", *_abstention(figures["questions"])]
    if figures["concepts"]:
        head = ("concept", "present", "absent", "uncertain")
        rows = ([n, *(found.get(word, 0) for word in head[1:])] for n, found in figures["concepts"].items())
        parts += ["<h2>Claims</h2>\n", table(head, rows, frozenset({1, 2, 3}))]
    parts += ["<h2>Distributions</h2>\n", *_distributions(figures["measurements"])]
    parts += ["<h2>Agreement of tools</h2>\n", _agreement(figures["agreement"])]
    parts += ["<h2>Drift against the calibration data</h2>\n", *_drift(figures["drift"])]
    if figures["errors"] or figures["tool_failures"]:
        failed = [[code, "", count] for code, count in figures["errors"].items()]
        failed += [[one["code"], one["tool"], one["count"]] for one in figures["tool_failures"]]
        parts += ["<h2>Failures</h2>\n", table(("code", "tool", "count"), failed, frozenset({2}))]
    return page("Cohort summary", parts)


def _share(one: Mapping[str, Any] | None) -> str:
    if one is None or one["share"] is None:
        return ""
    return f"{one['share']:.1%} ({one['low']:.1%} to {one['high']:.1%}), {one['part']} of {one['whole']}"


def _questions(found: list[dict[str, Any]]) -> str:
    head = (
        "id",
        "question",
        "answered",
        "abstained",
        "skipped",
        "failed",
        "yes",
        "no",
        "indeterminate",
        "yes of yes or no",
    )
    rows = (
        [q["id"], q["question"], q["answered"], q["abstained"], q["skipped"], q["failed"], *q["verdicts"].values(),
         _share(q["prevalence"]) or ", ".join(f"{c}: {n}" for c, n in q["choices"].items())]
        for q in found
    )  # fmt: skip
    return table(head, rows, frozenset(range(2, 9)))


def _abstention(found: list[dict[str, Any]]) -> list[str]:
    parts = [table(("id", "abstained"), ([q["id"], _share(q["abstention"])] for q in found))]
    reasons = [[q["id"], reason, count] for q in found for reason, count in q["reasons"].items()]
    return [*parts, table(("id", "reason", "count"), reasons, frozenset({2}))] if reasons else parts


def _distributions(found: list[dict[str, Any]]) -> list[str]:
    parts: list[str] = []
    for one in found:
        of = f" of {one['structure']}" if one["structure"] else ""
        unit = "" if one["unit"] == "1" else f" {one['unit']}"
        spread = "" if one["sd"] is None else f", standard deviation {one['sd']:.4g}"
        low, middle, high = one["quartiles"]
        limit = "" if one["threshold"] is None else f", threshold {one['threshold']:.4g} (dashed)"
        told = (
            f"{counted(one['count'], 'case')}, mean {one['mean']:.4g}{unit}{spread}, median {middle:.4g} "
            f"(quartiles {low:.4g} and {high:.4g}){limit}"
        )
        picture = histogram(one["histogram"], one["lowest"], one["highest"], one["unit"], one["threshold"])
        parts.append(
            f"<figure><b>{escape(one['name'] + of)}</b><br>{picture}<figcaption>{escape(told)}</figcaption></figure>\n"
        )
    return parts or ["<p>No measurement was taken.</p>\n"]


def _agreement(found: list[dict[str, Any]]) -> str:
    if not found:
        return "<p>No two tools judged one concept on the same case.</p>\n"
    head = ("concept", "tools", "agreed", "kappa")
    return table(
        head,
        (
            [one["concept"], " and ".join(one["tools"]), _share(one["agreed"]),
             "" if one["kappa"] is None else f"{one['kappa']:.2f}"]
            for one in found
        ),
        frozenset({3}),
    )  # fmt: skip


def _drift(found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return ["<p>No measurement with a calibration was taken.</p>\n"]
    head = ("calibration", "on", "prevalence here", "prevalence there", "p", "outside its range")
    rows = (
        [one["calibration"], one["data"], _share(one["prevalence"]), _share(one["calibration_prevalence"]),
         "" if one["p_value"] is None else f"{one['p_value']:.3g}", _share(one["outside"])]
        for one in found
    )  # fmt: skip
    notes = [f'<p class="warn">{escape(one["calibration"])}: {escape(n)}</p>\n' for one in found for n in one["notes"]]
    return [table(head, rows, frozenset({4})), *notes]
