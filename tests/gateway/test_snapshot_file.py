"""The snapshot of the sources on disk: whole, sealed, private, and never believed when it is anything else."""

import asyncio
import os
import stat
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from services.gateway.door.last_known import LastKnown
from services.gateway.door.snapshot_file import SnapshotBroken, SnapshotFile
from services.gateway.keys.key_sealing import StoredKey
from services.gateway.keys.sealing import Purpose, SealingKey, sealed
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import StoredSource

KEY = SealingKey(b"k" * 32)
DATA_KEY = StoredKey(key_id="1", source_id="rmm/patchline/a", sealer="file", wrapped=b"\x00wrapped\xff")
STORED = [
    StoredSource(
        source_id="rmm/ninjaone/b",
        vendor="ninjaone",
        scheme=Scheme.STATIC_HEADER,
        header_name="x-shared",
        materials=[bytes(range(32)), b"\xff" * 32],
        needs_key=True,
    ),
    StoredSource(
        source_id="rmm/patchline/a",
        vendor="patchline",
        scheme=Scheme.STANDARD_WEBHOOKS,
        header_name=None,
        materials=[b"sealed"],
        data_key=DATA_KEY,
    ),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sources.snapshot"


@pytest.fixture
def file(path: Path) -> SnapshotFile:
    return SnapshotFile(path, KEY)


def test_what_was_written_is_read_with_every_field(file: SnapshotFile) -> None:
    file.write(STORED)

    read = file.read()

    assert read == STORED
    for field in fields(StoredSource):
        assert [getattr(each, field.name) for each in read] == [getattr(each, field.name) for each in STORED]


def test_only_its_owner_reads_it_and_nothing_in_it_is_readable(file: SnapshotFile, path: Path) -> None:
    file.write(STORED)

    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"rmm/" not in content
    assert b"ninjaone" not in content
    assert bytes(range(32)) not in content


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _turned(content: bytes) -> bytes:
    return content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(_cut, "sealed with another key, or changed", id="cut off"),
        pytest.param(_turned, "sealed with another key, or changed", id="one bit turned"),
        pytest.param(lambda _content: b"", "sealed with another key, or changed", id="empty"),
        pytest.param(lambda _content: b'{"sources": []}', "sealed with another key, or changed", id="not sealed"),
        pytest.param(
            lambda _content: sealed(
                SealingKey(b"o" * 32), b'{"sources": []}', source_id="accept", purpose=Purpose.SNAPSHOT
            ),
            "sealed with another key, or changed",
            id="another key",
        ),
        pytest.param(
            lambda _content: sealed(KEY, b'{"sources": []}', source_id="accept", purpose=Purpose.WEBHOOK),
            "sealed with another key, or changed",
            id="sealed for something else",
        ),
        pytest.param(
            lambda _content: sealed(KEY, b'{"sources": [{}]}', source_id="accept", purpose=Purpose.SNAPSHOT),
            "of another release",
            id="fields are missing",
        ),
    ],
)
def test_a_file_that_is_not_what_was_written_is_not_believed(
    file: SnapshotFile, path: Path, spoil: Callable[[bytes], bytes], says: str
) -> None:
    file.write(STORED)
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(SnapshotBroken, match=says):
        file.read()


def test_a_file_that_is_not_there_is_said_so(file: SnapshotFile) -> None:
    with pytest.raises(SnapshotBroken, match="there is none"):
        file.read()


def test_a_write_that_fails_leaves_the_old_one(file: SnapshotFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write(STORED)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.write(STORED[:1])

    assert file.read() == STORED


def test_what_a_writer_that_died_left_behind_is_no_hindrance(file: SnapshotFile, path: Path) -> None:
    path.with_name(f"{path.name}.{os.getpid()}.partial").write_bytes(b"half")

    file.write(STORED)

    assert file.read() == STORED


async def test_a_reading_that_says_the_same_makes_it_young_and_writes_nothing(file: SnapshotFile, path: Path) -> None:
    last_known = LastKnown(file)
    await last_known.keep(STORED)
    before = await asyncio.to_thread(path.read_bytes)
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))
    old = await last_known.tell_age()

    await last_known.keep(list(STORED))

    assert old == pytest.approx(3600, abs=60)
    assert await last_known.tell_age() < 60
    assert await asyncio.to_thread(path.read_bytes) == before


async def test_a_change_is_in_the_file_when_keep_returns(file: SnapshotFile) -> None:
    last_known = LastKnown(file)
    await last_known.keep(STORED)

    await last_known.keep(STORED[:1])

    assert await LastKnown(file).read() == STORED[:1]


async def test_a_file_that_was_taken_away_is_written_again(file: SnapshotFile, path: Path) -> None:
    last_known = LastKnown(file)
    await last_known.keep(STORED)
    await asyncio.to_thread(path.unlink)

    await last_known.keep(STORED)
    await last_known.keep(STORED)

    assert file.read() == STORED


async def test_a_disk_that_refuses_stops_nothing_and_shows_in_the_age(tmp_path: Path) -> None:
    last_known = LastKnown(SnapshotFile(tmp_path / "no such folder" / "x", KEY))

    await last_known.keep(STORED)

    assert await last_known.tell_age() == float("inf")
    assert await last_known.read() is None
