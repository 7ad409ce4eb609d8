"""What the poller wrote becomes events; written again it becomes the same ones."""

from datetime import timedelta

from contracts.events import rmm
from contracts.events.event import Confidence, Method, Severity
from services.gateway.vendors.ninjaone_poll import translated
from services.gateway.vendors.ninjaone_reading import Attempt, DeviceDifference, Reading, Scan
from services.gateway.vendors.polled_device import Boot
from services.gateway.vendors.translation import Said
from tests.builders import HOUR, MINUTE, NOON, delivery

PATCH = rmm.PatchRef(patch="KB5050000", kb="5050000", title="2026-11 Cumulative", severity=Severity.CRITICAL)
OTHER = rmm.PatchRef(patch="7c1e")
FACTS = rmm.DeviceFacts(hostname="acme-dc01", os_build="26100.2605")

EVERYTHING = DeviceDifference(
    device="4821",
    organisation="17",
    site="21",
    facts=FACTS,
    offline=False,
    boot=Boot(booted_at=NOON - HOUR, read_at=NOON - HOUR, os_build="26100.2605"),
    reboot="WINDOWS_PM",
    scans=(Scan(kind="os", scanned_at=NOON - MINUTE, listed=1, appeared=(PATCH,), gone=(OTHER,)),),
    approved=(PATCH,),
    rejected=(OTHER,),
    attempts=(
        Attempt(outcome="INSTALLED", at=NOON - 2 * HOUR, patch=PATCH),
        Attempt(outcome="FAILED", at=NOON - 3 * HOUR, patch=PATCH),
    ),
)


def said(*devices: DeviceDifference, read_at: timedelta = timedelta()) -> list[Said]:
    reading = Reading(read_at=NOON + read_at, devices=devices)
    translation = translated(delivery(reading.model_dump_json(exclude_none=True).encode(), channel="poll"))
    assert not translation.problems
    return list(translation.said)


def test_a_difference_becomes_all_its_events() -> None:
    found = {type(each.event): (each.time, each.event) for each in said(EVERYTHING)}
    common = {
        "device": "4821",
        "organisation": "17",
        "site": "21",
        "method": Method.POLL,
        "confidence": Confidence.DERIVED,
    }
    scanned = NOON - MINUTE

    assert list(found.values()) == [
        (NOON, rmm.DeviceUpdated(**common, facts=FACTS)),
        (NOON, rmm.DeviceOnline(**common)),
        (NOON - HOUR, rmm.DeviceBooted(**common, booted_at=NOON - HOUR, os_build="26100.2605")),
        (NOON, rmm.PatchRebootPending(**common, reason="WINDOWS_PM")),
        (scanned, rmm.PatchDetected(**common, patch=PATCH, scanned_at=scanned)),
        (scanned, rmm.PatchNoLongerListed(**common, patch=OTHER, scanned_at=scanned)),
        (scanned, rmm.PatchScanCompleted(**common, scanned_at=scanned, listed=1)),
        (NOON, rmm.PatchApproved(**common, patch=PATCH)),
        (NOON, rmm.PatchRejected(**common, patch=OTHER)),
        (NOON - 2 * HOUR, rmm.PatchInstallReported(**common, patch=PATCH)),
        (NOON - 3 * HOUR, rmm.PatchInstallFailed(**common, patch=PATCH)),
    ]


def test_every_event_has_an_id_of_its_own() -> None:
    ids = [each.id for each in said(EVERYTHING)]

    assert len(set(ids)) == len(ids)


def test_the_same_facts_read_twice_are_the_same_events() -> None:
    scan = DeviceDifference(device="4821", scans=EVERYTHING.scans, attempts=EVERYTHING.attempts)

    assert {each.id for each in said(scan)} == {each.id for each in said(scan, read_at=timedelta(hours=1))}


def test_other_facts_at_one_moment_are_another_event() -> None:
    renamed = DeviceDifference(device="4821", facts=rmm.DeviceFacts(hostname="acme-dc02"))

    [one], [other] = said(DeviceDifference(device="4821", facts=FACTS)), said(renamed)

    assert one.id != other.id


def test_a_removed_and_an_offline_device_are_told() -> None:
    gone, off = said(DeviceDifference(device="1", removed="DECOMMISSIONED"), DeviceDifference(device="2", offline=True))

    assert isinstance(gone.event, rmm.DeviceRemoved)
    assert isinstance(off.event, rmm.DeviceOffline)


def test_a_record_of_another_shape_is_refused_with_the_field() -> None:
    translation = translated(delivery({"read_at": "2026-11-10T12:00:00Z", "devices": [{"device": 7}]}, channel="poll"))

    assert translation.problems == ("devices.0.device: Input should be a valid string",)
