"""The oracle, on days small enough to judge by hand."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import ids
from simulators import releases
from simulators.day import Day
from simulators.deliveries import Delivery, Nature
from simulators.fleet import CLIENTS, DATTO_CLINIC, NINJAONE_MAIN, PATCHLINE_SCRIPTS, Device, Source
from simulators.ledger import FAILED_UNCATALOGUED, PATCH_FAILED, Cell, Ledger, Owed, Told, ledger
from simulators.plan import Plan
from simulators.releases import PATCH_TUESDAY, Release, System
from simulators.script import NOW, Happening, Scan, What

UPDATE = releases.WINDOWS_11_24H2.update
DECEMBER = releases.WINDOWS_11_24H2.superseded or UPDATE
EIGHT, NINE, TEN, ELEVEN, TWELVE, EVENING = (datetime(2025, 1, 15, hour, tzinfo=UTC) for hour in (8, 9, 10, 11, 12, 19))
NIGHT = datetime(2025, 1, 14, 22, tzinfo=UTC)
LONG_AGO = PATCH_TUESDAY - timedelta(days=40)
BEFORE = "26100.2605"


def device(
    number: int = 1,
    *,
    tier: str = "workstation",
    source: Source = NINJAONE_MAIN,
    system: System = releases.WINDOWS_11_24H2,
    client: int = 0,
) -> Device:
    return Device(
        source=source,
        number=number,
        client=CLIENTS[client],
        hostname=f"WS-{number:03}",
        system=system,
        tier=tier,
        serial=f"S{number}",
        booted_at=LONG_AGO,
    )


def happening(
    what: What,
    at: datetime,
    *,
    of: Device | None = None,
    release: Release | None = None,
    told: bool = True,
    booted_at: datetime = LONG_AGO,
) -> Happening:
    return Happening(
        what=what, device=of or device(), at=at, release=release, build=BEFORE, booted_at=booted_at, told=told
    )


def installed(at: datetime, *, of: Device | None = None, release: Release = UPDATE, told: bool = True) -> Happening:
    return happening(What.INSTALLED, at, of=of, release=release, told=told)


def failed(at: datetime, *, of: Device | None = None, release: Release = UPDATE, told: bool = True) -> Happening:
    return happening(What.FAILED, at, of=of, release=release, told=told)


def restarted(at: datetime, *, of: Device | None = None) -> Happening:
    return happening(What.RESTARTED, at, of=of, booted_at=at)


def pending(at: datetime, *, of: Device | None = None) -> Happening:
    return happening(What.RESTART_PENDING, at, of=of)


def scan(at: datetime, *missing: Release, of: Device | None = None) -> Scan:
    return Scan(device=of or device(), at=at, missing=missing, build=BEFORE, booted_at=LONG_AGO, restart_pending=False)


def delivery(told: Happening | None, nature: Nature = Nature.TRUE, name: str = "") -> Delivery:
    return Delivery(
        nature=nature,
        name=name,
        source=NINJAONE_MAIN,
        body=b"{}",
        delivery_id=f"{nature}/{name}/{told}",
        happening=told,
    )


def judged(
    happenings: Sequence[Happening] = (),
    scans: Sequence[Scan] = (),
    *,
    devices: Sequence[Device] | None = None,
    polls: Sequence[datetime] = (NIGHT, EVENING),
    others: Sequence[Delivery] = (),
    now: datetime = NOW,
    after: Happening | None = None,
) -> Ledger:
    day = Day(
        seed=0,
        devices=tuple(devices or (device(),)),
        happenings=tuple(sorted(happenings, key=lambda each: each.at)),
        scans=tuple(sorted(scans, key=lambda each: each.at)),
    )
    deliveries = (*(delivery(each) for each in happenings if each.told), *others)
    return ledger(Plan(day=day, deliveries=deliveries), deliveries, {NINJAONE_MAIN.full_name: polls}, now, after=after)


def state_of(book: Ledger, release: Release = UPDATE, of: Device | None = None) -> str:
    one, line = of or device(), release.fix_line
    assert line is not None
    return book.standings[Owed(one.source.full_name, one.vendor_id, line.product, line.train)].state


LISTED, GONE, STILL = scan(NIGHT, UPDATE), scan(TWELVE), scan(TWELVE, UPDATE)
EARLIER = scan(PATCH_TUESDAY - timedelta(hours=2), DECEMBER)
LATELY = NOW - timedelta(days=21)
TAKEN_OFF, REJECTED = (happening(what, NINE, release=UPDATE) for what in (What.ROLLED_BACK, What.REJECTED))
CASES: list[tuple[str, list[Happening], list[Scan], str]] = [
    (
        "a later scan without it and a later start prove it",
        [installed(NINE), restarted(TEN)],
        [LISTED, GONE],
        "VERIFIED",
    ),
    ("a scan without it but no start: it waits", [installed(NINE)], [LISTED, GONE], "PENDING_REBOOT"),
    ("a start but no later scan: only a word", [installed(NINE), restarted(TEN)], [LISTED], "REPORTED_UNVERIFIED"),
    ("a start before the claim proves nothing", [restarted(EIGHT), installed(NINE)], [LISTED, GONE], "PENDING_REBOOT"),
    (
        "a scan before the claim proves nothing",
        [installed(NINE), restarted(TEN)],
        [LISTED, scan(EIGHT)],
        "REPORTED_UNVERIFIED",
    ),
    ("listed after the restart: contradicted", [installed(NINE), restarted(TEN)], [LISTED, STILL], "CONTRADICTED"),
    ("listed before the restart: it waits", [installed(NINE)], [LISTED, STILL], "PENDING_REBOOT"),
    ("a failure stands", [failed(NINE)], [LISTED, STILL], "FAILED"),
    ("a failure, then proof", [failed(EIGHT), installed(NINE), restarted(TEN)], [LISTED, GONE], "VERIFIED"),
    ("a failure after a claim", [installed(EIGHT), failed(NINE)], [LISTED, STILL], "FAILED"),
    ("taken off again: missing", [installed(EIGHT), TAKEN_OFF], [LISTED, STILL], "MISSING_IN_SLA"),
    ("rejected is no exception: missing", [REJECTED], [LISTED, STILL], "MISSING_IN_SLA"),
    ("listed and untouched: missing", [], [LISTED, STILL], "MISSING_IN_SLA"),
    ("December was lacking too: its clock runs on", [], [EARLIER, LISTED], "MISSING_OVERDUE"),
    ("never scanned: unknown", [], [], "UNKNOWN"),
    ("last scanned three weeks ago: stale", [], [scan(LATELY, DECEMBER)], "STALE"),
    ("a failure of three weeks ago still stands", [failed(LATELY)], [scan(LATELY, UPDATE)], "FAILED"),
]


@pytest.mark.parametrize(("happenings", "scans", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_the_state_of_an_update(happenings: list[Happening], scans: list[Scan], expected: str) -> None:
    polls = sorted({NIGHT, EVENING, *(scan.at for scan in scans)})

    assert state_of(judged(happenings, scans, polls=polls)) == expected


DUE_AT = (PATCH_TUESDAY.astimezone(ZoneInfo(CLIENTS[0].zone)) + timedelta(days=7)).astimezone(UTC)
SECOND = timedelta(seconds=1)
LATE_CASES: list[tuple[str, list[Happening], list[Scan], datetime, bool]] = [
    ("a second before its deadline it is not", [], [LISTED], DUE_AT - SECOND, False),
    ("at its deadline it is", [], [LISTED], DUE_AT, True),
    ("a failure that is overdue is late too", [failed(NINE)], [LISTED, STILL], DUE_AT, True),
    ("one that is not overdue is not", [failed(NINE)], [LISTED, STILL], DUE_AT - SECOND, False),
    ("what is only claimed is late", [installed(NINE), restarted(TEN)], [LISTED], DUE_AT, True),
    ("what is proven is not", [installed(NINE), restarted(TEN)], [LISTED, GONE], DUE_AT, False),
    ("what was never scanned is late", [], [], DUE_AT, True),
    ("an older one that lacked counts from its own release", [], [EARLIER, LISTED], NOW, True),
]


@pytest.mark.parametrize(
    ("happenings", "scans", "now", "expected"), [pytest.param(*case[1:], id=case[0]) for case in LATE_CASES]
)
def test_whether_an_update_is_late(
    happenings: list[Happening], scans: list[Scan], now: datetime, *, expected: bool
) -> None:
    polls = sorted({NIGHT, EVENING, *(scan.at for scan in scans)})

    [standing] = judged(happenings, scans, polls=polls, now=now).standings.values()

    assert standing.is_late is expected


def test_what_no_poll_saw_is_not_known() -> None:
    told, seen = [installed(NINE), restarted(TEN)], [scan(NIGHT, UPDATE), scan(TWELVE)]

    assert state_of(judged(told, seen, polls=[NIGHT, EVENING])) == "VERIFIED"
    assert state_of(judged(told, seen, polls=[NIGHT])) == "REPORTED_UNVERIFIED"


def test_a_lost_webhook_is_mended_by_the_next_poll() -> None:
    lost = [installed(NINE, told=False), restarted(TEN)]

    book = judged(lost, [scan(NIGHT, UPDATE), scan(TWELVE)])

    assert state_of(book) == "VERIFIED"
    assert book.told == {Told("rmm/ninjaone/main", "1", What.RESTARTED, round(TEN.timestamp() * 1000), ""): 1}


def clinic(
    happenings: Sequence[Happening], *, polls: Sequence[datetime] = (NIGHT, NOW + timedelta(minutes=1))
) -> Ledger:
    day = Day(seed=0, devices=(alerting(),), happenings=tuple(happenings), scans=(scan(NIGHT, of=alerting()),))
    sent = tuple(delivery(each) for each in happenings if each.told)
    return ledger(Plan(day=day, deliveries=sent), sent, {DATTO_CLINIC.full_name: polls}, NOW)


def alerting() -> Device:
    return device(source=DATTO_CLINIC)


@pytest.mark.parametrize(
    ("happenings", "expected"),
    [
        pytest.param([], "UNKNOWN", id="what nobody scans is unknown"),
        pytest.param([failed(NOW, of=alerting())], "FAILED", id="an alert told that it failed"),
        pytest.param([failed(NOW, of=alerting(), told=False)], "FAILED", id="the poll found the alert"),
        pytest.param(
            [failed(NOW, of=alerting()), installed(NOW, of=alerting(), told=False)],
            "FAILED",
            id="no alert and no poll tells that it installed",
        ),
        pytest.param(
            [replace(pending(NOW, of=alerting()), told=False)], "UNKNOWN", id="a pending restart names no update"
        ),
    ],
)
def test_what_datto_can_show_of_an_update(happenings: list[Happening], expected: str) -> None:
    assert state_of(clinic(happenings), of=alerting()) == expected


def test_an_alert_that_failed_tells_two_things_without_a_moment() -> None:
    told = clinic([failed(NOW, of=alerting())]).told

    source, uid = DATTO_CLINIC.full_name, alerting().vendor_id
    assert told == {Told(source, uid, What.ALERT, 0, ""): 1, Told(source, uid, What.FAILED, 0, UPDATE.kb or ""): 1}


def test_a_lost_alert_is_found_and_counted_by_a_poll_after_it_only() -> None:
    lost = [failed(NOW, of=alerting(), told=False)]

    assert clinic(lost).lost_webhooks == {DATTO_CLINIC.full_name: 1}
    assert clinic(lost, polls=[NIGHT]).lost_webhooks == {}
    assert state_of(clinic(lost, polls=[NIGHT]), of=alerting()) == "UNKNOWN"


def test_a_source_without_an_api_tells_its_scans_itself() -> None:
    kiosk = device(source=PATCHLINE_SCRIPTS, tier="kiosk")

    book = judged(
        [installed(NINE, of=kiosk), restarted(TEN, of=kiosk)],
        [scan(NIGHT, UPDATE, of=kiosk), scan(TWELVE, of=kiosk)],
        devices=[kiosk],
        polls=[],
    )

    assert state_of(book, of=kiosk) == "VERIFIED"


def test_a_server_is_overdue_a_day_after_a_critical_release_and_a_workstation_is_not() -> None:
    server, other = device(1, tier="server"), device(2)

    book = judged(scans=[scan(NIGHT, UPDATE, of=each) for each in (server, other)], devices=[server, other])

    assert state_of(book, of=server) == "MISSING_OVERDUE"
    assert state_of(book, of=other) == "MISSING_IN_SLA"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([], "REPORTED_UNVERIFIED", id="no restart at all"),
        pytest.param([restarted(TEN)], "VERIFIED", id="restarted for another reason"),
        pytest.param([pending(TEN)], "PENDING_REBOOT", id="the device waits for a restart"),
    ],
)
def test_a_program_needs_no_restart_of_its_own_but_its_proof_needs_one(told: list[Happening], expected: str) -> None:
    book = judged(
        [installed(NINE, release=releases.CHROME), *told],
        [scan(NIGHT, releases.CHROME, UPDATE), scan(TWELVE, UPDATE)],
    )

    assert state_of(book, releases.CHROME) == expected


def test_a_device_owes_a_program_only_once_something_was_said_of_it() -> None:
    book = judged(scans=[scan(NIGHT, UPDATE, releases.LINE_OF_BUSINESS)])

    assert [owed.product for owed in book.standings] == ["Windows 11 24H2 x64"]


def test_states_are_counted_by_client_system_tier_and_severity_and_sum_to_the_population() -> None:
    fleet = [device(1), device(2), device(3, tier="server"), device(4, client=1)]

    cells = judged(scans=[scan(NIGHT, UPDATE, of=each) for each in fleet], devices=fleet).partitions()

    assert cells == {
        Cell("Hudson Dental Group", "windows", "workstation", "critical"): {"MISSING_IN_SLA": 2},
        Cell("Hudson Dental Group", "windows", "server", "critical"): {"MISSING_OVERDUE": 1},
        Cell("Spreewerk Logistik", "windows", "workstation", "critical"): {"MISSING_IN_SLA": 1},
    }


def test_devices_of_one_client_share_a_ticket_and_each_counts_its_own_failures() -> None:
    one, two, elsewhere = device(1), device(2), device(3, client=1)
    told = [failed(NINE, of=one), failed(TEN, of=two), failed(ELEVEN, of=two), failed(NINE, of=elsewhere)]

    tickets = judged(told, devices=[one, two, elsewhere]).tickets

    subject = str(ids.requirement_id("Windows 11 24H2 x64", "cumulative"))
    assert [(each.client, each.kind, each.subject, each.failures) for each in tickets] == [
        ("Hudson Dental Group", PATCH_FAILED, subject, {"WS-001": 1, "WS-002": 2}),
        ("Spreewerk Logistik", PATCH_FAILED, subject, {"WS-003": 1}),
    ]
    hudson = ids.tenant_id("Hudson Dental Group")
    assert tickets[0].key == ids.ticket_key(hudson, PATCH_FAILED, subject, 1)


def test_a_ticket_that_a_person_closed_stays_closed_and_what_failed_afterwards_has_the_next_one() -> None:
    one, two, elsewhere = device(1), device(2), device(3, client=1)
    again = failed(EVENING + timedelta(minutes=30), of=one)
    told = [failed(NINE, of=one), failed(TEN, of=two), failed(NINE, of=elsewhere), again]

    book = judged(told, devices=[one, two, elsewhere], after=again)

    found = [(each.client, each.key[-3:], each.is_open, each.failures) for each in book.tickets]
    assert found == [
        ("Hudson Dental Group", "-g1", False, {"WS-001": 1, "WS-002": 1}),
        ("Hudson Dental Group", "-g2", True, {"WS-001": 1}),
        ("Spreewerk Logistik", "-g1", True, {"WS-003": 1}),
    ]
    assert book.closed_by_hand == (book.tickets[0].key,)
    assert book.standings[Owed(one.source.full_name, one.vendor_id, "Windows 11 24H2 x64", "cumulative")].failures == 2


def proven(of: Device) -> list[Happening]:
    return [failed(EIGHT, of=of), installed(NINE, of=of), restarted(TEN, of=of)]


@pytest.mark.parametrize(
    ("of_the_second", "is_open"),
    [
        pytest.param(proven, False, id="both are proven"),
        pytest.param(lambda of: [failed(EIGHT, of=of)], True, id="one still fails"),
        pytest.param(lambda of: [failed(EIGHT, of=of), installed(NINE, of=of)], True, id="one is only claimed"),
    ],
)
def test_a_ticket_is_resolved_when_every_device_on_it_is_proven(
    of_the_second: Callable[[Device], list[Happening]], *, is_open: bool
) -> None:
    one, two = device(1), device(2)
    scans = [scan(at, *missing, of=each) for each in (one, two) for at, missing in ((NIGHT, (UPDATE,)), (TWELVE, ()))]

    [ticket] = judged([*proven(one), *of_the_second(two)], scans, devices=[one, two]).tickets

    assert ticket.is_open is is_open


def test_what_no_catalog_knows_has_a_ticket_of_its_own_kind_and_no_obligation() -> None:
    program = releases.LINE_OF_BUSINESS

    book = judged([failed(NINE, release=program)], [scan(NIGHT, UPDATE, program)])
    mended = judged([failed(NINE, release=program), installed(TEN, release=program)], [scan(NIGHT, UPDATE, program)])

    assert [(each.kind, each.is_open) for each in book.tickets] == [(FAILED_UNCATALOGUED, True)]
    assert [(each.kind, each.is_open) for each in mended.tickets] == [(FAILED_UNCATALOGUED, False)]


def test_dirt_is_counted_once_whatever_is_repeated() -> None:
    unmapped = delivery(failed(NINE), Nature.UNMAPPED)
    others = [
        delivery(None, Nature.UGLY, "cut off"),
        delivery(None, Nature.UNKNOWN_CODE, "NEW_CODE"),
        unmapped,
        unmapped,
    ]

    book = judged(others=others)

    assert [each.name for each in book.dead_letters] == ["cut off"]
    assert book.unknown_codes == {"NEW_CODE": 1}
    assert book.parked == 1
