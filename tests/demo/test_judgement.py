"""The judgement, on a day that went well and on days with one thing wrong each."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged
from contracts.events.event import Event, Method, OsFamily, Severity, Tier
from contracts.events.obligation import DeviceLabel, FigurePublished, ObligationStateChanged, State
from contracts.events.rmm import PatchInstallFailed, PatchRef
from patchline.demo.database import Parked, Silent, Stored, StoredObligation
from patchline.demo.judgement import Found, judged
from patchline.demo.subscriber import Letter, Seen
from patchline.demo.tracker import Issue
from simulators import releases
from simulators.day import Day
from simulators.deliveries import Delivery, Nature
from simulators.fleet import CLIENTS, NINJAONE_MAIN, Device
from simulators.ledger import Cell, Ledger, Owed, ledger
from simulators.plan import Plan
from simulators.releases import PATCH_TUESDAY
from simulators.script import NOW, Happening, Scan, What
from simulators.sender import Sent

AT = datetime(2025, 1, 15, 9, tzinfo=UTC)
UPDATE = releases.WINDOWS_11_24H2.update
LINE = UPDATE.fix_line
TENANT = ids.tenant_id(CLIENTS[0].name)
SOURCE = NINJAONE_MAIN.full_name
DEVICE = Device(
    source=NINJAONE_MAIN,
    number=1,
    client=CLIENTS[0],
    hostname="HDG-WS-001",
    system=releases.WINDOWS_11_24H2,
    tier="workstation",
    serial="S1",
    booted_at=PATCH_TUESDAY,
)
FAILURE = Happening(what=What.FAILED, device=DEVICE, at=AT, release=UPDATE, build="26100.2605", booted_at=PATCH_TUESDAY)


def delivery(nature: Nature, body: bytes, happening: Happening | None = None, name: str = "x") -> Delivery:
    return Delivery(
        nature=nature, name=name, source=NINJAONE_MAIN, body=body, delivery_id=str(body), happening=happening
    )


DELIVERIES = (
    delivery(Nature.TRUE, b"true", FAILURE),
    delivery(Nature.REPEATED, b"true", FAILURE),
    delivery(Nature.UGLY, b"ugly"),
    delivery(Nature.UNKNOWN_CODE, b"unknown", name="NEW_CODE"),
    delivery(Nature.UNMAPPED, b"unmapped"),
    delivery(Nature.FORGED, b"forged"),
)


@pytest.fixture
def book() -> Ledger:
    scan = Scan(
        device=DEVICE,
        at=AT - timedelta(hours=1),
        missing=(UPDATE,),
        build="",
        booted_at=PATCH_TUESDAY,
        restart_pending=False,
    )
    day = Day(seed=1, devices=(DEVICE,), happenings=(FAILURE,), scans=(scan,))
    accepted = [each for each in DELIVERIES if each.nature is not Nature.FORGED]
    return ledger(Plan(day=day, deliveries=DELIVERIES), accepted, {SOURCE: [AT]}, NOW)


def envelope(data: Event, subject: str, number: int = 1) -> Envelope:
    return Envelope(
        id=ids.event_id_of_vendor(SOURCE, str(number)),
        source=SOURCE,
        subject=subject,
        time=AT,
        received=NOW,
        data=data,
        tenant=TENANT,
        sequence=number,
    )


def failed_event(number: int = 1) -> Envelope:
    patch = PatchRef(patch="KB5050009", kb=UPDATE.kb, title=UPDATE.title)
    return envelope(PatchInstallFailed(device="1", method=Method.WEBHOOK, patch=patch), "1", number)


def good() -> Found:
    """Return what is found when everything is as it should be."""
    assert LINE is not None
    requirement = str(ids.requirement_id(LINE.product, LINE.train))
    asset = AssetChanged(
        asset="a1",
        source=SOURCE,
        device="1",
        hostname="HDG-WS-001",
        os_family=OsFamily.WINDOWS,
        tier=Tier.WORKSTATION,
        first_seen_at=AT,
        last_seen_at=AT,
    )
    changed = ObligationStateChanged(
        label=DeviceLabel(asset="a1", source=SOURCE, device="1"),
        requirement=requirement,
        product=LINE.product,
        train=LINE.train,
        state=State.FAILED,
        why="it failed",
        failures=1,
    )
    figure = FigurePublished(
        os_family=OsFamily.WINDOWS,
        tier=Tier.WORKSTATION,
        severity=Severity.CRITICAL,
        as_of=NOW,
        as_known=NOW,
        population=1,
        counts={State.FAILED: 1, State.VERIFIED: 0},
        percent=0.0,
        policy="p",
        catalog="c",
        tzdata="t",
    )
    key = ids.ticket_key(TENANT, "patch_failed", requirement, 1)
    return Found(
        sent=[Sent(each, 401 if each.nature is Nature.FORGED else 202, 1) for each in DELIVERIES],
        seen=Seen(
            webhooks=Counter((SOURCE, each.body) for each in DELIVERIES[:-1]),
            events=[failed_event()],
            assets={"a1": envelope(asset, "a1")},
            obligations={("a1", requirement): envelope(changed, "a1")},
            figures={"f": envelope(figure, "f")},
            letters=[Letter("rmm.raw", SOURCE, b"ugly", "not JSON", "r1")],
        ),
        stored=Stored(
            obligations={
                Owed(SOURCE, "1", LINE.product, LINE.train): StoredObligation(
                    cell=Cell("Hudson Dental Group", "windows", "workstation", "critical"),
                    state="FAILED",
                    failures=1,
                    why="it failed",
                )
            },
            parked=[Parked(source=SOURCE, organisation="99", reason="no client", events=1)],
            unknown_codes={"SYSTEM.NEW_CODE": 1},
            silent=[Silent(source="rmm/ninjaone/branch", failures=3, reason="HTTP 504")],
        ),
        issues=[
            Issue(
                number="1", key=key, title="t", client="c", is_open=True, devices=Counter({"HDG-WS-001": 1}), notes=()
            )
        ],
    )  # fmt: skip


def test_a_day_that_went_well_is_good_in_every_check(book: Ledger) -> None:
    checks = judged(book, good())

    assert [check.name for check in checks if not check.is_good] == []
    assert len(checks) >= 12


def test_a_device_that_had_no_name_yet_is_known_by_its_id(book: Ledger) -> None:
    nameless = issue(devices=Counter({"1": 1}))(good())

    assert [check.name for check in judged(book, nameless) if not check.is_good] == []


def seen(change: Callable[[Seen], Any]) -> Callable[[Found], Found]:
    def changed(found: Found) -> Found:
        change(found.seen)
        return found

    return changed


def issue(**changes: Any) -> Callable[[Found], Found]:
    return lambda found: replace(found, issues=[replace(found.issues[0], **changes)])


def stored(**changes: Any) -> Callable[[Found], Found]:
    return lambda found: replace(found, stored=replace(found.stored, **changes))


def obligation(**changes: Any) -> Callable[[Found], Found]:
    def changed(found: Found) -> Found:
        [(owed, one)] = found.stored.obligations.items()
        return replace(found, stored=replace(found.stored, obligations={owed: replace(one, **changes)}))

    return changed


def answered(position: int, status: int | None) -> Callable[[Found], Found]:
    def changed(found: Found) -> Found:
        sent = list(found.sent)
        sent[position] = replace(sent[position], status=status)
        return replace(found, sent=sent)

    return changed


@pytest.mark.parametrize(
    ("spoil", "name", "lost", "doubled"),
    [
        pytest.param(answered(0, 503), "webhooks accepted", 0, 0, id="a webhook was never accepted"),
        pytest.param(answered(5, 202), "forged deliveries answered 401", 0, 0, id="a forged one was believed"),
        pytest.param(
            seen(lambda it: it.webhooks.pop((SOURCE, b"true"))), "bodies kept as evidence", 1, 0, id="a body is gone"
        ),
        pytest.param(seen(lambda it: it.events.clear()), "events told by webhooks", 1, 0, id="an event is lost"),
        pytest.param(
            seen(lambda it: it.events.append(failed_event(2))), "events told by webhooks", 0, 1, id="an event twice"
        ),
        pytest.param(seen(lambda it: it.letters.clear()), "dead letters", 1, 0, id="a dead letter is lost"),
        pytest.param(
            seen(lambda it: it.letters.extend(it.letters[:])), "dead letters", 0, 1, id="a dead letter is there twice"
        ),
        pytest.param(
            seen(lambda it: it.letters.append(Letter("tickets", SOURCE, b"?", "a bug", "r2"))),
            "dead letters",
            0,
            1,
            id="something else was refused",
        ),
        pytest.param(stored(parked=[]), "events parked for a mapping", 1, 0, id="a parked event is lost"),
        pytest.param(stored(unknown_codes={}), "unknown codes counted", 1, 0, id="an unknown code is not counted"),
        pytest.param(stored(lost_webhooks={"rmm/datto/clinic": 1}), "lost webhooks noticed", 0, 1, id="none was lost"),
        pytest.param(stored(silent=[]), "sources known to be silent", 1, 0, id="nobody noticed the silence"),
        pytest.param(seen(lambda it: it.assets.clear()), "devices in the inventory", 1, 0, id="a device is missing"),
        pytest.param(stored(obligations={}), "obligations", 1, 0, id="an obligation is missing"),
        pytest.param(obligation(state="VERIFIED"), "obligations", 0, 0, id="a state is wrong"),
        pytest.param(obligation(failures=2), "failures counted", 0, 1, id="a failure is counted twice"),
        pytest.param(
            seen(lambda it: it.obligations.clear()), "states published as stored", 1, 0, id="a state was never told"
        ),
        pytest.param(seen(lambda it: it.figures.clear()), "figures published", 1, 0, id="a figure is missing"),
        pytest.param(lambda found: replace(found, issues=[]), "tickets", 1, 0, id="a ticket is missing"),
        pytest.param(
            lambda found: replace(found, issues=[*found.issues, replace(found.issues[0], number="2")]),
            "tickets",
            0,
            1,
            id="two tickets for one matter",
        ),
        pytest.param(issue(is_open=False), "tickets", 0, 0, id="a ticket was resolved without proof"),
        pytest.param(issue(devices=Counter()), "devices on tickets", 1, 0, id="a device is on no ticket"),
        pytest.param(
            issue(devices=Counter({"HDG-WS-001": 2})), "devices on tickets", 0, 1, id="a device was noted twice"
        ),
    ],
)
def test_one_thing_wrong_is_found(
    book: Ledger, *, spoil: Callable[[Found], Found], name: str, lost: int, doubled: int
) -> None:
    checks = {check.name: check for check in judged(book, spoil(good()))}

    assert not checks[name].is_good
    assert (checks[name].lost, checks[name].doubled) == (lost, doubled)
    assert checks[name].examples or name == "events parked for a mapping"


def test_a_figure_whose_states_do_not_sum_to_its_population_is_wrong(book: Ledger) -> None:
    found = good()
    one = found.seen.figures["f"]
    told = one.data
    assert isinstance(told, FigurePublished)
    found.seen.figures["f"] = one._replace(data=told.model_copy(update={"population": 7}))

    checks = {check.name: check for check in judged(book, found)}

    assert checks["figures published"].wrong == 1
