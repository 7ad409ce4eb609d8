"""The standing audit over the real handlers: what is under way is no gap, what is lost is named."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.postgres import Connection
from contracts.raw import RawDelivery
from patchline.audit import store
from patchline.audit.barrier import Audit
from patchline.audit.rules import Balance, Proof
from tests.audit.bus import SCHEMAS, Bus
from tests.audit.conftest import SOURCE, empty, own
from tests.builders import MINUTE, NOON, delivery
from tests.parts import Database

Admin = Connection
EVERYBODY = frozenset({"gateway", "inventory", "compliance", "credentials", "ticketing"})
PATCH = {"patch": "KB5049983", "kb": "5049983", "severity": "critical"}


def told(
    kind: str, device: str = "dc01", *, number: int = 0, organisation: str = "Acme", **said: object
) -> RawDelivery:
    """Return a delivery of one event; the same arguments are the same event, delivered again."""
    facts = {"device": device, "organisation": organisation, **said}
    body = {"type": kind, "timestamp": (NOON + number * MINUTE).isoformat(), "data": facts}
    return delivery(
        body, vendor="patchline", source=SOURCE, received=NOON + number * 20 * MINUTE, webhook_id=f"msg_{kind}_{number}"
    )


def failed(device: str = "dc01", *, number: int = 0, organisation: str = "Acme") -> RawDelivery:
    return told("patch.install_failed", device, number=number, organisation=organisation, patch=PATCH, code="0x1")


def garbage() -> RawDelivery:
    return delivery(b"{", vendor="patchline", source=SOURCE)


def missing(audit: Audit) -> list[Balance | Proof]:
    every: list[Balance | Proof] = [*audit.balances, *audit.proofs]
    return [each for each in every if each.missing]


def verdicts(audit: Audit) -> set[str]:
    return {each.verdict for each in audit.balances}


async def test_a_day_with_everything_in_it_balances(bus: Bus, admin: Admin) -> None:
    for each in (failed(number=1), failed(number=1), failed(number=2), told("device.online"), garbage()):
        bus.deliver(each)
    bus.deliver(failed("stray", organisation="Elsewhere"))
    bus.deliver(told("nobody.knows.this"))
    await bus.finish()
    await own(admin, "Elsewhere")
    await bus.release()
    bus.replay()
    await bus.finish()

    audit = await bus.fresh_audit()

    assert (audit.gaps, verdicts(audit), audit.judged) == (0, {"balanced"}, EVERYBODY)
    [noon] = [each for each in audit.balances if each.equation == "deliveries" and each.hour == NOON]
    shown = {name: count for name, count in noon.fates.items() if count}
    assert shown == {"translated": 3, "duplicate": 1, "parked": 1, "dead_lettered": 1, "unknown": 1, "replayed": 1}
    by_group = {each.group: each for each in audit.balances if each.equation == "events" and each.hour == NOON}
    assert by_group["inventory"].expected == by_group["compliance"].expected == 4
    assert by_group["compliance"].fates["ignored"] == 1
    assert by_group["ticketing"].fates["applied"] >= 1


async def test_what_is_under_way_is_no_gap(bus: Bus) -> None:
    bus.deliver(failed())
    found = [await bus.fresh_audit()]
    await bus.read("gateway")
    found.append(await bus.fresh_audit())
    await bus.relay("gateway")
    found.append(await bus.fresh_audit())
    await bus.read("inventory")
    found.append(await bus.fresh_audit())

    assert [audit.gaps for audit in found] == [0, 0, 0, 0]
    [behind] = [each for each in found[-1].balances if each.group == "compliance"]
    assert (behind.in_flight, behind.verdict) == (1, "not yet final")
    assert "compliance" not in found[-1].judged


async def test_a_relay_that_sends_again_after_its_death_is_no_gap_and_is_seen(bus: Bus) -> None:
    bus.deliver(failed())
    await bus.read("gateway")
    await bus.relay("gateway", dies=True)
    await bus.finish()

    audit = await bus.fresh_audit()

    assert (audit.gaps, verdicts(audit)) == (0, {"balanced"})
    [compliance] = [each for each in audit.balances if each.group == "compliance"]
    assert (compliance.extra, compliance.fates["duplicate"]) == (1, 1)


Plant = Callable[[Bus, Admin], Awaitable[None]]


async def _counter_of_the_gateway(_bus: Bus, admin: Admin) -> None:
    await admin.execute("UPDATE gateway.flow SET deliveries = deliveries - 1, translated = translated - 1")


async def _counter_of_a_group(_bus: Bus, admin: Admin) -> None:
    await admin.execute("UPDATE inventory.group_flow SET count = count - 1 WHERE topic = 'rmm.events'")


async def _record_stepped_over(bus: Bus, admin: Admin) -> None:
    bus.deliver(failed(number=2))
    await _past_everything(bus, admin, "gateway", "rmm.raw")


async def _event_never_sent(bus: Bus, admin: Admin) -> None:
    bus.deliver(failed(number=2))
    await bus.read("gateway")
    await admin.execute("DELETE FROM gateway.outbox")


async def _event_stepped_over(bus: Bus, admin: Admin) -> None:
    bus.deliver(failed(number=2))
    await bus.read("gateway")
    await bus.relay("gateway")
    await _past_everything(bus, admin, "compliance", "rmm.events")


async def _parked_and_gone(bus: Bus, admin: Admin) -> None:
    bus.deliver(failed("stray", organisation="Elsewhere"))
    await bus.read("gateway")
    await admin.execute("DELETE FROM gateway.parked")


async def _spooled_and_gone(_bus: Bus, admin: Admin) -> None:
    await admin.execute("INSERT INTO gateway.spool_flow VALUES ($1, $2, 1, 0)", SOURCE, NOON)


async def _drained_and_never_read(_bus: Bus, admin: Admin) -> None:
    await admin.execute("INSERT INTO gateway.spool_flow VALUES ($1, $2, 9, 9)", SOURCE, NOON)


async def _deleted_unread(bus: Bus, _admin: Admin) -> None:
    bus.deliver(failed(number=2))
    for place, log in bus.logs.by_place.items():
        if place.topic == "rmm.raw":
            bus.logs.first[place] = len(log)


async def _past_everything(bus: Bus, admin: Admin, schema: str, topic: str) -> None:
    for place, log in list(bus.logs.by_place.items()):
        if place.topic == topic:
            await admin.execute(
                f"UPDATE {schema}.watermark SET next_offset = $2 WHERE topic = $1 AND partition = $3",
                topic,
                len(log),
                place.partition,
            )


LOSSES: dict[str, tuple[Plant, dict[str, int]]] = {
    "a delivery that was read and is in no column": (_counter_of_the_gateway, {"gateway": 1}),
    "a count taken from a group": (_counter_of_a_group, {"inventory": 2}),  # of the topic, and of the hour
    "a raw record below the watermark that nobody read": (_record_stepped_over, {"gateway": 1}),
    "an event that left the outbox for nowhere": (_event_never_sent, {"inventory": 1, "compliance": 1}),
    "an event below the watermark that nobody read": (_event_stepped_over, {"compliance": 2}),
    "a parked event that is gone": (_parked_and_gone, {"gateway": 1}),
    "a spooled delivery that is gone": (_spooled_and_gone, {"gateway": 1}),
    "deliveries that left the spool and never arrived": (_drained_and_never_read, {"gateway": 8}),
    "records deleted before they were read": (_deleted_unread, {"gateway": 1}),
}


@pytest.mark.parametrize(("plant", "expected"), LOSSES.values(), ids=LOSSES.keys())
async def test_a_planted_loss_is_found_and_named(
    plant: Plant, expected: dict[str, int], bus: Bus, admin: Admin
) -> None:
    bus.deliver(failed(number=1))
    await bus.finish()

    await plant(bus, admin)
    await bus.finish()

    audit = await bus.fresh_audit()
    found = dict.fromkeys(expected, 0)
    for each in missing(audit):
        found[each.group] = found.get(each.group, 0) + each.missing
        assert each.why
    assert found == expected


async def test_what_a_person_accepted_is_no_gap_any_more(bus: Bus, admin: Admin, database: Database) -> None:
    bus.deliver(failed(number=1))
    await bus.finish()
    await _record_stepped_over(bus, admin)
    operator = await asyncpg.connect(database.operator, server_settings={"search_path": "gateway"})

    [amiss] = await operator.fetch(store.AMISS, "gateway", "rmm.raw", None)
    await operator.execute(store.ACCEPT, "gateway", "rmm.raw", None)

    assert amiss["stepped_over"] == 1
    assert await operator.fetch(store.AMISS, "gateway", "rmm.raw", None) == []
    assert (await bus.fresh_audit()).gaps == 0
    bus.deliver(failed(number=3))
    await bus.finish()
    assert (await bus.fresh_audit()).gaps == 0
    await operator.close()


STEPS = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, 9)),
    st.tuples(st.just("stray"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["garbage", "unknown", "own", "release", "replay", "restart"]), st.just(0)),
    st.tuples(st.sampled_from([f"read {name}" for name in SCHEMAS]), st.integers(1, 3)),
    st.tuples(st.sampled_from([f"relay {name}" for name in SCHEMAS[:3]]), st.integers(0, 4)),
)
KINDS = ("device.online", "device.seen", "patch.install_failed", "alert.raised")


async def _do(bus: Bus, admin: Admin, step: str, number: int) -> None:
    match step.split():
        case ["deliver"]:
            bus.deliver(_of_kind(KINDS[number % len(KINDS)], number))
        case ["stray"]:
            bus.deliver(failed("stray", number=number, organisation="Elsewhere"))
        case ["garbage"]:
            bus.deliver(garbage())
        case ["unknown"]:
            bus.deliver(told("nobody.knows.this"))
        case ["read", name]:
            await bus.read(name, number)
        case ["relay", name]:
            await bus.relay(name, dies=number == 0)
        case _:
            await _by_person(bus, admin, step)


async def _by_person(bus: Bus, admin: Admin, step: str) -> None:
    match step:
        case "own":
            if not await admin.fetchval("SELECT true FROM gateway.client_mapping WHERE organisation = 'Elsewhere'"):
                await own(admin, "Elsewhere")
        case "release":
            await bus.release()
        case "replay":
            if sum(len(log) for place, log in bus.logs.by_place.items() if place.topic.endswith(".dlq")) < 9:
                bus.replay()
        case _:
            bus.watch._barriers.clear()


def _of_kind(kind: str, number: int) -> RawDelivery:
    if kind.startswith("patch"):
        return failed(f"d{number % 2}", number=number)
    if kind.startswith("alert"):
        return told(kind, f"d{number % 2}", number=number, alert="a1", title="hot")
    return told(kind, f"d{number % 2}", number=number)


@given(steps=st.lists(STEPS, min_size=5, max_size=30))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_nothing_that_happens_every_day_is_a_gap(steps: list[tuple[str, int]], bus: Bus, admin: Admin) -> None:
    await empty(admin)
    fresh = Bus(bus.pools, bus.watch._connection)
    for step, number in steps:
        await _do(fresh, admin, step, number)
        audit = await fresh.audit()
        assert audit.gaps == 0, (step, missing(audit))
    await fresh.finish()

    audit = await fresh.fresh_audit()

    assert (audit.gaps, verdicts(audit) - {"balanced"}, audit.judged) == (0, set(), EVERYBODY)
