"""Items and vectors in one place: changed together, found again, refused when damaged."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from secondread.schema.errors import InputError
from secondread.tools.retrieve.corpus.corpus import Corpus
from secondread.tools.retrieve.corpus.lock import NAME, BuildLock
from secondread.tools.retrieve.records import Item

Make = Callable[..., Item]
D = 8


def rows(count: int, seed: int = 0) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    made = np.random.default_rng(seed).normal(size=(count, D))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    made = Corpus.start(tmp_path / "c", name="drawn")
    made.set_meta("dimension:image", str(D))
    return made


def test_items_are_added_replaced_and_deleted_and_the_version_goes_up(corpus: Corpus, item: Make) -> None:
    assert corpus.add([item("a"), item("b", text="second")]) == 2
    first = corpus.info().version
    assert corpus.add([item("b", text="changed")]) == 0
    assert corpus.info().version == first + 1
    held = corpus.get("b")
    assert held is not None and held.text == "changed"
    assert corpus.delete(["b", "nobody"]) == 1
    assert corpus.get("b") is None
    assert [i.id for i in corpus] == ["a"]


def test_of_two_items_with_one_id_the_later_one_stays(corpus: Corpus, item: Make) -> None:
    corpus.add([item("a", text="one"), item("a", text="two")], vectors=rows(2), space="image")
    held = corpus.get("a")
    assert held is not None and held.text == "two"
    assert (corpus.vector_rows("image") >= 0).sum() == 1


def test_every_field_comes_back_as_it_went_in(corpus: Corpus, item: Make) -> None:
    full = item(
        "x", kind="image", title="t", licence="MIT", date="2020-01-01", patient="pat-1", study="stu-1", modality="DX",
        labels=("Pleural effusion", "a;b|c"), language="de",
    )  # fmt: skip
    corpus.add([full])
    assert corpus.get("x") == full


@pytest.mark.parametrize(
    "bad",
    [np.full((1, D), np.nan, np.float32), np.ones((1, D), np.float32), np.zeros((1, D + 1), np.float32)],
    ids=["nan", "not of unit length", "wrong dimension"],
)
def test_bad_vectors_are_refused_and_nothing_is_added(
    corpus: Corpus, item: Make, bad: "np.ndarray[tuple[int, int], np.dtype[np.float32]]"
) -> None:
    with pytest.raises(InputError):
        corpus.add([item("a")], vectors=bad, space="image")
    assert corpus.info().items == 0


def test_compacting_drops_the_vectors_of_what_is_gone_and_keeps_the_others_in_place(corpus: Corpus, item: Make) -> None:
    vectors = rows(5)
    corpus.add([item(n) for n in "abcde"], vectors=vectors, space="image")
    corpus.delete(["b", "d"])
    assert corpus.compact() == 2
    assert corpus.space("image").count == 3
    held = {
        corpus.rows([int(r)])[int(r)].id: v
        for r, v in zip(corpus.vector_rows("image"), corpus.space("image").all(), strict=True)
    }
    for name, vector in zip("abcde", vectors, strict=True):
        if name in held:
            assert np.array_equal(held[name], vector)
    assert sorted(held) == ["a", "c", "e"]
    assert len(list(corpus.folder.glob("*.f32"))) == 1


def test_a_reader_cannot_change_a_corpus_and_a_second_writer_is_refused(corpus: Corpus, item: Make) -> None:
    with pytest.raises(InputError, match="Another process"):
        Corpus.open(corpus.folder, write=True)
    reader = Corpus.open(corpus.folder)
    with pytest.raises(InputError, match="reading only"):
        reader.add([item("a")])
    corpus.add([item("b")])
    assert reader.get("b") is not None
    corpus.close()
    Corpus.open(corpus.folder, write=True).close()


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from secondread.tools.retrieve.corpus.lock import BuildLock;"
        "BuildLock.take(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / NAME).exists()
    BuildLock.take(tmp_path).release()
    assert not (tmp_path / NAME).exists()


def test_foreign_damaged_and_newer_files_are_refused_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no corpus"):
        Corpus.open(tmp_path)
    path = tmp_path / "corpus.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(InputError, match="damaged"):
        Corpus.open(tmp_path)
    path.unlink()
    other = sqlite3.connect(path)
    with other:
        other.execute("CREATE TABLE meta(key TEXT, value TEXT)")
    other.close()
    with pytest.raises(InputError, match="not a corpus"):
        Corpus.open(tmp_path)
    with sqlite3.connect(path) as changed:
        changed.execute("INSERT INTO meta VALUES ('format', '99')")
    with pytest.raises(InputError, match="newer"):
        Corpus.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="written"):
        Corpus.start(tmp_path / "c")


def test_words_of_a_query_are_never_operators(corpus: Corpus, item: Make) -> None:
    corpus.add([item("a", text="heart and lung"), item("b", text="liver")])
    assert [corpus.rows([r])[r].id for r, _ in corpus.words(["heart"], 5)] == ["a"]
    for query in ('" OR 1=1 --', "heart* NEAR(lung", "title:heart", "'; DROP TABLE items; --", "(", '"'):
        corpus.words([query], 5)
    assert corpus.info().items == 2


def test_filters_by_field_label_concept_and_person(corpus: Corpus, item: Make) -> None:
    corpus.add(
        [
            item("a", modality="DX", labels=("Edema",), patient="pat-1"),
            item("b", modality="CT", labels=("edema", "Mass"), patient="pat-2"),
            item("c", modality="DX"),
        ],
        concepts=[["pulmonary_edema"], ["lung_mass"], []],
    )

    def ids(**where: object) -> set[str]:
        people = where.pop("people", ())
        rows = corpus.allowed(dict(where), not_patients=people)  # type: ignore[arg-type]  # a tuple of keys
        return {i.id for i in corpus} if rows is None else {i.id for i in corpus.rows(sorted(rows)).values()}

    assert ids() == {"a", "b", "c"}
    assert ids(modality="DX") == {"a", "c"}
    assert ids(label="EDEMA") == {"a", "b"}
    assert ids(concept="lung_mass") == {"b"}
    assert ids(people=("pat-1",)) == {"b", "c"}
    with pytest.raises(InputError, match="no filter 'colour'"):
        ids(colour="red")
