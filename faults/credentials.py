"""`make proof-credentials`: a breach while the service dies at every step, judged to the last account and secret."""

import argparse
import asyncio
import contextlib
import io
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from typer.main import get_command

from chassis.health import serve
from faults import canary
from faults.bound import TookTooLong, bounded
from faults.canary import Search, Traces
from faults.kills import Aim
from faults.saga import IMPATIENT, POINTS, REPORTED_SECONDS, STEP_SETTINGS, died_at_each
from faults.size import Size
from faults.world import World, around
from patchline.demo import afternoon, afternoon_judgement, afternoon_report, psa
from patchline.demo.afternoon import Afternoon, Scene
from patchline.demo.check import Check
from patchline.demo.display import Display, display
from patchline.demo.evidence import evidence
from patchline.demo.tracker import Issue
from patchline.demo.typed import CommandFailed, typed
from patchline.local import PartUnavailable, mail, place, ports
from patchline.local.parts import PartSettings
from patchline.main import app
from patchline.stack.stack import Stack, StackSettings
from simulators import entra_login, okta
from simulators.breach import PLANTED, Fate, breach
from simulators.fleet import CLIENTS
from simulators.script import NOW

FILE: Final = Path("build/reports/credentials.json")
MINUTES: Final = 12.0
STOPPING_SECONDS: Final = 45.0
SETTINGS: Final = {**STEP_SETTINGS, "PATCHLINE_TRACKER_TIMEOUT_SECONDS": "2"}

WHOLE: Final = "whole"
_OK, _NO, _UNREACHABLE = 0, 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of it."""

    after: Afternoon
    checks: Sequence[Check]
    killed: int
    missed: Sequence[str]
    search: Search
    chains: Mapping[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """Return what the report states."""
        cases = self.after.cases
        return {
            "cases": len(cases),
            "resets": sum(each.what == "password" for each in self.after.deeds),
            "refused": sum(each["decision"] == "refuse" for each in cases),
            "awaiting_approval": sum(each["decision"] == "ask" for each in cases),
            "kills": self.killed,
            "doubled": sum(each.doubled for each in self.checks),
            "protected_reset": self._check("accounts that no machine may touch").wrong,
            "canary_found": self.search.found.total(),
            "lost": sum(each.lost for each in self.checks),
            "wrong": sum(each.wrong for each in self.checks),
        }

    @property
    def blind(self) -> list[str]:
        """Return where the search did not even find the word that is there: nothing follows from silence."""
        unseen = [place for place in PLACES if not self.search.control[place]]
        return unseen + [place for place in WITHOUT_LOGINS if not self.search.looked[place]]

    @property
    def is_good(self) -> bool:
        """Return whether all went as it must, and everything was tried."""
        harm = ("doubled", "lost", "wrong", "protected_reset", "canary_found")
        broken = [each for each in self.chains.values() if each != WHOLE]
        return not (any(self.counts[name] for name in harm) or self.missed or self.blind or broken)

    def _check(self, begins: str) -> Check:
        return next(each for each in self.checks if each.name.startswith(begins))


PLACES: Final = ("topics", "sealed bodies, opened", "tables", "stored bytes", "tickets", "mails")
"""Where a login that was exposed must be found, if the search can find anything."""

WITHOUT_LOGINS: Final = ("logs", "traces")
"""Nobody is named there: that there was something to look into is all that can be asked."""


async def proven(home: Path, shown: Display, seed: int) -> Proof:
    """Start a product, let feeds find sixty credentials while the service dies at each point, and judge.

    Raises:
        PartUnavailable: something cannot run here; the message says what to do.
    """
    async with _collected() as (traces, collector):
        stack = Stack(_settings(home, collector))
        try:
            await asyncio.to_thread(stack.start, shown.say)
            async with around(stack, display=shown, seed=seed, size=Size.QUICK) as world:
                return await _played(world, shown, seed, traces)
        finally:
            await asyncio.to_thread(stack.stop, shown.say)


async def _played(world: World, shown: Display, seed: int, traces: Traces) -> Proof:
    settings, command = world.stage.settings, get_command(app)
    for client in CLIENTS:
        names = ("--zone", client.zone, "--owner-contact", client.contact, "--psa-company", client.name)
        await asyncio.to_thread(typed, command, "client", "add", client.name, *names)
    the_breach, aims = breach(seed=seed), list[Aim]()

    async def die() -> None:
        shown.step(f"Kill the service at {len(POINTS)} labelled points, one after the other")
        aims.extend(await died_at_each(world))
        shown.step("Let people decide, and wait until every case stands still")

    shown.step(f"A breach: {len(the_breach.exposures)} exposed credentials, and a forged flood")
    scene = Scene(Afternoon(breach=the_breach), settings, command, world.stage.clock, more_policy=IMPATIENT)
    after = await afternoon.play(scene, seconds=REPORTED_SECONDS, meanwhile=die)
    issues = await psa.issues(settings)
    shown.step("Look for the planted secrets everywhere")
    return Proof(
        after=after,
        checks=afternoon_judgement.judged(after, issues),
        killed=sum(each.is_hit for each in aims),
        missed=[each.point for each in aims if not each.is_hit],
        search=await _searched(world, after, issues, traces),
        chains=await asyncio.to_thread(_chains, scene),
    )


async def _searched(world: World, after: Afternoon, issues: Sequence[Issue], traces: Traces) -> Search:
    settings, home = world.stage.settings, world.stack.home
    search = Search([PLANTED, entra_login.CLIENT_SECRET, okta.TOKEN], word=after.breach.of(Fate.RESET)[0])
    await canary.in_topics(search, settings["PATCHLINE_KAFKA"], evidence(settings))
    await canary.in_tables(search, settings["PATCHLINE_ADMIN_URL"])
    await canary.in_files(search, home)
    mails = [each.as_string() for each in mail.kept(home / "mail")] + list(after.notices.values())
    tickets = [note for each in issues for note in (each.title, *each.notes)]
    canary.in_texts(search, {"tickets": tickets, "mails": mails})
    for body in traces.bodies:
        search.look("traces", body)
    return search


def _chains(scene: Scene) -> dict[str, str]:
    """Return by client whether the chain of its audit is whole, exported and checked without the product."""
    found = {}
    for client in CLIENTS:
        file = scene.folder / f"{client.prefix}.audit.jsonl"
        words = ["audit", "export", "--tenant", client.name, "--to", str(file)]
        with contextlib.redirect_stderr(io.StringIO()):
            scene.patchline.main(words, prog_name="patchline", standalone_mode=False)
        try:
            typed(scene.patchline, "audit", "verify", str(file))
        except CommandFailed as error:
            found[client.name] = str(error)
        else:
            found[client.name] = WHOLE
    return found


@contextlib.asynccontextmanager
async def _collected() -> AsyncIterator[tuple[Traces, str]]:
    """Take what the services tell of their traces, for as long as the block lasts."""
    traces, port, stopping = Traces(), ports.claimed(0, setting="OTEL_EXPORTER_OTLP_ENDPOINT"), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(traces, host=ports.LOOPBACK, port=port, stopping=stopping))
        try:
            yield traces, f"http://{ports.LOOPBACK}:{port}"
        finally:
            stopping.set()


def _settings(home: Path, collector: str) -> StackSettings:
    cache = place.cache(os.environ)
    parts = PartSettings(home=home, cache=cache, kafka_port=0, postgres_port=0, psa_port=0, mail_port=0)
    return StackSettings(
        parts=parts,
        gateway_port=0,
        health_port=0,
        simulator_port=0,
        clock_offset_seconds=NOW.timestamp() - time.time(),
        extra={**SETTINGS, "OTEL_EXPORTER_OTLP_ENDPOINT": collector},
    )


def written(proof: Proof, seconds: float) -> dict[str, Any]:
    """Return the report for machines."""
    return {
        **proof.counts,
        "seconds": round(seconds, 1),
        "points_missed": list(proof.missed),
        "audit_chains": dict(proof.chains),
        "searched": dict(proof.search.looked),
        "canary_found_in": {place: count for place, count in proof.search.found.items() if count},
        "not_seen": proof.blind,
    }


def main() -> int:
    """Prove it; return 1 if anything is not as it must be."""
    wanted = _parser().parse_args()
    console = Console(file=sys.stdout) if sys.stdout.isatty() else Console(file=sys.stdout, width=120)
    wanted.json.unlink(missing_ok=True)
    started = time.monotonic()
    try:
        with display(console) as shown, place.throwaway_home() as home, bounded(wanted.minutes * 60 - STOPPING_SECONDS):
            proof = asyncio.run(proven(home, shown, wanted.seed))
    except TookTooLong:
        sys.stderr.write("proof-credentials: stopped before the end: it took too long, or was asked to stop\n")
        return _NO
    except PartUnavailable as error:
        sys.stderr.write(f"proof-credentials: {error}\n")
        return _UNREACHABLE
    report = written(proof, time.monotonic() - started)
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    wanted.json.write_text(json.dumps(report, indent=2) + "\n")
    _show(console, proof, report)
    console.print(f"The same for machines: {wanted.json}", highlight=False)
    return _OK if proof.is_good else _NO


def _show(console: Console, proof: Proof, report: Mapping[str, Any]) -> None:
    afternoon_report.show(console, proof.after)
    for check in proof.checks:
        for example in check.examples if not check.is_good else ():
            console.print(f"  {check.name}: {example}", markup=False, highlight=False, style="red")
    told = ", ".join(f"{name} {value}" for name, value in report.items())
    console.print(told, markup=False, highlight=False, style="bold green" if proof.is_good else "bold red")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faults.credentials",
        description=f"{__doc__} Talks to 127.0.0.1 only, and leaves nothing running. Exit codes: 0 proven, 1 not, 3 a "
        "part cannot run here.",
        epilog="Example: python -m faults.credentials --seed 2",
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="stop after so long (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed chooses the same breach")
    parser.add_argument("--json", type=Path, default=FILE, metavar="FILE", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    os.environ.pop("PATCHLINE_DIE_AT", None)
    sys.exit(main())
