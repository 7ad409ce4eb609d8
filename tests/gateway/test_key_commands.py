"""`patchline source keys`, `rotate-key` and `destroy-key`, as typed, against a real database."""

import asyncio
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from contracts.raw import RawDelivery, delivery_of, own_headers
from services.gateway.commands import source_app
from services.gateway.keys.bodies import Bodies, BodySeal, SealedRecord, Unopened
from services.gateway.keys.data_keys import CurrentKeys, KeyRing
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.safe import connected
from services.gateway.keys.sealing import read_sealing_key
from services.gateway.keys.store_blobs import PostgresBlobs
from tests.builders import NOON
from tests.gateway.typed import client, queried, rows, source
from tests.parts import Database

pytestmark = pytest.mark.usefixtures("command_line")
RAW_ID = "01930000-0000-7000-8000-000000000001"


class House:
    """Seals and opens as the gateway's processes do, with the keys in the database."""

    def __init__(self, database: Database, sealing_key_file: Path) -> None:
        self.dsn = database.writer("gateway")
        self.sealers = {FILE: FileSealer(read_sealing_key(sealing_key_file))}
        connecting = partial(connected, self.dsn)
        self.bodies = Bodies(KeyRing(connecting, self.sealers, fresh_seconds=0), PostgresBlobs(connecting))

    def sealed(self, source_id: str, body: bytes) -> SealedRecord:
        async def seal() -> SealedRecord:
            async with connected(self.dsn) as connection:
                key = await CurrentKeys(self.sealers, FILE).of(connection, source_id)
            own = own_headers(RAW_ID, NOON, delivery=None, traceparent=None)
            return BodySeal(key, vendor="patchline", channel="webhook").record(own, body)

        return asyncio.run(seal())

    def opened(self, record: SealedRecord) -> RawDelivery | Unopened:
        [opened] = asyncio.run(self.bodies.opened([delivery_of(record.headers, record.value)]))
        return opened


@pytest.fixture
def house(database: Database, sealing_key_file: Path) -> House:
    return House(database, sealing_key_file)


def added(name: str) -> str:
    source_id: str = rows(source("add", "patchline", name, "--json"))[0]["source"]
    return source_id


def test_each_source_gets_a_key_of_its_own_when_one_is_needed(house: House) -> None:
    one, other = (house.sealed(added(name), b"body") for name in ("one", "other"))

    keys = {row["source"]: row for row in rows(source("keys", "--json"))}
    assert {dict(record.headers)["key_id"].decode() for record in (one, other)} == {
        keys["rmm/patchline/one"]["key"],
        keys["rmm/patchline/other"]["key"],
    }
    assert keys["rmm/patchline/one"]["sealer"] == "file"


def test_whoever_is_first_makes_the_key_and_all_others_use_it(house: House) -> None:
    source_id = added("at-once")

    async def keys() -> set[str]:
        async def one() -> str:
            async with connected(house.dsn) as connection:
                return (await CurrentKeys(house.sealers, FILE).of(connection, source_id)).key_id

        return set(await asyncio.gather(*(one() for _ in range(8))))

    assert len(asyncio.run(keys())) == 1


def test_after_a_rotation_a_new_key_seals_and_what_the_old_one_sealed_opens(house: House) -> None:
    source_id = added("rotated")
    before = house.sealed(source_id, b"before")

    rows(source("rotate-key", "patchline", "rotated", "--json"))
    after = house.sealed(source_id, b"after")

    assert dict(before.headers)["key_id"] != dict(after.headers)["key_id"]
    for record, body in ((before, b"before"), (after, b"after")):
        opened = house.opened(record)
        assert isinstance(opened, RawDelivery)
        assert opened.body == body


def test_a_destroyed_key_opens_nothing_and_the_record_of_it_stays(house: House, database: Database) -> None:
    source_id = added("leaving")
    old = house.sealed(source_id, b"old")
    rows(source("rotate-key", "patchline", "leaving", "--json"))
    new = house.sealed(source_id, b"new")
    staying = house.sealed(added("staying"), b"staying")

    [row] = rows(source("destroy-key", "patchline", "leaving", "--yes", "--by", "Ada", "--json"))

    assert row["keys_destroyed"] == 2
    assert all(isinstance(house.opened(record), Unopened) for record in (old, new))
    assert isinstance(house.opened(staying), RawDelivery)
    kept = queried(database.admin, "SELECT * FROM gateway.data_key WHERE source_id = $1", source_id)
    assert {(each["wrapped"], each["destroyed_by"]) for each in kept} == {(None, "Ada")}
    assert all(each["destroyed_at"] and each["retired_at"] for each in kept)
    [listed] = [each for each in rows(source("list", "--json")) if each["source"] == source_id]
    assert listed["enabled"] is False


def test_a_source_that_still_serves_a_client_is_refused_and_the_client_named(house: House) -> None:
    source_id = added("shared")
    record = house.sealed(source_id, b"body")
    for name in ("Acme Dental", "Birch Law"):
        client("add", name, "--zone", "Europe/Berlin")
        rows(client("map", name, "patchline/shared", name, "--json"))
    rows(client("unmap", "Acme Dental", "patchline/shared", "Acme Dental", "--json"))

    refused = source("destroy-key", "patchline", "shared", "--yes")

    assert refused.exit_code == 1
    assert "Birch Law" in refused.stderr
    assert "Acme Dental" not in refused.stderr
    assert isinstance(house.opened(record), RawDelivery)


def test_who_does_not_type_the_name_of_the_source_destroys_nothing(house: House) -> None:
    record = house.sealed(added("asked"), b"body")

    answer = CliRunner().invoke(source_app, ["destroy-key", "patchline", "asked"], input="yes\n")
    opened_after_no = house.opened(record)
    typed = CliRunner().invoke(source_app, ["destroy-key", "patchline", "asked"], input="rmm/patchline/asked\n")

    assert answer.exit_code == 1
    assert isinstance(opened_after_no, RawDelivery)
    assert typed.exit_code == 0, typed.output
    assert isinstance(house.opened(record), Unopened)


def test_destroying_twice_says_that_there_is_nothing_left(house: House) -> None:
    house.sealed(added("twice-gone"), b"body")
    rows(source("destroy-key", "patchline", "twice-gone", "--yes", "--json"))

    assert source("destroy-key", "patchline", "twice-gone", "--yes").exit_code == 1


def test_a_destroyed_source_that_is_enabled_again_starts_with_a_new_key(house: House) -> None:
    source_id = added("again")
    gone = house.sealed(source_id, b"gone")
    rows(source("destroy-key", "patchline", "again", "--yes", "--json"))

    rows(source("change", "patchline", "again", "--enable", "--json"))
    fresh = house.sealed(source_id, b"fresh")

    assert isinstance(house.opened(fresh), RawDelivery)
    assert isinstance(house.opened(gone), Unopened)


def test_the_operator_cannot_read_a_key(house: House, database: Database) -> None:
    house.sealed(added("unread"), b"body")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        queried(database.operator, "SELECT wrapped FROM gateway.data_key")


@pytest.mark.parametrize("command", ["rotate-key", "destroy-key"])
def test_a_source_that_is_not_there_is_said_so(command: str) -> None:
    answer = source(command, "patchline", "nowhere")

    assert answer.exit_code == 1
    assert "there is no source" in answer.stderr
