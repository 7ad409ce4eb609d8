"""Who supersedes whom: all the way up, where lines part, and never in a circle."""

import csv
import io
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.catalog.graph import Supersedence, SupersedesItself
from tests.compliance.catalog.files import needs_public_data, public


def test_everything_above_a_patch_satisfies_it_and_nothing_below_or_beside() -> None:
    graph = Supersedence([("b", "a"), ("c", "b"), ("x", "a"), ("d", "c")])

    assert graph.satisfied_by("a") == {"a", "b", "c", "d", "x"}
    assert graph.satisfied_by("c") == {"c", "d"}
    assert graph.satisfied_by("x") == {"x"}
    assert graph.satisfied_by("unheard of") == {"unheard of"}
    assert graph.successors("a") == {"b", "x"}
    assert graph.predecessors("c") == {"b"}
    assert graph.depth == 4


def test_a_chain_of_any_length_is_no_recursion() -> None:
    graph = Supersedence((str(number + 1), str(number)) for number in range(3000))

    assert len(graph.satisfied_by("0")) == 3001
    assert graph.depth == 3001


CIRCLES = {
    "by itself": ([("a", "a")], "a ← a"),
    "of three, with lines in and out": (
        [("b", "a"), ("c", "b"), ("a", "c"), ("z", "a"), ("a", "y")],
        "a ← b ← c ← a",
    ),
    "behind a long line": ([("b", "a"), ("c", "b"), ("d", "c"), ("c", "d")], "c ← d ← c"),
}


@pytest.mark.parametrize(("edges", "told"), CIRCLES.values(), ids=CIRCLES.keys())
def test_a_circle_is_refused_by_its_names(edges: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(SupersedesItself, match=f"supersedes itself: {told}$"):
        Supersedence(edges)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60), st.randoms())
def test_the_order_of_edges_does_not_matter_and_above_is_what_can_be_reached(
    pairs: list[tuple[int, int]], random: Random
) -> None:
    edges = [(f"{max(pair):02}", f"{min(pair):02}") for pair in pairs if pair[0] != pair[1]]
    mixed = list(edges)
    random.shuffle(mixed)

    graph, other = Supersedence(edges), Supersedence(mixed)

    assert graph.superseders == other.superseders
    for patch in graph.superseders:
        reached = {patch}
        while more := {newer for newer, older in edges if older in reached} - reached:
            reached |= more
        assert graph.satisfied_by(patch) == reached


@needs_public_data
def test_the_real_graph_of_windows_answers_in_microseconds() -> None:
    rows = csv.DictReader(io.StringIO(public("wesng/kb_supersedence_edges.csv").text))
    edges = [(row["kb"], row["supersedes_kb"]) for row in rows]

    graph = Supersedence(edges)
    started = time.perf_counter()
    sizes = [len(graph.satisfied_by(patch)) for patch in graph.superseders]
    each_seconds = (time.perf_counter() - started) / len(sizes)

    assert (len(sizes), graph.depth) == (6286, 90)
    assert sum(1 for patch in graph.superseders if len(graph.successors(patch)) > 1) == 514
    assert each_seconds < 0.001
