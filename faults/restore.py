"""The database restored to an older state under running services, and a topic that is deleted and made anew.

The first mends itself: consumers go back to the older watermarks, what is made again has the ids that it had, and
tickets are found by their keys. The second stops its readers with exit code 2, and the runbook's procedure is typed.
"""

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from typer.main import get_command

from chassis.topic_ids import topic_ids
from contracts.topics import RMM_EVENTS
from faults import ours
from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.rows import row_of
from faults.world import World
from patchline.demo.typed import CommandFailed, typed
from patchline.main import app
from patchline.topics import apply_declared

BEFORE_SECONDS: Final = 8.0
SINCE_SECONDS: Final = 15.0
READERS: Final = ("inventory", "compliance")
FOR_A_PERSON: Final = 2
"""The exit code of a process that a person must help."""

LONGEST_STOP_SECONDS: Final = 60.0
GROUP_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.25


async def injure(world: World) -> Sequence[Injured]:
    """Restore the database, and judge; make a topic anew, follow the runbook, and judge."""
    desk = await world.desk_at_work()
    return [await _restored(world, desk), await _made_anew(world, desk)]


async def _restored(world: World, desk: Desk) -> Injured:
    async with load(world, desk, BEFORE_SECONDS):
        await asyncio.sleep(BEFORE_SECONDS)
    backup = world.stack.home / "backup"
    await asyncio.to_thread(copied, world, backup)
    async with load(world, desk, SINCE_SECONDS):
        await asyncio.sleep(SINCE_SECONDS)
    before = await world.judged()
    marks = await asyncio.to_thread(_places)
    await asyncio.to_thread(put_back, world, backup)
    older = await asyncio.to_thread(_places)
    world.say(f"restored: {sum(marks.values()) - sum(older.values())} records are handled again")
    desk.note_restore()
    async with load(world, desk, BEFORE_SECONDS):
        recovered = await until_all_work(world)
    judgement = await world.judged()
    return Injured(
        fault="database restored to an older state under running services",
        injected=int(sum(older.values()) < sum(marks.values())),
        recovered_s=round(recovered, 1),
        lost=before.lost + judgement.lost,
        doubled=before.doubled + judgement.doubled,
        wrong=before.wrong + judgement.wrong + _ended_for_good(world, 0),
    )


def copied(world: World, backup: Path) -> None:
    """Copy the cluster's files while its server is stopped."""
    server = ours.postgres(world)
    server.stop()
    shutil.copytree(server.place / "data", backup, symlinks=True)
    server.start(world.say)


def put_back(world: World, backup: Path) -> None:
    """Put an older copy of the cluster's files in the place of what is there, with the owner that they had."""
    server = ours.postgres(world)
    server.stop()
    data = server.place / "data"
    owner = data.stat()
    shutil.rmtree(data)
    shutil.copytree(backup, data, symlinks=True)
    for each in (data, *data.rglob("*")):
        shutil.chown(each, owner.st_uid, owner.st_gid)
    server.start(world.say)


def _places() -> dict[tuple[str, str, int], int]:
    """Return where each group stands in each partition, as `patchline watermark list` says."""
    rows = typed(get_command(app), "watermark", "list")
    return {(row["group"], row["topic"], row["partition"]): row["next"] for row in rows}


async def _made_anew(world: World, desk: Desk) -> Injured:
    """Delete and make a topic, wait until its readers have stopped, and do what the runbook says."""
    deaths = len(world.supervisor.deaths)
    started = time.monotonic()
    await _exchange(world)
    async with load(world, desk, SINCE_SECONDS):
        stopped = [name for name in READERS if await _stopped(world, name, deaths)]
        for name in stopped:
            world.supervisor.hold(name)
        moved = await _to_the_beginning(world)
        world.say(f"moved {len(moved)} watermarks to the beginning of {RMM_EVENTS.name}")
        for name in stopped:
            world.supervisor.release(name)
        recovered = time.monotonic() - started + await until_all_work(world)
    says, left = f"{RMM_EVENTS.name} deleted and made anew, procedure typed", len(READERS) - len(stopped)
    return await row_of(world, says, injected=len(stopped), recovered=recovered, wrong=left)


async def _to_the_beginning(world: World) -> Sequence[object]:
    """Type the procedure, again while the groups still count as consuming: a dead member is given up after seconds."""
    deadline = time.monotonic() + LONGEST_STOP_SECONDS
    words = ("watermark", "set", RMM_EVENTS.name, "--to", "beginning", "--yes")
    while True:
        try:
            moved: Sequence[object] = await asyncio.to_thread(typed, get_command(app), *words)
        except CommandFailed as error:
            if time.monotonic() > deadline:
                raise
            world.say(str(error))
            await asyncio.sleep(GROUP_SECONDS)
        else:
            return moved


async def _exchange(world: World) -> None:
    kafka = world.stack.around.kafka
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([RMM_EVENTS.name])
        while await topic_ids(kafka, [RMM_EVENTS.name]):
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await admin.close()
    await apply_declared(kafka)


async def _stopped(world: World, name: str, since: int) -> bool:
    """Wait until a service has ended with the code that calls for a person; return whether it has."""
    deadline = time.monotonic() + LONGEST_STOP_SECONDS
    while time.monotonic() < deadline:
        if any(each.program == name and each.exit_code == FOR_A_PERSON for each in world.supervisor.deaths[since:]):
            return True
        await asyncio.sleep(LOOK_SECONDS)
    world.say(f"{name} went on as if nothing had happened")
    return False


def _ended_for_good(world: World, since: int) -> int:
    return sum(each.exit_code == FOR_A_PERSON for each in world.supervisor.deaths[since:])
