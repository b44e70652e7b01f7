"""Corruptions grow with severity and repeat; the protocol resumes; curves and the paired target by hand."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from secondread.evals.robustness import figures
from secondread.evals.robustness.__main__ import run, spread_over
from secondread.evals.robustness.corruptions import OF_MODALITY, SEVERITIES, STRENGTHS, corrupted
from secondread.evals.robustness.experts import EXPERTS, Case, Pixels, Said, expert, said_of
from secondread.evals.robustness.figures import Ask
from secondread.schema.errors import UsageError


@pytest.fixture(scope="module")
def picture() -> Pixels:
    rows, columns = np.mgrid[:96, :128] / 96
    return np.clip(0.5 + 0.3 * np.sin(9 * rows) * np.cos(7 * columns), 0, 1).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STRENGTHS))
def test_every_corruption_grows_and_repeats(picture: Pixels, name: str) -> None:
    made = [corrupted(picture, name, s, "a") for s in SEVERITIES]
    off = [float(np.abs(m - picture).mean()) for m in made]
    assert off[0] < off[2] < off[4] and off[0] > 0
    assert all(m.shape == picture.shape and m.min() >= 0 and m.max() <= 1 for m in made)
    assert np.array_equal(made[2], corrupted(picture, name, 3, "a"))


@pytest.mark.slow
def test_colour_and_volumes_keep_their_shape(picture: Pixels) -> None:
    colour, volume = np.repeat(picture[..., None], 3, axis=2), np.stack([picture[:32, :32]] * 20, axis=2)
    for name in ("noise", "low_resolution", "illumination"):
        assert corrupted(colour, name, 3, "a").shape == colour.shape
        assert corrupted(volume, name, 3, "a").shape == volume.shape


@pytest.mark.slow
def test_noise_has_the_stated_strength() -> None:
    flat = np.full((256, 256), 0.5, np.float32)
    assert np.std(corrupted(flat, "noise", 3, "k") - flat) == pytest.approx(STRENGTHS["noise"][2], rel=0.03)


def test_unknown_names_are_refused(picture: Pixels) -> None:
    for name, severity in (("fog", 3), ("noise", 6)):
        with pytest.raises(UsageError, match="There is no corruption"):
            corrupted(picture, name, severity, "a")
    with pytest.raises(UsageError, match="no expert"):
        expert("nobody")
    assert set(STRENGTHS) == {n for names in OF_MODALITY.values() for n in names} and "chest" in EXPERTS


class Contrast:
    """Answers while the picture has contrast; right while it is not noisy."""

    modality, asks = "x-ray", "?"

    def __init__(self) -> None:
        self.asked = 0

    def cases(self, data: Path) -> Iterator[Case]:
        yield from ()

    def ask(self, case: Case, pixels: Pixels) -> Said:
        self.asked += 1
        if pixels.std() < 0.09:
            return Said(False, why="flat")
        return Said(True, float(np.abs(np.diff(pixels, axis=0)).mean()) < 0.06, 0.9)

    def close(self) -> None:
        pass


@pytest.mark.slow
def test_a_rerun_asks_only_what_is_missing(picture: Pixels, tmp_path: Path) -> None:
    cases = [Case(str(n), f"g{n}", 0, np.roll(picture, n * 5, axis=1), 1.0) for n in range(3)]
    journal = tmp_path / "asks.jsonl"
    first, again = Contrast(), Contrast()
    made = run(first, cases, (3,), journal, "x")
    each = 1 + len(OF_MODALITY["x-ray"])
    assert first.asked == len(made) == 3 * each
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:5]) + lines[5][:20])  # cut off within a line
    assert run(again, cases, (3,), journal, "x") == made and again.asked == 3 * each - 5
    other = Contrast()
    run(other, cases, (3,), journal, "another code")
    assert other.asked == 3 * each
    told = figures.summary(made, draws=50)
    assert told["corruptions"]["low_contrast"]["3"]["answered"][0] < 1
    assert "pooled" in "\n".join(figures.lines("x", "?", told))


def ask(case: str, corruption: str, severity: int, answered: bool, right: bool) -> Ask:
    return Ask(
        case=case, group=case, corruption=corruption, severity=severity, answered=answered, right=right, confidence=0.9
    )


def made(corrupt: list[tuple[bool, bool]]) -> list[Ask]:
    """Ten clean answers, nine right (the last is wrong), and what is said of them under noise."""
    clean = [ask(str(n), "clean", 0, True, n < 9) for n in range(10)]
    return clean + [ask(str(n), "noise", 3, a, r) for n, (a, r) in enumerate(corrupt)]


def test_figures_by_hand() -> None:
    """Six of ten are answered under noise, five of them rightly; all six were right when clean."""
    told = figures.summary(made([(True, True)] * 5 + [(True, False)] + [(False, False)] * 4), draws=200)
    at = told["pooled"]["3"]
    assert at["answered"][0] == 0.6 and at["accuracy_of_answered"][0] == pytest.approx(5 / 6)
    assert at["accuracy_of_all"][0] == 0.5
    assert at["relative_robustness"][0] == pytest.approx(5 / 9)
    assert at["paired_change"][0] == pytest.approx(-1 / 6) and at["paired_change"][3] == 6
    assert at["stated_less_found"] == pytest.approx(0.9 - 5 / 6)
    assert told["target"]["met"] is False


def test_abstaining_where_it_would_be_wrong_meets_the_target_and_silence_does_not() -> None:
    careful = figures.summary(made([(True, True)] * 5 + [(False, False)] * 5), draws=50)
    assert careful["target"]["met"] is True and "50% answered" in careful["target"]["because"]
    silent = figures.summary(made([(False, False)] * 10), draws=50)
    assert silent["target"]["met"] is False
    nearly = figures.summary(made([(True, True)] + [(False, False)] * 9), draws=50)
    assert nearly["target"]["met"] is False and "silence" in nearly["target"]["because"]


def test_values_and_limits() -> None:
    assert said_of(10.0, 8.0, 12.0, 0.9, 12.0) == Said(True, True, 0.9, pytest.approx(1 / 6))
    assert said_of(10.0, 8.0, 12.0, 0.9, 0.0).error is None
    cases = [Case(str(n), str(n), 0, np.zeros((2, 2), np.float32), 0.0) for n in range(10)]
    assert [c.id for c in spread_over(cases, 3)] == ["0", "3", "6"] and len(spread_over(cases, None)) == 10
