"""What satisfies a KB: look-ups in the graph of who supersedes whom, beside a bare look into a dictionary."""

import csv
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.obligations.report import Figure
from services.compliance.catalog.graph import Supersedence

EDGES: Final = "kb_supersedence_edges.csv"
GATHERED: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "wesng"
"""Where a checkout has the public KB lists beside it; `PATCHLINE_KB_FACTS` names another folder."""

MOST_MILLISECONDS: Final = 1.0
LOOKUPS: Final = 20_000
ROUNDS: Final = 5


def lookups() -> list[Figure]:
    """Return what a look-up costs, and what working out the whole graph costs once for each catalog version."""
    file = Path(os.environ.get("PATCHLINE_KB_FACTS", GATHERED)) / EDGES
    edges = list(_real(file)) if file.exists() else list(made_up())
    whose = "Windows' own" if file.exists() else "a made-up"
    began_at = time.perf_counter()
    graph = Supersedence(edges)
    took = time.perf_counter() - began_at
    names = sorted({name for edge in edges for name in edge})
    parted = sum(len(graph.successors(name)) > 1 for name in names)
    asked = random.Random(0).choices(names, k=LOOKUPS)
    bare = {name: frozenset({name}) for name in names}
    ours = [_milliseconds(graph.satisfied_by, asked) for _ in range(ROUNDS)]
    floor = [_milliseconds(bare.__getitem__, asked) for _ in range(ROUNDS)]
    value = statistics.median(ours)
    about = f"{len(names):,} KBs, depth {graph.depth}, {parted} with several successors"
    return [
        Figure(
            figure=f"what satisfies a KB, in {whose} graph ({about})",
            value=round(value, 6),
            unit="ms",
            floor=round(statistics.median(floor), 6),
            ratio=round(value / statistics.median(floor), 1),
            reach=f"< {MOST_MILLISECONDS:g} ms",
            ok=value < MOST_MILLISECONDS,
        ),
        Figure(figure="working out that graph, once for each version", value=round(took * 1000, 1), unit="ms"),
    ]


def _milliseconds(look_up: Callable[[str], object], asked: Sequence[str]) -> float:
    began_at = time.perf_counter()
    for each in asked:
        look_up(each)
    return (time.perf_counter() - began_at) / len(asked) * 1000


def _real(file: Path) -> Iterator[tuple[str, str]]:
    with file.open() as opened:
        for row in csv.DictReader(opened):
            yield row["kb"], row["supersedes_kb"]


def made_up() -> Iterator[tuple[str, str]]:
    """Yield a graph of the shape of the real one: 97 lines, the longest of 90, and 514 KBs whose lines part."""
    rng, parted = random.Random(90), 0
    lines = [90] + [rng.randint(40, 89) for _ in range(96)]
    for line, length in enumerate(lines):
        for place in range(1, length):
            older = f"{line:03}{place - 1:03}"
            yield f"{line:03}{place:03}", older
            if parted < 514 and place % 7 == 0:
                parted += 1
                yield f"9{line:03}{place:03}", older
