"""`python -m bench`: every stage beside its floor, in one run, on the real parts; writes `build/reports/bench.json`."""

import argparse
import asyncio
import os
import sys
import time

from rich.console import Console

from bench.lanes import FULL, REDUCED, Size, lanes_stage
from bench.measured import Place, made_ready, parts_in, writer_dsn
from bench.report import FILE, Figure, at_least, at_most, show, write
from bench.state import state_stage
from bench.thread import thread_stage
from patchline.local import PartUnavailable, place
from patchline.local.parts import LocalParts, started
from patchline.local.psa import Psa
from patchline.stack.stack import StackSettings
from patchline.stack.stack import started as started_stack

console = Console()


def main() -> int:
    """Run the stages and return 1 if one misses its reach."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, epilog="Example: python -m bench --rounds 3")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of stage and floor")
    parser.add_argument("--only", choices=("accept", "state", "thread", "lanes"), help="one stage alone")
    parser.add_argument("--full", action="store_true", help="lanes: a resync of 100,000 events instead of 10,000")
    chosen = parser.parse_args()
    try:
        figures = _run(chosen.rounds, chosen.only, FULL if chosen.full else REDUCED)
    except PartUnavailable as error:
        sys.stderr.write(f"bench: {error}\n")
        return 3
    write(figures)
    show(figures, console)
    console.print(f"written to {FILE}")
    return 0 if all(each.ok is not False for each in figures) else 1


def _run(rounds: int, only: str | None, size: Size) -> list[Figure]:
    figures: list[Figure] = []
    if only in {None, "accept", "state"}:
        with place.throwaway_home() as home, started(parts_in(home, psa=None), _say) as parts:
            figures += asyncio.run(_stages(parts, rounds, only))
    if only in {None, "thread"}:
        with place.throwaway_home() as home:
            figures += _thread(home)
    if only in {None, "lanes"}:
        with place.throwaway_home() as home:
            figures += _lanes(home, size)
    return figures


async def _stages(parts: LocalParts, rounds: int, only: str | None) -> list[Figure]:
    await made_ready(parts)
    figures: list[Figure] = []
    if only != "state":
        _say("stage: accept (bare ASGI app on the same server is the floor)")
        from bench.accept import accept_stage  # noqa: PLC0415 - needs a load generator that other stages do not

        writer = writer_dsn(parts, "gateway")
        measured = await accept_stage(kafka=parts.kafka_url, writer_dsn=writer, rounds=rounds)
        figures.append(at_least("accept: signed webhook to 202, acks=all, one process", measured, 0.25))
    if only != "accept":
        _say("stage: state (bare unnest upsert of the same batches is the floor)")
        figures += await _state(parts, rounds)
    return figures


async def _state(parts: LocalParts, rounds: int) -> list[Figure]:
    where = Place(kafka=parts.kafka_url, admin_dsn=parts.database_url, writer_dsn=writer_dsn(parts, "inventory"))
    measured = await state_stage(where, rounds=rounds)
    changing, sustained = measured["changing"], measured["sustained"]
    if not isinstance(changing, dict) or not isinstance(sustained, dict):
        raise TypeError("state_stage returns two inner tables")
    growth = sustained["resident_mib_late"] - sustained["resident_mib_early"]
    return [
        at_least("state: Kafka to PostgreSQL, ordinary day", measured, 0.15),
        at_least("state: every event changes its asset", {"unit": "events/s", **changing}, 0.15),
        at_most("state: resident memory after 200,000 events", sustained["resident_mib_late"], "MiB", 200),
        at_most("state: growth from 20,000 to 200,000 events", growth, "MiB", 20),
    ]


def _thread(home: "os.PathLike[str]") -> list[Figure]:
    _say("stage: thread (webhook to ticket, 50 events/s, 5 tickets/s)")
    with started_stack(_stack_settings(home), _say) as stack:
        return asyncio.run(thread_stage(stack))


def _lanes(home: "os.PathLike[str]", size: Size) -> list[Figure]:
    _say(f"stage: lanes (live failure to ticket, alone and beside a resync of {size.events:,} events)")
    with started_stack(_stack_settings(home), _say) as stack:
        return asyncio.run(lanes_stage(stack, size))


def _stack_settings(home: "os.PathLike[str]") -> StackSettings:
    return StackSettings(parts=parts_in(home, psa=Psa.ROUNDUP), gateway_port=0, health_port=0, simulator_port=0)


def _say(line: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {line}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
