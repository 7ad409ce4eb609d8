"""The thread: a failed update becomes one ticket, for real; every proof is made from outside."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx
import pytest

from contracts import ids
from patchline.stack.programs import PROGRAMS
from tests.flow.world import FIXED_BUILD, SERVER, SOURCE, World, until

QUIET_SECONDS = 2.0


@pytest.fixture(scope="module", autouse=True)
def _believed(world: World) -> None:
    """Wait until the gateway knows the source."""
    until("the source is believed", lambda: _is_believed(world), seconds=15)


def _is_believed(world: World) -> bool:
    try:
        world.send("device.seen", "first-contact")
    except AssertionError:
        return False
    return True


def _issues(world: World) -> list[dict[str, Any]]:
    return [each for each in world.issues_of(SERVER) if each["client"] in {"ACME", "GLOBEX"}]


def test_a_failed_update_becomes_one_ticket_found_over_the_trackers_own_api(world: World) -> None:
    world.enrol("dc01")

    world.send("patch.install_failed", "dc01", patch=world.patch(), code="0x800f0922")

    [issue] = until("a ticket", lambda: _issues(world))
    assert issue["client"] == "ACME"
    assert issue["correlation_key"].startswith("pl-patch_failed-")


def test_another_device_and_repeats_are_appended_and_never_a_second_ticket(world: World) -> None:
    world.enrol("dc02")
    for code in ("0x800f0922", "0x80240024", "0x80070643"):
        world.send("patch.install_failed", "dc02", patch=world.patch(), code=code)

    until(
        "both devices", lambda: [t for t in world.cli("ticket", "list") if (t["client"], t["devices"]) == ("Acme", 2)]
    )

    assert len(_issues(world)) == 1


def test_another_clients_failure_is_another_ticket(world: World) -> None:
    world.enrol("gx-dc01", client="Globex")

    world.send("patch.install_failed", "gx-dc01", client="Globex", patch=world.patch(), code="0x800f0922")

    issues = until("a second ticket", lambda: len(found := _issues(world)) == 2 and found)
    assert {issue["client"] for issue in issues} == {"ACME", "GLOBEX"}


async def test_everything_delivered_again_changes_nothing(world: World) -> None:
    await _settled(world)
    before = await _everything(world)

    for webhook in list(world.sent):
        assert world.deliver(webhook).status_code == 202
    await _settled(world)

    assert await _everything(world) == before


async def _everything(world: World) -> dict[str, object]:
    issues = [(i["id"], i["title"], i["status"]["name"], len(i["messages"])) for i in world.issues()]
    return {
        "issues": sorted(issues),
        "assets": await world.rows("SELECT asset_id, hostname, os_build, tier FROM inventory.asset ORDER BY 1"),
        "facts": await world.rows("SELECT event_id FROM inventory.device_fact ORDER BY 1"),
        "obligations": sorted((o["device"], o["state"]) for o in world.cli("obligation", "list")),
        "tickets": world.cli("ticket", "list"),
    }


async def _settled(world: World) -> None:
    """Return once nothing moves, and nothing waits for its turn: the same counts twice, some time apart."""
    before: tuple[object, ...] = ()
    async with asyncio.timeout(120):
        while (now := await _counts(world)) != before or now[-1]:
            before = now
            await asyncio.sleep(QUIET_SECONDS)


async def _counts(world: World) -> tuple[object, ...]:
    return (
        [(issue["id"], len(issue["messages"])) for issue in world.issues()],
        await world.rows("SELECT sum(next_offset) FROM gateway.watermark"),
        await world.rows("SELECT sum(next_offset) FROM ticketing.watermark"),
        [each for each in world.cli("ticket", "list") if each["todo_state"] == "pending"],
    )


def test_a_claim_is_no_proof_and_a_later_scan_with_a_newer_build_is_and_resolves_the_ticket(world: World) -> None:
    for device in ("dc01", "dc02"):
        world.send("patch.install_reported", device, patch=world.patch())
    time.sleep(QUIET_SECONDS)
    assert world.state_of("dc01") not in {"VERIFIED", None}

    for device in ("dc01", "dc02"):
        world.send("device.booted", device, booted_at=world.now().isoformat(), os_build=FIXED_BUILD)
        scanned_at = world.now().isoformat()
        world.send("patch.no_longer_listed", device, patch=world.patch(), scanned_at=scanned_at)
        world.send("patch.scan_completed", device, scanned_at=scanned_at, listed=0)

    until("dc01 verified", lambda: world.state_of("dc01") == "VERIFIED")
    until("the ticket resolved", lambda: _status(world, "ACME") == "resolved")
    assert _status(world, "GLOBEX") != "resolved"


def _status(world: World, client: str) -> str:
    [issue] = [issue for issue in world.issues_of(SERVER) if issue["client"] == client]
    return str(issue["status"]["name"])


async def test_another_tenants_reader_sees_no_row_even_through_a_reused_connection(world: World) -> None:
    acme, globex = ids.tenant_id("Acme"), ids.tenant_id("Globex")
    password = (world.stack.around.secrets / "patchline_reader").read_text().strip()
    connection = await asyncpg.connect(world.stack.around.role_url("patchline_reader"), password=password)
    tables = [
        row["name"]
        for row in await world.rows(
            "SELECT a.attrelid::regclass::text AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p', 'v')"
            " AND has_table_privilege('patchline_reader', c.oid, 'SELECT')"
        )
    ]
    seen_as_acme = 0
    for table in tables:
        async with connection.transaction():
            await connection.execute("SELECT set_config('patchline.tenants', $1, true)", str(acme))
            seen_as_acme += await connection.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", acme)
        async with connection.transaction():
            await connection.execute("SELECT set_config('patchline.tenants', $1, true)", str(globex))
            assert await connection.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", acme) == 0, table
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, f"{table} is open without a tenant"
    await connection.close()
    assert seen_as_acme > 0


async def test_sigterm_of_every_service_under_load_loses_nothing(world: World) -> None:
    devices = [f"load-{number:03}" for number in range(240)]

    with ThreadPoolExecutor(max_workers=4) as senders:
        sending = [senders.submit(_stubborn, world, device) for device in devices]
        for program in PROGRAMS:
            child = world.stack.children[program.name]
            child.signal_stop()
            child.stop(timeout_seconds=30)
            assert child.exit_code == 0, child.log_since_start()[-2000:]
            world.stack.start_program(program)
            world.stack.wait_ready(program)
        for sent in sending:
            sent.result()

    expected = sorted(str(ids.asset_id(SOURCE, device)) for device in devices)
    deadline = time.monotonic() + 60
    while (found := await _assets(world)) != expected:
        assert time.monotonic() < deadline, f"{len(found)} of {len(expected)} assets"
        await asyncio.sleep(0.5)
    published = await world.rows("SELECT count(*) AS open FROM inventory.outbox_waiting")
    assert published == [{"open": 0}]


async def _assets(world: World) -> list[str]:
    rows = await world.rows("SELECT asset_id::text AS id FROM inventory.asset WHERE device LIKE 'load-%' ORDER BY 1")
    return [row["id"] for row in rows]


def _stubborn(world: World, device: str) -> None:
    """Send until accepted, as a vendor with retries does."""
    for _ in range(200):
        try:
            world.send("device.seen", device, facts={"hostname": device})
        except (AssertionError, httpx.TransportError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{device} was never accepted")
