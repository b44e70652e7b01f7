"""What is left of a message once its paths are taken out."""

import pytest

from secondread.tools.runtime.paths import without_paths


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("No such file: '/data/Jane Doe/film.dcm'", "No such file: [path]"),
        ('cannot open "C:\\\\scans\\\\Jane Doe.dcm" now', "cannot open [path] now"),
        ("cannot open /data/JANE^DOE/film.dcm", "cannot open [path]"),
        ("cannot open /data/Jane Doe/the film.dcm: truncated", "cannot open [path]: truncated"),
        ("/data/DOE is no folder", "[path] is no folder"),
        ("~/scans/doe.nii.gz is empty", "[path] is empty"),
        ("see \\\\\\\\server\\\\share\\\\doe.dcm", "see [path]"),
        ("the ratio is 3/4 and/or 1/2 of it", "the ratio is 3/4 and/or 1/2 of it"),
        ("weights in /home/jane/weights.bin xx", "weights in weights.bin xx"),
        ("yes / no", "yes / no"),
        ("run pip install secondread[ocr]", "run pip install secondread[ocr]"),
    ],
)
def test_paths_are_taken_out_and_other_slashes_stay(said: str, shown: str) -> None:
    assert without_paths(said) == shown


@pytest.mark.parametrize("name", ["Jane Doe", "JANE^DOE", "D\u00f6e, Jane", "jane.doe", "Jane (1901)"])
@pytest.mark.parametrize("form", ["{}", "'{}'", '"{}"', "file {} is gone", "[Errno 2] No such file: '{}'"])
def test_no_part_of_a_name_is_left(name: str, form: str) -> None:
    left = without_paths(form.format(f"/data/{name}/{name}.dcm"))
    assert not any(part.lower() in left.lower() for part in ("jane", "doe", "1901", "D\u00f6e"))
