"""`python -m bench.obligations`: the figures of the obligation engine; writes `build/reports/obligations.json`."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from rich.console import Console

from bench.measured import Place, made_ready, parts_in, writer_dsn
from bench.obligations.agreed import agreed
from bench.obligations.due import due
from bench.obligations.expiry import expiry
from bench.obligations.growth import MACHINES, growth
from bench.obligations.looks import looks
from bench.obligations.lookups import lookups
from bench.obligations.report import FILE, Figure, show, write
from bench.obligations.shortfall import shortfall
from patchline.local import PartUnavailable, place
from patchline.local.parts import LocalParts, started

console = Console()

Stage = Callable[[Place], Awaitable[list[Figure]]]
PURE: Final[Mapping[str, Callable[[], list[Figure]]]] = {"lookups": lookups, "shortfall": shortfall}
STAGES: Final = (*PURE, "due", "looks", "agreed", "expiry", "growth")


def main() -> int:
    """Measure everything and return 1 if a figure misses its reach, 3 if a part cannot run here."""
    parser = argparse.ArgumentParser(
        prog="bench.obligations", description=__doc__, epilog="Example: python -m bench.obligations --machines 10000"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds on the empty and on the full table")
    parser.add_argument("--only", choices=STAGES, help="run this stage alone")
    parser.add_argument("--machines", type=int, default=MACHINES, help="machines with 20 requirements each")
    chosen = parser.parse_args()
    figures = [figure for name, stage in PURE.items() if chosen.only in {None, name} for figure in stage()]
    stages: dict[str, Stage] = {
        "due": due,
        "looks": looks,
        "agreed": agreed,
        "expiry": expiry,
        "growth": lambda where: growth(where, rounds=chosen.rounds, machines=chosen.machines),
    }
    wanted = {name: stage for name, stage in stages.items() if chosen.only in {None, name}}
    try:
        figures += _in_parts(wanted) if wanted else []
    except PartUnavailable as error:
        sys.stderr.write(f"bench.obligations: {error}\n")
        return 3
    write(figures)
    show(figures, console)
    console.print(f"written to {FILE}")
    return 0 if all(each.ok for each in figures) else 1


def _in_parts(stages: Mapping[str, Stage]) -> list[Figure]:
    """Run stages one after the other in one Kafka and one PostgreSQL of their own."""
    with place.throwaway_home() as home, started(parts_in(home, psa=None), _say) as parts:
        return asyncio.run(_measured(parts, stages))


async def _measured(parts: LocalParts, stages: Mapping[str, Stage]) -> list[Figure]:
    await made_ready(parts)
    where = Place(
        kafka=parts.kafka_url,
        admin_dsn=parts.database_url,
        writer_dsn=writer_dsn(parts, "compliance"),
    )
    figures: list[Figure] = []
    for name, stage in stages.items():
        _say(f"stage: {name}")
        figures += await stage(where)
    return figures


def _say(line: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')} {line}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
