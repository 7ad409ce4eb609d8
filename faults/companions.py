"""Second and third processes of a service that come and go every few seconds: of this release, and of the one before.

Each comes into the same consumer groups, works on the same schema, and leaves in order or as by `kill -9`.
"""

import asyncio
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.world import World
from patchline.local import ports
from patchline.local.child import Child, Command
from patchline.stack import programs
from patchline.stack.programs import PROGRAMS, Program

OLDER: Final = "f9155bc7c154cf085a24616e457cafc553605fe9"
"""The last commit before raw bodies were sealed and lanes were parted: what ran when this release was deployed."""

CHECKOUT: Final = Path(__file__).resolve().parents[1]
CONSUMING: Final = ("gateway-translate", "inventory", "compliance", "ticketing")
OLDER_CONSUMING: Final = ("inventory", "compliance")
"""Of the older release, what never reads a raw body: it could not open a sealed one, and is upgraded first."""

ROUNDS: Final = 8
QUICK_ROUNDS: Final = 3
STAYS_SECONDS: Final = 4.0
BETWEEN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Release:
    """Where the code of a companion is; `None`: here."""

    folder: Path | None

    @property
    def cwd(self) -> Path:
        """Return the folder in which its modules are found first."""
        return self.folder or CHECKOUT


async def rebalances(world: World) -> Sequence[Injured]:
    """Let second and third consumers come and go, and judge."""
    desk = await world.desk_at_work()
    rounds = [(name, Release(None)) for name in CONSUMING * (QUICK_ROUNDS if world.is_quick else ROUNDS)]
    return [await _row(world, desk, "a second and a third consumer come and go", rounds)]


async def versions(world: World) -> Sequence[Injured]:
    """Let processes of the release before work beside those of this one, and judge."""
    folder = world.stack.home / "older"
    await asyncio.to_thread(_unpacked, folder)
    desk = await world.desk_at_work()
    rounds = [(name, Release(folder)) for name in OLDER_CONSUMING * (QUICK_ROUNDS if world.is_quick else ROUNDS)]
    return [await _row(world, desk, "the release before beside this one", rounds)]


def no_history() -> str:
    """Return why the release before cannot be run here; empty: it can."""
    if shutil.which("git") is None or shutil.which("tar") is None:
        return "there is no git or no tar here"
    found = _git("cat-file", "-e", f"{OLDER}^{{commit}}")
    return "" if found.returncode == 0 else "the release before is not in this checkout's history"


async def _row(world: World, desk: Desk, fault: str, rounds: Sequence[tuple[str, Release]]) -> Injured:
    seconds = len(rounds) * (STAYS_SECONDS + BETWEEN_SECONDS) / 2
    async with load(world, desk, seconds):
        lanes = [_come_and_go(world, rounds[number::2], number + 2) for number in range(2)]
        ends = [end for lane in await asyncio.gather(*lanes) for end in lane]
        recovered = await until_all_work(world)
    judgement = await world.judged()
    return Injured(
        fault=fault,
        injected=len(ends),
        recovered_s=round(recovered, 1),
        lost=judgement.lost,
        doubled=judgement.doubled,
        wrong=judgement.wrong + sum(not end for end in ends),
    )


async def _come_and_go(world: World, rounds: Sequence[tuple[str, Release]], number: int) -> list[bool]:
    """Let one companion after the other come and go; return of each whether it lived as long as it was let."""
    lived = []
    for times, (name, release) in enumerate(rounds):
        child = _companion(world, name, release, number)
        await asyncio.to_thread(child.start)
        await asyncio.sleep(STAYS_SECONDS)
        lived.append(child.is_running)
        if not child.is_running:
            world.say(f"{child.name} ended by itself with code {child.exit_code}")
        await asyncio.to_thread(child.kill if times % 2 else child.stop)
        await asyncio.sleep(BETWEEN_SECONDS)
    return lived


def _companion(world: World, name: str, release: Release, number: int) -> Child:
    program = next(each for each in PROGRAMS if each.name == name)
    return Child(
        Command(
            name=f"{name} {number}",
            argv=programs.arguments(program),
            log_path=world.stack.home / "logs" / f"{name}-{number}.log",
            env=_environment(world, program, number),
            cwd=release.cwd,
        )
    )


def _environment(world: World, program: Program, number: int) -> Mapping[str, str]:
    own = programs.environment(program, world.stack.around)
    port = ports.claimed(0, setting="")
    return own | {"PATCHLINE_HEALTH_PORT": str(port), "PATCHLINE_GROUP_INSTANCE": f"{program.name}-{number}"}


def _unpacked(folder: Path) -> None:
    folder.mkdir()
    packed = _git("archive", OLDER)
    packed.check_returncode()
    tar = shutil.which("tar") or "tar"
    subprocess.run([tar, "-x"], cwd=folder, input=packed.stdout, check=True, timeout=60)  # noqa: S603 - our own archive


def _git(*words: str) -> "subprocess.CompletedProcess[bytes]":
    git = shutil.which("git") or "git"
    return subprocess.run([git, *words], cwd=CHECKOUT, capture_output=True, check=False, timeout=60)  # noqa: S603 - ours
