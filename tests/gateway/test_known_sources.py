"""The sources in memory: new secrets work within seconds, and what is known stays known while PostgreSQL is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from chassis.health import Progress
from services.gateway.door.known_sources import KnownSources
from services.gateway.door.last_known import LastKnown
from services.gateway.door.snapshot_file import SnapshotFile
from services.gateway.door.verification import StaticHeader, Verified, verdict
from services.gateway.keys import store_keys
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import FileSealer, KeySealer, KeyUnavailable
from services.gateway.keys.sealing import SealingKey
from services.gateway.registry import schemes, sources, store_clients, store_sources
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import NewSource
from tests.parts import Database

KEY = SealingKey(b"k" * 32)
FILE_SEALER = FileSealer(KEY)
REFRESH_SECONDS = 0.1


@pytest.fixture
async def operator(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.operator)
    yield connection
    await connection.close()


async def added(operator: "asyncpg.Connection[asyncpg.Record]", name: str, secret: str) -> str:
    """Add a source with a static secret and return its path."""
    source = NewSource(vendor="ninjaone", name=name, scheme=Scheme.STATIC_HEADER, header_name="x-shared")
    async with operator.transaction():
        await store_clients.see_all(operator)
        assert await store_sources.add(operator, source, datetime.now(UTC))
    await rotated(operator, source.source_id, secret, at_once=False)
    return sources.path(source.source_id)


async def rotated(
    operator: "asyncpg.Connection[asyncpg.Record]", source_id: str, secret: str, *, at_once: bool
) -> None:
    material = schemes.material(Scheme.STATIC_HEADER, secret, source_id=source_id, sealing_key=KEY)
    async with operator.transaction():
        await store_clients.see_all(operator)
        plan = sources.rotation(await store_sources.live_secrets(operator, source_id), at_once=at_once)
        await store_sources.retire(operator, source_id, plan.retired, datetime.now(UTC))
        await store_sources.add_secret(operator, source_id, plan.slot, material=material, created_at=datetime.now(UTC))


@asynccontextmanager
async def reading(
    dsn: str, progress: Progress | None = None, sealer: KeySealer = FILE_SEALER, snapshot: SnapshotFile | None = None
) -> AsyncIterator[KnownSources]:
    known = KnownSources(
        dsn=dsn,
        sealing_key=KEY,
        keys=CurrentKeys({sealer.name: sealer}, sealer.name),
        refresh_seconds=REFRESH_SECONDS,
        progress=progress or Progress(),
        last_known=LastKnown(snapshot),
    )
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(known.run(stopping))
        try:
            yield known
        finally:
            stopping.set()


async def becomes_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def opens(known: KnownSources, path: str, secret: str) -> bool:
    source = (known.by_path or {}).get(path)
    if source is None:
        return False
    assert isinstance(source.scheme, StaticHeader)
    return isinstance(verdict(source.scheme, {b"x-shared": secret.encode()}, b"", now=datetime.now(UTC)), Verified)


async def test_a_source_is_believed_soon_after_it_was_added(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with reading(database.writer("gateway")) as known:
        path = await added(operator, "added", "the first secret")

        await becomes_true(lambda: opens(known, path, "the first secret"))


async def test_after_a_rotation_both_secrets_open_and_after_two_the_first_does_not(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    path = await added(operator, "rotated", "the first secret")
    source_id = path.removeprefix("/webhooks/")
    async with reading(database.writer("gateway")) as known:
        await rotated(operator, source_id, "the second secret", at_once=False)
        await becomes_true(lambda: opens(known, path, "the second secret"))
        both = opens(known, path, "the first secret")

        await rotated(operator, source_id, "the third secret", at_once=False)
        await becomes_true(lambda: opens(known, path, "the third secret"))
        second, first = opens(known, path, "the second secret"), opens(known, path, "the first secret")

    assert both
    assert (second, first) == (True, False)


async def test_a_leaked_secret_ends_at_once(database: Database, operator: "asyncpg.Connection[asyncpg.Record]") -> None:
    path = await added(operator, "leaked", "the leaked secret")
    async with reading(database.writer("gateway")) as known:
        await rotated(operator, path.removeprefix("/webhooks/"), "the new secret", at_once=True)
        await becomes_true(lambda: opens(known, path, "the new secret"))

        assert not opens(known, path, "the leaked secret")


async def test_a_disabled_source_is_unknown(database: Database, operator: "asyncpg.Connection[asyncpg.Record]") -> None:
    path = await added(operator, "disabled", "its own secret here")
    async with reading(database.writer("gateway")) as known:
        await becomes_true(lambda: opens(known, path, "its own secret here"))
        async with operator.transaction():
            await store_clients.see_all(operator)
            await store_sources.set_enabled(operator, path.removeprefix("/webhooks/"), enabled=False)

        await becomes_true(lambda: path not in (known.by_path or {}))


async def test_what_is_known_stays_known_while_the_database_is_away(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    path = await added(operator, "kept", "a secret to be kept")
    progress = Progress()
    async with reading(database.writer("gateway"), progress) as known:
        await becomes_true(lambda: opens(known, path, "a secret to be kept"))
        async with away(database):
            await asyncio.sleep(5 * REFRESH_SECONDS)
            during = opens(known, path, "a secret to be kept"), progress.not_ready()
        await rotated(operator, path.removeprefix("/webhooks/"), "a secret that is new", at_once=False)
        await becomes_true(lambda: opens(known, path, "a secret that is new"))

    assert during == (True, [])


async def test_without_a_database_it_starts_and_is_not_ready(database: Database) -> None:
    progress = Progress()
    async with away(database), reading(database.writer("gateway"), progress) as known:
        await asyncio.sleep(3 * REFRESH_SECONDS)

        assert known.by_path is None
        assert progress.not_ready() == ["sources"]
        assert progress.stuck() == []


async def test_one_that_starts_without_a_database_believes_its_snapshot_and_the_database_as_soon_as_it_is_back(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    path = await added(operator, "snapshot", "the secret on disk")
    snapshot = SnapshotFile(tmp_path / "sources.snapshot", KEY)
    async with reading(database.writer("gateway"), snapshot=snapshot) as known:
        await becomes_true(lambda: opens(known, path, "the secret on disk"))
    progress = Progress()
    async with away(database), reading(database.writer("gateway"), progress, snapshot=snapshot) as known:
        await becomes_true(lambda: opens(known, path, "the secret on disk"))
        source = (known.by_path or {})[path]
        not_ready = progress.not_ready()
    async with reading(database.writer("gateway"), snapshot=snapshot) as known:
        await rotated(operator, path.removeprefix("/webhooks/"), "the secret after it", at_once=True)
        await becomes_true(lambda: not opens(known, path, "the secret on disk"))
        await becomes_true(lambda: path in {f"/webhooks/{each.source_id}" for each in snapshot.read()})

    assert source.seal is not None
    assert not_ready == []


async def test_a_change_is_on_disk_within_the_refresh(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    file = tmp_path / "sources.snapshot"
    snapshot = SnapshotFile(file, KEY)
    path = await added(operator, "written", "the first one here")

    def materials() -> int:
        known = snapshot.read() if file.exists() else []  # sources are believed before they are on disk
        return sum(len(each.materials) for each in known if f"/webhooks/{each.source_id}" == path)

    async with reading(database.writer("gateway"), snapshot=snapshot) as known:
        await becomes_true(lambda: opens(known, path, "the first one here"))
        await rotated(operator, path.removeprefix("/webhooks/"), "the second one here", at_once=False)

        await becomes_true(lambda: materials() == 2)


async def test_a_snapshot_that_another_key_sealed_is_not_believed(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    path = await added(operator, "foreign", "a secret as good as")
    file = tmp_path / "sources.snapshot"
    async with reading(database.writer("gateway"), snapshot=SnapshotFile(file, SealingKey(b"o" * 32))) as known:
        await becomes_true(lambda: opens(known, path, "a secret as good as"))

    progress = Progress()
    async with away(database), reading(database.writer("gateway"), progress, snapshot=SnapshotFile(file, KEY)) as known:
        await asyncio.sleep(3 * REFRESH_SECONDS)
        believed, not_ready = known.by_path, progress.not_ready()

    assert (believed, not_ready) == (None, ["sources"])


@asynccontextmanager
async def away(database: Database) -> AsyncIterator[None]:
    """Let nobody but administrators of another database in, and the gateway's writer out."""
    name = database.admin.rpartition("/")[2]
    admin = await asyncpg.connect(database.admin.rpartition("/")[0] + "/postgres")
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'gateway_writer'",
            name,
        )
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()


class Sealed(FileSealer):
    """A key management system that answers when it is told to."""

    is_away = True

    async def wrap(self, key: bytes, *, source_id: str, key_id: str) -> bytes:
        self._answer()
        return await super().wrap(key, source_id=source_id, key_id=key_id)

    async def unwrap(self, box: bytes, *, source_id: str, key_id: str) -> bytes:
        self._answer()
        return await super().unwrap(box, source_id=source_id, key_id=key_id)

    def _answer(self) -> None:
        if self.is_away:
            raise KeyUnavailable("vault is sealed")


def seals(known: KnownSources, path: str) -> str | None:
    """Return the id of the key that seals the bodies of a source."""
    source = (known.by_path or {}).get(path)
    return None if source is None or source.seal is None else source.seal.key_id


async def test_a_source_is_given_its_data_key_as_soon_as_the_keys_can_be_wrapped(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    sealer = Sealed(KEY)
    path = await added(operator, "keyless", "the secret of one without a key")
    async with reading(database.writer("gateway"), sealer=sealer) as known:
        await becomes_true(lambda: opens(known, path, "the secret of one without a key"))
        while_away = seals(known, path)
        sealer.is_away = False

        await becomes_true(lambda: seals(known, path) is not None)

    assert while_away is None


async def test_a_key_that_was_unwrapped_goes_on_sealing_while_what_wrapped_it_is_away(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    sealer = Sealed(KEY)
    sealer.is_away = False
    path = await added(operator, "wrapped", "the secret of one with a key")
    async with reading(database.writer("gateway"), sealer=sealer) as known:
        await becomes_true(lambda: seals(known, path) is not None)
        key_id, sealer.is_away = seals(known, path), True
        other = await added(operator, "another", "the secret of another one")
        await becomes_true(lambda: opens(known, other, "the secret of another one"))

        assert seals(known, path) == key_id
        assert seals(known, other) is None


async def test_a_retired_key_is_followed_by_a_new_one_and_seals_until_then(
    database: Database, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    sealer = Sealed(KEY)
    sealer.is_away = False
    path = await added(operator, "retired", "the secret of one with two keys")
    async with reading(database.writer("gateway"), sealer=sealer) as known:
        await becomes_true(lambda: seals(known, path) is not None)
        first, sealer.is_away = seals(known, path), True
        async with operator.transaction():
            await store_clients.see_all(operator)
            assert await store_keys.retire(operator, path.removeprefix("/webhooks/"), datetime.now(UTC))
        await asyncio.sleep(3 * REFRESH_SECONDS)
        while_away, sealer.is_away = seals(known, path), False

        await becomes_true(lambda: seals(known, path) not in {None, first})

    assert while_away == first
