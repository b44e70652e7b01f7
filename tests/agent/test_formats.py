"""The same film in three formats gives the same answer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread.agent.agent import Agent
from secondread.evals.phantom import Film
from secondread.evals.phantom_dicom import write_dicom

Films = Callable[..., Film]


@pytest.mark.parametrize("ctr", [0.42, 0.60])
def test_png_dicom_and_monochrome1_agree(agent: Agent, film: Films, tmp_path: Path, ctr: float) -> None:
    one = film(6, ctr)
    Image.fromarray(np.round(one.grey * 255).astype(np.uint8)).save(tmp_path / "film.png")
    write_dicom(one, tmp_path / "film.dcm", bits=12, view="PA", age=60)
    write_dicom(one, tmp_path / "inverted.dcm", photometric="MONOCHROME1", bits=12, view="PA", age=60)
    answers = [
        agent.ask(tmp_path / name, "Is the heart enlarged?", view="PA", age=60)
        for name in ("film.png", "film.dcm", "inverted.dcm")
    ]
    assert len({a.verdict for a in answers}) == 1
    assert answers[0].verdict == ("yes" if ctr > 0.5 else "no")
    ratios = [next(m.value for m in a.evidence_by_id(a.claims[0].evidence[0]).result.items) for a in answers]  # type: ignore[union-attr]
    assert max(ratios) - min(ratios) <= 0.01
