"""How a reading of devices differs from the one before, and how it is cut into records."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from contracts.events.event import Tier
from services.gateway.polling import rules_poll, rules_schedule
from services.gateway.polling.rules_collect import Collected, ScanMoment
from services.gateway.polling.rules_snapshot import Change, Key, Known, Snapshot
from services.gateway.vendors.ninjaone_reading import DeviceDifference, Reading
from tests.builders import HOUR, MINUTE, NOON
from tests.gateway.poll_rows import attempt_row, collected, device_row, patch_row, reading


class Memory:
    """What the database would keep between polls; a snapshot goes through JSON as it does there."""

    def __init__(self) -> None:
        self.snapshots: dict[Key, Snapshot] = {}

    def poll(self, found: Collected, read_at: datetime = NOON) -> list[DeviceDifference]:
        known = {key: Known(each.digest, each.scanned_at) for key, each in self.snapshots.items()}
        changes: list[Change[DeviceDifference]] = [
            rules_poll.change(one, keys, {key: self.snapshots[key] for key in keys if key in self.snapshots}, read_at)
            for one, keys in rules_poll.differing(found.readings(), known)
        ]
        for snapshot in (each for change in changes for each in change.snapshots):
            facts = json.loads(json.dumps(snapshot.facts))
            kept = Snapshot(snapshot.kind, snapshot.device, snapshot.digest, snapshot.scanned_at, facts)
            self.snapshots[snapshot.kind, snapshot.device] = kept
        return [entry for change in changes for entry in change.entries]


def once(*devices: Mapping[str, object], **others: object) -> Collected:
    return collected(devices=tuple(dict(each) for each in devices), **others)  # type: ignore[arg-type]  # rows


def told(entries: list[DeviceDifference]) -> list[set[str]]:
    """Return which fields each entry tells, its place aside."""
    return [set(entry.model_dump(exclude_defaults=True)) - {"device", "organisation", "site"} for entry in entries]


def test_a_new_device_is_told_whole() -> None:
    first, scanned, *_ = Memory().poll(once(device_row()))

    assert (first.device, first.organisation, first.site) == ("4821", "17", "21")
    assert first.facts is not None
    assert first.facts.model_dump(mode="json", exclude_none=True) == {
        "hostname": "host-4821",
        "os_family": "windows",
        "os_name": "Windows Server 2025",
        "os_version": "24H2",
        "os_build": "26100",
        "tier": "server",
        "serial": "S4821",
    }
    assert first.boot is not None
    assert (first.boot.booted_at, first.boot.read_at, first.boot.os_build) == (
        NOON - 48 * HOUR,
        NOON - 48 * HOUR,
        "26100",
    )
    assert (first.offline, first.reboot) == (False, None)
    assert [scan.kind for scan in scanned.scans] == ["os"]


def test_an_unchanged_device_is_not_told() -> None:
    memory = Memory()
    memory.poll(once(device_row()))

    assert memory.poll(once(device_row(contact=NOON + HOUR)), NOON + HOUR) == []


CHANGES: dict[str, tuple[dict[str, object], set[str]]] = {
    "a name": ({"systemName": "renamed"}, {"facts"}),
    "an organisation": ({"organizationId": 18}, {"facts"}),
    "a site": ({"locationId": 22}, {"facts"}),
    "tags": ({"tags": ["kiosk"]}, {"facts"}),
    "offline": ({"offline": True}, {"offline"}),
    "a restart": ({"os": {"lastBootTime": (NOON - HOUR).timestamp()}}, {"boot"}),
    "a trembling boot time": ({"os": {"lastBootTime": (NOON - 48 * HOUR + MINUTE).timestamp()}}, set()),
    "a build": ({"os": {"buildNumber": "26200"}}, {"facts", "boot"}),
    "a restart needed": ({"os": {"needsReboot": True}}, {"reboot"}),
    "a boot time in milliseconds": ({"os": {"lastBootTime": (NOON - 48 * HOUR).timestamp() * 1000}}, set()),
    "decommissioned": ({"approvalStatus": "DECOMMISSIONED"}, {"removed"}),
    "no longer approved": ({"approvalStatus": "PENDING", "systemName": "other"}, set()),
}


@pytest.mark.parametrize(("changed", "fields"), CHANGES.values(), ids=CHANGES.keys())
def test_what_changed_is_told_and_nothing_else(changed: dict[str, object], fields: set[str]) -> None:
    memory = Memory()
    memory.poll(once(device_row()))
    row = device_row(contact=NOON + HOUR, **changed)  # type: ignore[arg-type]  # fields of a row

    entries = memory.poll(once(row), NOON + HOUR)

    assert told(entries) == ([fields] if fields else [])
    assert memory.poll(once(row), NOON + 2 * HOUR) == []


def test_a_boot_time_that_creeps_is_another_boot_in_the_end() -> None:
    memory = Memory()
    boots = [NOON + number * MINUTE for number in range(5)]

    entries = [memory.poll(once(device_row(os={"lastBootTime": at.timestamp()}))) for at in boots]

    assert [len(each) for each in entries[1:]] == [0, 0, 1, 0]


def test_a_build_read_later_is_a_reading_of_its_own_moment() -> None:
    memory = Memory()
    memory.poll(once(device_row()))

    [entry] = memory.poll(once(device_row(os={"buildNumber": "26200"})), NOON + HOUR)

    assert entry.boot is not None
    assert (entry.boot.booted_at, entry.boot.read_at) == (NOON - 48 * HOUR, NOON + HOUR)


def test_a_restart_that_needs_another_is_told_again() -> None:
    memory = Memory()
    pending = {"needsReboot": True}
    memory.poll(once(device_row(os=pending)))

    [entry] = memory.poll(once(device_row(os=pending | {"lastBootTime": (NOON - HOUR).timestamp()})))

    assert told([entry]) == [{"boot", "reboot"}]


def test_health_says_why_and_whether_it_is_online() -> None:
    health = {"deviceId": 4821, "offline": True, "pendingRebootReason": "WINDOWS_PM"}

    [entry] = Memory().poll(once(device_row(), health=(health,)))

    assert (entry.offline, entry.reboot) == (True, "WINDOWS_PM")


def test_a_device_that_is_missing_from_the_listing_is_neither_removed_nor_judged() -> None:
    memory = Memory()
    memory.poll(once(device_row(), patches=(patch_row(),)))

    half = memory.poll(once(patches=()), NOON + HOUR)
    whole = memory.poll(once(device_row(contact=NOON + HOUR), patches=(patch_row(at=NOON + HOUR),)), NOON + HOUR)

    assert half == []
    assert told(whole) == [{"scans"}]
    assert whole[0].scans[0].gone == ()


def test_an_offline_device_lists_nothing_and_proves_nothing() -> None:
    memory = Memory()
    memory.poll(once(device_row(), patches=(patch_row(),)))

    entries = memory.poll(once(device_row(offline=True, contact=NOON + HOUR)), NOON + HOUR)

    assert told(entries) == [{"offline"}]


def test_a_switch_reports_no_patches_and_is_never_scanned() -> None:
    entries = Memory().poll(once(device_row(nodeClass="NMS_SWITCH")))

    assert [entry.scans for entry in entries] == [()]


def test_a_removed_device_that_comes_back_is_told_whole() -> None:
    memory = Memory()
    memory.poll(once(device_row()))
    memory.poll(once(device_row(approvalStatus="DECOMMISSIONED")))

    [entry] = memory.poll(once(device_row()))

    assert entry.facts is not None


def test_each_attempt_is_told_once() -> None:
    memory = Memory()
    failed, again = attempt_row("FAILED", NOON - 2 * HOUR), attempt_row("FAILED", NOON - HOUR)
    first = memory.poll(once(device_row(), attempts=(failed,)))

    second = memory.poll(once(device_row(), attempts=(failed, again)))

    assert [len(entry.attempts) for entry in first if entry.attempts] == [1]
    assert [entry.attempts[0].at for entry in second if entry.attempts] == [NOON - HOUR]
    assert memory.poll(once(device_row(), attempts=(failed, again))) == []


def test_attempts_older_than_asked_for_are_let_be() -> None:
    entries = Memory().poll(once(device_row(), attempts=(attempt_row("FAILED", NOON - 31 * 24 * HOUR),)))

    assert all(not entry.attempts for entry in entries)


def test_an_attempt_of_a_device_that_is_off_is_told() -> None:
    memory = Memory()
    memory.poll(once(device_row()))

    entries = memory.poll(once(device_row(offline=True), attempts=(attempt_row("FAILED", NOON),)))

    assert told(entries) == [{"offline"}, {"attempts"}]


@pytest.mark.parametrize(
    "row", [{}, {"id": "main"}, {"id": 1, "os": []}], ids=["nothing", "a word as id", "a list as os"]
)
def test_a_device_that_cannot_be_read_is_counted(row: dict[str, object]) -> None:
    found = once(row, device_row())

    assert [one.row.device for one in found.readings()] == ["4821"]
    assert found.unread == 1


def test_a_row_that_names_no_device_puts_the_whole_list_in_doubt() -> None:
    memory = Memory()
    memory.poll(once(device_row(), patches=(patch_row(),)))

    entries = memory.poll(once(device_row(contact=NOON + HOUR), patches=({"id": "x"},)))

    assert all(not scan.gone for entry in entries for scan in entry.scans)


def test_without_belief_in_contacts_only_rows_date_a_scan() -> None:
    memory = Memory()
    memory.poll(once(device_row(), patches=(patch_row(),), scan_moment=ScanMoment.ROWS))

    later = once(device_row(contact=NOON + HOUR), scan_moment=ScanMoment.ROWS)

    assert memory.poll(later) == []


def test_a_tag_makes_a_kiosk() -> None:
    [one] = once(device_row(tags=["Kiosk"])).readings()

    assert one.row.facts.tier is Tier.KIOSK


def test_a_device_with_very_many_patches_is_told_in_several_entries() -> None:
    rows = tuple(patch_row(5_000_000 + number) for number in range(rules_poll.MOST_PATCHES + 1))

    scans = [entry.scans[0] for entry in Memory().poll(once(device_row(), patches=rows)) if entry.scans]

    lengths = [len(scan.appeared) for scan in scans if scan.kind == "os"]
    assert lengths == [rules_poll.MOST_PATCHES, 1]


def test_records_stay_below_their_size_and_lose_nothing() -> None:
    found = [DeviceDifference(device=f"device-{number}") for number in range(100)]

    records = list(rules_poll.records(found, NOON, 500))

    read = [Reading.model_validate_json(record) for record in records]
    assert [one.device for each in read for one in each.devices] == [one.device for one in found]
    assert max(map(len, records)) < 700
    assert {each.read_at for each in read} == {NOON}


def test_nothing_to_tell_is_no_record() -> None:
    assert list(rules_poll.records([], NOON, 500)) == []


def test_a_reading_of_one_device_has_its_lists() -> None:
    one = reading(patches=(patch_row(), patch_row(None, id=None, name="macOS 26.1")))

    assert set(one.lists["os"].by_patch) == {"KB5050000", "macOS 26.1"}


EVERY = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("failures", "retry_after", "expected"),
    [
        (1, None, timedelta(seconds=15)),
        (2, None, timedelta(seconds=30)),
        (50, None, EVERY),
        (1, 600.0, timedelta(seconds=600)),
        (50, 1.0, EVERY),
    ],
    ids=["once", "twice", "for long", "asked to wait", "asked to wait less"],
)
def test_a_failed_poll_is_tried_again_later_and_later(
    failures: int, retry_after: float | None, expected: timedelta
) -> None:
    at = rules_schedule.after_failure(NOON, EVERY, failures=failures, retry_after_seconds=retry_after, chance=0)

    assert at - NOON == expected


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_polls_are_spread(chance: float, share: float) -> None:
    assert rules_schedule.after_success(NOON, EVERY, chance) - NOON == EVERY * share


@pytest.mark.parametrize(("failures", "is_silent"), [(0, False), (2, False), (3, True), (9, True)])
def test_three_failures_in_a_row_are_silence(failures: int, is_silent: bool) -> None:  # noqa: FBT001 - a table
    assert rules_schedule.is_silent(failures) is is_silent
