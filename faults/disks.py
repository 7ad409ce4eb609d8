"""Disks that are full: under PostgreSQL's data, and under the spool while Kafka is away.

Each is a small one of its own, in memory, on which what fills it lies beside the product's files. Mounting takes root.
"""

import asyncio
import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg

from faults import ours
from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.rows import Watch
from faults.world import World
from patchline.local.postgres import Postgres

LONG_SECONDS: Final = 60.0
SHORT_SECONDS: Final = 8.0
AFTER_SECONDS: Final = 4.0
ROOM_BYTES: Final = 32 << 20
"""Left on the small disk beside the data, before it is filled."""

SPOOL_DISK_BYTES: Final = 4 << 20
CHUNK_BYTES: Final = 1 << 20
SMALLEST_BYTES: Final = 512
REFILL_SECONDS: Final = 0.2
ROOM_AGAIN_SECONDS: Final = 4.0
PATIENCE_SECONDS: Final = 30
RUNBOOK: Final = "A disk is full"
FULL: Final = b"No space left on device"
"""What the server says to each that it could not keep."""


async def injure(world: World) -> Sequence[Injured]:
    """Fill each disk, make room, and judge after each time."""
    desk = await world.desk_at_work()
    return [await _under_the_spool(world, desk), await _under_the_data(world, desk)]


def hindrance() -> str:
    """Return why no small disk can be had here; empty: it can."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return "only root can mount a small disk"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder), CHUNK_BYTES, like=Path(folder)):
                return ""
        except OSError as error:
            return f"no small disk can be mounted: {error}"


def _seconds(world: World) -> float:
    return world.size.of(quick=SHORT_SECONDS / 2, ordinary=SHORT_SECONDS, full=LONG_SECONDS)


async def _under_the_data(world: World, desk: Desk) -> Injured:
    """Fill the disk on which the whole database lies; if PostgreSQL ends of that, it is started once there is room."""
    seconds, server = _seconds(world), ours.postgres(world)
    says = world.size.marked(f"PostgreSQL's disk full for {seconds:.0f} s")
    async with _on_a_small_disk(world, server) as data:
        watch, begins_at = Watch(world), _log_size(server)
        world.say(says)
        async with load(world, desk, seconds + AFTER_SECONDS):
            await asyncio.sleep(1)
            with _ballast(data) as fill:
                await _kept_full(fill, seconds)
            if not (server.child and server.child.is_running):
                world.say("PostgreSQL had ended; it is started again")
                await asyncio.to_thread(server.start, world.say)
            recovered = await until_all_work(world)
        refused = _log_since(server, begins_at).count(FULL)
        return await watch.row(says, injected=refused, recovered=recovered, runbook=RUNBOOK)


async def _kept_full(fill: "Ballast", seconds: float) -> None:
    """Keep a disk full for so long: what the server gives back is taken at once."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        await asyncio.to_thread(fill.up)
        await asyncio.sleep(REFILL_SECONDS)


class Ballast:
    """A file that takes all the room there is."""

    def __init__(self, path: Path) -> None:
        """Take nothing yet."""
        self.path = path

    def up(self) -> None:
        """Take what room there is, to the last block."""
        size = CHUNK_BYTES
        with self.path.open("ab", buffering=0) as file:
            while size >= SMALLEST_BYTES:
                try:
                    written = file.write(bytes(size))
                except OSError:
                    written = 0
                if written < size:
                    size //= 2


@contextmanager
def _ballast(folder: Path) -> Iterator[Ballast]:
    ballast = Ballast(folder / "ballast")
    try:
        yield ballast
    finally:
        ballast.path.unlink(missing_ok=True)


@asynccontextmanager
async def _on_a_small_disk(world: World, server: Postgres) -> AsyncIterator[Path]:
    """Move the database to a small disk for as long as the block runs, and back, the server stopped meanwhile."""
    data, kept = server.place / "data", server.place / "data.kept"
    await asyncio.to_thread(server.stop)
    data.rename(kept)
    data.mkdir()
    used = sum(each.stat().st_size for each in kept.rglob("*") if each.is_file())
    try:
        with mounted(data, used + ROOM_BYTES, like=kept):
            await asyncio.to_thread(_copied, kept, data)
            await asyncio.to_thread(server.start, world.say)
            try:
                yield data
            finally:
                await asyncio.to_thread(server.stop)
                shutil.rmtree(kept)
                await asyncio.to_thread(_copied, data, kept)
    finally:
        data.rmdir()
        kept.rename(data)
        await asyncio.to_thread(server.start, world.say)


def _copied(there: Path, here: Path) -> None:
    """Copy what is in a folder with the owner of each file. Raises: OSError."""
    _run("cp", "-a", *([f"{there}/."] if here.exists() else [str(there)]), str(here))


@contextmanager
def mounted(folder: Path, size_bytes: int, *, like: Path) -> Iterator[None]:
    """Mount a small disk in memory at `folder`, owned as `like`, and take it away, whoever uses it. Raises: OSError.

    What is broken off so that no block is left in order is undone at the process's exit.
    """
    owner = like.stat()
    options = f"size={size_bytes},mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    _run("mount", "-t", "tmpfs", "-o", options, "patchline-fault", str(folder))
    atexit.register(_unmounted, folder)
    try:
        yield
    finally:
        atexit.unregister(_unmounted)
        _unmounted(folder)


def _unmounted(folder: Path) -> None:
    if folder.is_mount():
        _run("umount", "--lazy", str(folder))


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)  # noqa: S603
    if done.returncode != 0:
        raise OSError(done.stderr.strip() or f"{argv[0]} failed")


async def _under_the_spool(world: World, desk: Desk) -> Injured:
    """Put the spool on a disk of its own, full, and let Kafka not answer: senders are told to come again."""
    seconds = _seconds(world)
    says = world.size.marked(f"the disk under the spool full while Kafka is away, for {seconds:.0f} s")
    world.say(says)
    watch, server = Watch(world), ours.postgres(world)
    async with _spool_on_a_small_disk(world, server) as disk:
        begins_at = _log_size(server)
        async with load(world, desk, seconds + AFTER_SECONDS):
            with ours.kafka_paused(world):
                with _ballast(disk) as fill:
                    await _kept_full(fill, seconds)
                await asyncio.sleep(ROOM_AGAIN_SECONDS)
            recovered = ROOM_AGAIN_SECONDS + await until_all_work(world)
        refused = _log_since(server, begins_at).count(FULL)
        return await watch.row(says, injected=refused, recovered=recovered, runbook=RUNBOOK)


@asynccontextmanager
async def _spool_on_a_small_disk(world: World, server: Postgres) -> AsyncIterator[Path]:
    folder = server.place / "spool-disk"
    folder.mkdir()
    connection = await asyncpg.connect(world.stack.around.database, timeout=10)
    try:
        with mounted(folder, SPOOL_DISK_BYTES, like=server.place / "data"):
            inner = folder / "tablespace"
            inner.mkdir(mode=0o700)
            shutil.copystat(folder, inner)
            os.chown(inner, folder.stat().st_uid, folder.stat().st_gid)
            await connection.execute(f"CREATE TABLESPACE small LOCATION '{inner}'")
            try:
                await _moved(connection, "small")
                yield folder
            finally:
                await _moved(connection, "pg_default")
                await connection.execute("DROP TABLESPACE small")
    finally:
        await connection.close(timeout=10)
        with suppress(FileNotFoundError):
            folder.rmdir()


async def _moved(connection: "asyncpg.Connection[asyncpg.Record]", place: str) -> None:
    """Move the spool and all that lies with it to another disk."""
    await connection.execute(f"ALTER TABLE gateway.spool SET TABLESPACE {place}")
    names = await connection.fetch(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'gateway' AND tablename = 'spool'"
    )
    for (name,) in names:
        await connection.execute(f"ALTER INDEX gateway.{name} SET TABLESPACE {place}")


def _log_size(server: Postgres) -> int:
    return (server.place / "postgres.log").stat().st_size


def _log_since(server: Postgres, begins_at: int) -> bytes:
    with (server.place / "postgres.log").open("rb") as file:
        file.seek(begins_at)
        return file.read()
