"""Every store gives the same answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graph_stores import KINDS, Fill, build
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from secondread.kg.graph import core_graph
from secondread.kg.store.interface import HUB, GraphStore
from secondread.kg.store.memory import MemoryStore, core_store
from secondread.kg.store.records import Name
from secondread.kg.store.rowstore import RowStore
from secondread.schema.errors import InputError

FULL = ("csr", "sqlite", "memory")
"""Stores that keep names and texts; a networkx graph carries names of nodes and edges only."""


GERMAN = Name(text="Grosses Herz", language="GER")


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, Fill], RowStore]:
    return lambda kind, fill: build(kind, fill, tmp_path)


def heart(sink: Any) -> None:
    """A few concepts of the heart."""
    sink.source("S", srl=0, licence="open")
    sink.source("T", srl=3)
    sink.put(
        "X:1", kind="finding", name="Enlarged heart", synonyms=["Cardiomegaly", GERMAN],
        definition="A heart wider than usual.", types=["Finding"], source="S", attributes={"shape": "round"},
    )  # fmt: skip
    sink.put("X:2", kind="anatomy", name="Heart", source="S")
    sink.put("X:3", kind="disease", name="Heart failure", synonyms=["Cardiomegaly"], source="T", srl=3)
    sink.join("X:1", "located_in", "X:2", source="S")
    sink.join("X:3", "may_cause", "X:1", source="S", confidence=0.5)
    sink.join("X:3", "may_cause", "X:1", source="T", evidence={"report": "r1", "start": 3})
    sink.join("X:3", "located_in", "X:2", source="T", polarity="uncertain", flags=["inferred"])
    sink.join("X:2", "part_of", "X:9", source="S")
    sink.join("X:2", "part_of", "X:9", source="S")
    sink.join("X:2", "part_of", "X:2", source="S")


@pytest.mark.parametrize("kind", KINDS)
def test_answers(kind: str, make: Any) -> None:
    store = make(kind, heart)
    assert isinstance(store, GraphStore)
    assert [e.id for e in store.neighbors("X:3")] == [
        "X:3|may_cause|X:1#1", "X:3|may_cause|X:1#2", "X:3|located_in|X:2#1",
    ]  # fmt: skip
    both = store.neighbors("X:3", "may_cause")
    assert [(e.source, e.srl, e.evidence) for e in both] == [("S", 0, None), ("T", 3, {"report": "r1", "start": 3})]
    assert both[0].confidence == pytest.approx(0.5, abs=1 / 254)
    assert both[0].text == "Heart failure may cause Enlarged heart."
    doubtful = store.neighbors("X:2", "located_in", "in")[1]
    assert (doubtful.polarity, doubtful.flags) == ("uncertain", ("inferred",))
    assert store.node("X:9").name == "X:9" and store.node("X:9").kind == "unknown"
    assert [e.object for e in store.neighbors("X:2")] == ["X:9"]  # given twice, and a self loop left out
    assert [[e.id for e in p] for p in store.paths("X:1", "X:9", max_hops=2)] == [
        ["X:1|located_in|X:2#1", "X:2|part_of|X:9#1"]
    ]
    assert store.paths("X:1", "X:1") == ()
    assert store.paths("X:1", "X:9", max_hops=2, relations=["part_of"]) == ()
    around = store.subgraph(["X:1"], hops=1)
    assert set(around) == {"X:1", "X:2", "X:3"} and around.number_of_edges() == 3
    assert around.nodes["X:2"]["name"] == "Heart"
    assert around.graph["truncated"] is None
    assert "3 edges" in (store.subgraph(["X:3"], hops=2, max_edges=3).graph["truncated"] or "")
    assert store.stats()["edges"] == 5 and store.stats()["nodes"] == 4
    assert store.stats()["relations"] == {"located_in": 2, "may_cause": 2, "part_of": 1}


@pytest.mark.parametrize("kind", FULL)
def test_names(kind: str, make: Any) -> None:
    store = make(kind, heart)
    assert [n.id for n in store.lookup("enlarged HEART")] == ["X:1"]
    assert [n.id for n in store.lookup("cardiomegaly")] == ["X:1", "X:3"]
    assert [n.id for n in store.lookup("hearts")] == ["X:2"]
    assert (
        store.lookup("'; DROP TABLE nodes; --") == [] == store.lookup("") == store.lookup("MATCH (n) DETACH DELETE n")
    )
    node = store.node("X:1")
    assert (node.definition, node.types, node.attributes, node.source) == (
        "A heart wider than usual.", ("Finding",), {"shape": "round"}, "S",
    )  # fmt: skip
    assert [n.language for n in node.synonyms] == ["", "", "GER"] and node.synonyms[0].preferred
    assert store.node("X:3").srl == 0 or store.node("X:3").synonyms[0].srl == 3
    assert "Enlarged heart (X:1, finding): A heart" in store.describe("X:1")


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_questions_are_refused(kind: str, make: Any) -> None:
    store = make(kind, heart)
    for wrong in (
        lambda: store.node("X:77"), lambda: store.neighbors("nowhere"), lambda: store.neighbors("X:1", limit=0),
        lambda: store.neighbors("X:1", direction="up"), lambda: store.paths("X:1", "X:2", max_hops=9),
        lambda: store.subgraph(["X:1"], hops=9), lambda: store.paths("X:1", "X:2", timeout_s=0),
    ):  # fmt: skip
        with pytest.raises(InputError):
            wrong()
    assert not store.has("X:77")


@pytest.mark.parametrize("kind", KINDS)
def test_a_hub_is_sampled_and_says_so(kind: str, make: Any) -> None:
    def star(sink: Any) -> None:
        sink.source("S")
        for n in range(HUB + 50):
            sink.join("X:0", "r", f"X:{n + 1}", source="S")

    store = make(kind, star)
    few = store.neighbors("X:0", limit=7)
    assert len(few) == 7 and "hub" in (few.truncated or "")
    assert "hub" in store.subgraph(["X:0"], max_edges=100_000).graph["truncated"]


EDGES = st.lists(st.tuples(st.integers(0, 7), st.sampled_from("ab"), st.integers(0, 7)), max_size=24)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(edges=[(0, "a", 3), (0, "a", 4), (1, "a", 2), (2, "a", 3), (4, "a", 2)], ends=(0, 1))
@given(edges=EDGES, ends=st.tuples(st.integers(0, 7), st.integers(0, 7)))
def test_stores_agree_on_any_graph(
    edges: list[tuple[int, str, int]], ends: tuple[int, int], tmp_path_factory: Any
) -> None:
    def fill(sink: Any) -> None:
        sink.source("S")
        for n in range(8):
            sink.put(f"N:{n}", kind="k", name=f"node {n}", source="S")
        for a, relation, b in edges:
            sink.join(f"N:{a}", relation, f"N:{b}", source="S")

    folder = tmp_path_factory.mktemp("stores")
    told = []
    for kind in FULL:
        store = build(kind, fill, folder)
        a, b = (f"N:{n}" for n in ends)
        told.append(
            (
                [e.id for e in store.neighbors(a, direction="both")],
                [[e.id for e in p] for p in store.paths(a, b, max_hops=3, limit=50, timeout_s=20)],
                sorted(store.subgraph([a], hops=2).edges(keys=True)),
            )
        )
        store.close()
    assert told[0] == told[1] == told[2]


def test_paths_are_those_that_networkx_finds() -> None:
    import networkx

    store = MemoryStore()
    store.source("S")
    rng = __import__("random").Random(3)
    for _ in range(60):
        store.join(f"N:{rng.randrange(15)}", "r", f"N:{rng.randrange(15)}", source="S")
    ends = ("N:0", "N:1")
    plain = store.view.to_undirected()
    wanted = {tuple(p) for p in networkx.all_simple_edge_paths(plain, *ends, cutoff=4)}
    found = store.paths(*ends, max_hops=4, limit=10_000, timeout_s=60)
    assert {tuple(e.id for e in p) for p in found} == {tuple(key for _, _, key in p) for p in wanted}
    assert [len(p) for p in found] == sorted(len(p) for p in found)


def test_the_core_graph_keeps_its_qualifiers() -> None:
    graph, store = core_graph(), core_store(core_graph())
    assert store.stats()["edges"] == len({(e.subject, e.relation, e.object, e.source) for e in graph.edges})
    edge = next(e for e in graph.edges if e.qualifiers)
    held = store.neighbors(edge.subject, edge.relation)
    assert any(e.object == edge.object and e.evidence == edge.qualifiers and e.text == edge.text for e in held)
