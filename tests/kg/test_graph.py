"""The core graph loads fast, is sound, and answers look-ups within bounds."""

import gzip
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from secondread.kg.concept import Concept, Edge, sentence
from secondread.kg.graph import Graph, core_graph
from secondread.kg.lint import lint
from secondread.kg.load import core_files, folder_files, read
from secondread.kg.words import fold
from secondread.schema.errors import InputError

GOOD = """
sources: {d: def}
concepts:
  anatomy:
  - {id: a, name: aa, text: t}
  - {id: b, name: bb, text: t}
edges:
- [a, part_of, b, d]
"""


def test_the_core_graph_has_no_fault(tell: Callable[[str], None]) -> None:
    assert [str(p) for p in lint()] == []
    counts = core_graph().stats()
    tell(f"core graph: {counts['concepts']} concepts, {counts['edges']} edges, {counts['surfaces']} names")
    assert counts["concepts"] >= 600
    assert counts["edges"] >= 2500


def test_loading_is_quick() -> None:
    best = min(_seconds() for _ in range(3))
    assert best < 0.5


def _seconds() -> float:
    """CPU time, so that a busy machine changes little."""
    start = time.process_time()
    Graph(*read(core_files()))
    return time.process_time() - start


def test_loading_and_linking_import_neither_networkx_nor_torch() -> None:
    code = (
        "import sys; from secondread.kg.graph import core_graph; from secondread.kg.questions import parse;"
        "parse('Is there cardiomegaly?', core_graph());"
        "sys.exit(any(m in sys.modules for m in ('networkx', 'torch', 'langgraph')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lookup_folds_case_plural_hyphen_and_spelling() -> None:
    graph = core_graph()
    for text, concept in [
        ("Pulmonary Oedema", "pulmonary_edema"),
        ("pleural effusions", "pleural_effusion"),
        ("X-ray film of nobody", None),
        ("haemothorax", "hemothorax"),
        ("Cardio-Thoracic Ratio", "cardiothoracic_ratio"),
        ("chest x-rays", "frontal_chest_radiograph"),
    ]:
        assert [c.id for c in graph.lookup(text)] == ([concept] if concept else [])


def test_paths_are_simple_short_and_limited() -> None:
    graph = core_graph()
    found = graph.paths("cardiothoracic_ratio", "heart_failure", max_hops=3, limit=4)
    assert 1 <= len(found) <= 4
    assert [len(p) for p in found] == sorted(len(p) for p in found)
    for path in found:
        ends = [{e.subject, e.object} for e in path]
        assert "cardiothoracic_ratio" in ends[0]
        assert "heart_failure" in ends[-1]
        assert all(a & b for a, b in pairwise(ends))
    assert graph.paths("cardiothoracic_ratio", "heart_failure", max_hops=1) == []


def test_a_subgraph_is_a_bounded_networkx_graph() -> None:
    import networkx

    part = core_graph().subgraph(["heart"], hops=2, max_edges=25)
    assert isinstance(part, networkx.MultiDiGraph)
    assert part.number_of_edges() == 25
    assert "heart" in part
    whole = core_graph().view
    assert (whole.number_of_nodes(), whole.number_of_edges()) == (len(core_graph()), len(core_graph().edges))


def test_unknown_concepts_and_bad_limits_are_refused() -> None:
    graph = core_graph()
    with pytest.raises(InputError, match="no concept 'nonsense'"):
        graph.neighbors("nonsense")
    with pytest.raises(InputError, match="max_hops"):
        graph.paths("heart", "lung", max_hops=99)
    with pytest.raises(InputError, match="Direction"):
        graph.neighbors("heart", direction="sideways")  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("part_of, b", "part_of, c"), r"g.yaml: edge 1 .*no concept c"),
        (GOOD.replace("part_of", "sits_on"), "unknown relation sits_on"),
        (GOOD.replace("b, d]", "b, x]"), "unknown source x"),
        (GOOD.replace("[a, part_of, b, d]", "[a, part_of]"), "an edge is"),
        (GOOD.replace("id: b", "id: a"), "concept a is given twice"),
        (GOOD.replace("id: b", "id: B b"), r"anatomy 2 B b: id"),
        (GOOD + "- [a, part_of, b, d]\n", "edge 2 a.part_of.b is given twice"),
        ("edges: [", r"g.yaml, line \d"),
        ("other: 1", "keys sources"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read([("g.yaml", text)])


def test_lists_of_ends_stand_for_one_edge_each() -> None:
    text = GOOD.replace("- {id: b, name: bb, text: t}", "- {id: b, name: bb, text: t}\n  - {id: c, name: cc, text: t}")
    _, edges = read([("g.yaml", text.replace("[a, part_of, b, d]", "[[a, b], part_of, [c], d]"))])
    assert [e.id for e in edges] == ["a.part_of.c", "b.part_of.c"]
    with pytest.raises(InputError, match=r"edge 1 a\.part_of\.b is given twice"):
        read([("g.yaml", GOOD.replace("[a, part_of, b, d]", "[[a, a], part_of, b, d]"))])


def test_a_users_folder_is_read_like_the_core(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No graph files"):
        folder_files(tmp_path)
    (tmp_path / "own.yaml").write_text(GOOD)
    graph = Graph(*read(folder_files(tmp_path)))
    assert graph.neighbors("a", "part_of")[0].text == "Aa is part of bb."


def test_lint_finds_planted_faults() -> None:
    lone = Concept(id="lone_thing", name="lone thing", kind="finding", text="Nothing.")
    twin = Concept(id="twin", name="twin", kind="anatomy", synonyms=("heart",), text="Nothing.")
    graph = Graph([*core_graph(), lone, twin], core_graph().edges)
    checks = {(p.check, p.where) for p in lint(graph)}
    assert {
        ("orphan", "lone_thing"),
        ("anatomy", "lone_thing"),
        ("judgeable", "lone_thing"),
        ("synonym", "heart"),
    } <= checks


def test_lint_finds_a_contradiction() -> None:
    graph = core_graph()
    edge = next(e for e in graph.edges if e.id == "pa_view.excludes.ap_view")
    bad = edge.model_copy(update={"subject": "rib_fracture", "object": "fracture"})
    assert any(p.check == "contradiction" for p in lint(Graph(graph, [*graph.edges, bad])))


@pytest.mark.parametrize(
    ("edge", "check", "where"),
    [
        (("pneumothorax", "assessed_by", "heart_width", {"value": 3}), "threshold", "without unit, direction"),
        (("pneumothorax", "assessed_by", "heart_width", {"value": "3"}), "threshold", "no number"),
        (("thorax", "part_of", "lung", {}), "cycle", "part of itself"),
        (("rib_fracture", "mimics", "fracture", {}), "contradiction", "without a note"),
    ],
)
def test_lint_finds_a_planted_edge(edge: tuple[str, str, str, dict[str, object]], check: str, where: str) -> None:
    graph = core_graph()
    subject, relation, obj, qualifiers = edge
    text = sentence(graph.concept(subject), relation, graph.concept(obj))
    bad = Edge(subject=subject, relation=relation, object=obj, text=text, source="s", qualifiers=qualifiers)
    assert any(p.check == check and where in p.text for p in lint(Graph(graph, [*graph.edges, bad])))


ROOTS = frozenset(
    {
        "abdomen", "blood_vessel", "breast", "carpal_tunnel", "eye", "marked_region", "neck", "optic_nerve",
        "peripheral_nerve", "platelet", "red_blood_cell", "shoulder", "skull", "subcutaneous_tissue", "thorax",
        "white_blood_cell",
    }
)  # fmt: skip


def test_every_structure_belongs_to_a_larger_one_up_to_a_part_of_the_body() -> None:
    graph = core_graph()
    for concept in graph:
        reached = [concept.id]
        for here in reached:
            up = (e.object for e in graph.neighbors(here) if e.relation in ("part_of", "located_in", "is_a"))
            reached += [one for one in dict.fromkeys(up) if one not in reached]
        assert concept.kind != "anatomy" or ROOTS & set(reached), concept.id


@pytest.mark.data
def test_every_radlex_id_has_the_label_of_its_concept(data_dir: Path) -> None:
    path = data_dir / "kg" / "radlex" / "terms.tsv.gz"
    if not path.exists():
        pytest.skip("the RadLex extract is not there")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        labels = dict(line.rstrip("\n").split("\t")[:2] for line in file)
    for concept in core_graph():
        if concept.radlex:
            names = {fold(n.replace(" the ", " ")) for n in concept.surfaces()}
            assert fold(labels[concept.radlex]) in names, f"{concept.id}: {concept.radlex} is {labels[concept.radlex]}"


def test_every_radlex_id_stands_for_one_concept() -> None:
    ids = [c.radlex for c in core_graph() if c.radlex]
    assert len(ids) == len(set(ids)) >= 190
