"""Second and third processes of a service that come and go every few seconds: of this release, and of the one before.

Each comes into the same consumer groups, works on the same schema, and leaves in order or as by `kill -9`.
"""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.recovery import work_at
from faults.report import Injured
from faults.rows import row_of
from faults.world import World
from patchline.local import ports
from patchline.local.child import Child, Command
from patchline.stack import programs
from patchline.stack.programs import PROGRAMS, Program

OLDER: Final = "f9155bc7c154cf085a24616e457cafc553605fe9"
"""The last commit before raw bodies were sealed and lanes were parted: what ran when this release was deployed."""

CHECKOUT: Final = Path(__file__).resolve().parents[1]
CONSUMING: Final = ("gateway-translate", "inventory", "compliance", "ticketing", "credentials")
OLDER_CONSUMING: Final = ("inventory", "compliance")
"""Of the older release, what never reads a raw body: it could not open a sealed one, and is upgraded first."""

FULL_ROUNDS: Final = 3
ROUNDS: Final = 1
WORKS_SECONDS: Final = 2.0
LONGEST_STAY_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 0.25
BETWEEN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What one companion did: whether it handled records, and whether it lived until it was told to go."""

    has_worked: bool
    has_lived: bool


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
    rounds = [(name, Release(None)) for name in CONSUMING * _times(world)]
    return [await _row(world, desk, world.size.marked("a second and a third consumer come and go"), rounds)]


def _times(world: World) -> int:
    return world.size.of(quick=ROUNDS, ordinary=ROUNDS, full=FULL_ROUNDS)


async def versions(world: World) -> Sequence[Injured]:
    """Let processes of the release before work beside those of this one, and judge."""
    release = await older(world)
    desk = await world.desk_at_work()
    rounds = [(name, release) for name in OLDER_CONSUMING * _times(world)]
    return [await _row(world, desk, world.size.marked("the release before beside this one"), rounds)]


async def older(world: World) -> Release:
    """Return the release before, its code unpacked into the world's folder."""
    folder = world.stack.home / "older"
    if not folder.exists():
        await asyncio.to_thread(_unpacked, folder)
    return Release(folder)


def no_history() -> str:
    """Return why the release before cannot be run here; empty: it can."""
    if shutil.which("git") is None or shutil.which("tar") is None:
        return "there is no git or no tar here"
    found = _git("cat-file", "-e", f"{OLDER}^{{commit}}")
    return "" if found.returncode == 0 else "the release before is not in this checkout's history"


async def _row(world: World, desk: Desk, fault: str, rounds: Sequence[tuple[str, Release]]) -> Injured:
    seconds = len(rounds) * (WORKS_SECONDS + BETWEEN_SECONDS)
    async with load(world, desk, seconds):
        lanes = [_come_and_go(world, rounds[number::2], number + 2) for number in range(2)]
        stays = [stay for lane in await asyncio.gather(*lanes) for stay in lane]
        recovered = await until_all_work(world)
    injected, dead = sum(stay.has_worked for stay in stays), sum(not stay.has_lived for stay in stays)
    return await row_of(world, fault, injected=injected, recovered=recovered, wrong=dead)


async def _come_and_go(world: World, rounds: Sequence[tuple[str, Release]], number: int) -> list[Stay]:
    """Let one companion after the other come, work, and go; return what each did."""
    stays = []
    for times, (name, release) in enumerate(rounds):
        child, has_worked = await come(world, name, release, number=number)
        await asyncio.sleep(WORKS_SECONDS if has_worked else 0)
        stays.append(Stay(has_worked=has_worked, has_lived=child.is_running))
        end = f"ended by itself with code {child.exit_code}" if not child.is_running else "goes"
        world.say(f"{child.name} {'worked' if has_worked else 'got nothing to do'}, {end}")
        await asyncio.to_thread(child.kill if times % 2 else child.stop)
        await asyncio.sleep(BETWEEN_SECONDS)
    return stays


async def come(world: World, name: str, release: Release, *, number: int) -> tuple[Child, bool]:
    """Start one companion of a service, as the `number`th; return it when it has worked, or got nothing for long."""
    program = next(each for each in PROGRAMS if each.name == name)
    port = ports.claimed(0, setting="")
    child = _companion(world, program, release, number=number, port=port)
    await asyncio.to_thread(child.start)
    return child, await _has_worked(child, program, port)


async def _has_worked(child: Child, program: Program, port: int) -> bool:
    """Wait until a companion has handled records; return whether it has before its time was over."""
    deadline = time.monotonic() + LONGEST_STAY_SECONDS
    async with httpx.AsyncClient(trust_env=False, timeout=1) as client:
        while child.is_running and time.monotonic() < deadline:
            if await work_at(client, f"http://{ports.LOOPBACK}:{port}", program):
                return True
            await asyncio.sleep(LOOK_SECONDS)
    return False


def _companion(world: World, program: Program, release: Release, *, number: int, port: int) -> Child:
    name = program.name
    return Child(
        Command(
            name=f"{name} {number}",
            argv=programs.arguments(program),
            log_path=world.stack.home / "logs" / f"{name}-{number}.log",
            env=_environment(world, program, number=number, port=port),
            cwd=release.cwd,
        )
    )


def _environment(world: World, program: Program, *, number: int, port: int) -> Mapping[str, str]:
    own = programs.environment(program, world.stack.around)
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
