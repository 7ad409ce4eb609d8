"""Any order and any repetition of what was said ends in the same registers, and in the same state."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import Method
from services.compliance.rules_fold import (
    CLAIMS,
    NO_SIGN,
    NO_WORD,
    WINDOW,
    DeviceRegisters,
    PatchRegisters,
    fold_device,
    fold_link,
    fold_patch,
)
from services.compliance.rules_registers import device_registers, patch_registers, stored
from tests.builders import ACME, BIRCH, of_device
from tests.compliance.stories import (
    DEC,
    DEC_BUILD,
    JAN,
    JAN_BUILD,
    A,
    B,
    approved,
    booted,
    failed,
    folded,
    gone,
    hour,
    judged,
    listed,
    read,
    ref,
    rejected,
    reported,
    restart_pending,
    scanned,
    taken_off,
)

PATCHES = st.sampled_from([JAN, DEC])
HOURS = st.integers(min_value=-40, max_value=40)
SOURCES = st.sampled_from([A, B])


BUILDS = st.sampled_from([DEC_BUILD, JAN_BUILD])

SAYINGS = st.one_of(
    st.builds(listed, HOURS, PATCHES, source=SOURCES),
    st.builds(gone, HOURS, PATCHES, source=SOURCES),
    st.builds(reported, HOURS, PATCHES, source=SOURCES),
    st.builds(failed, HOURS, PATCHES, source=SOURCES, code=st.none() | st.just("0x2"), method=st.sampled_from(Method)),
    st.builds(taken_off, HOURS, PATCHES, source=SOURCES),
    st.builds(scanned, HOURS, source=SOURCES, method=st.sampled_from(Method)),
    st.builds(booted, HOURS, st.none() | BUILDS, source=SOURCES),
    st.builds(read, HOURS, BUILDS, source=SOURCES),
    st.builds(approved, HOURS, PATCHES),
    st.builds(rejected, HOURS, PATCHES),
    st.builds(restart_pending, HOURS, st.none() | PATCHES),
)
"""Anything that can be said; few moments, so that many are said at the same one."""


def by_clock_of(event: Envelope, hours_ahead: float) -> Envelope:
    """Return the event as a device tells it whose clock is so far ahead of ours; negative: told that much later."""
    return event._replace(received=event.time - timedelta(hours=hours_ahead))


CLOCKS = st.sampled_from([0, 0, 0.05, 1, 30, -5, 24 * 365 * 70])
"""Hours ahead of ours; the last believes that it is the end of the century."""

BY_ANY_CLOCK = st.lists(st.builds(by_clock_of, SAYINGS, CLOCKS), max_size=25, unique_by=lambda each: each.id)


@given(BY_ANY_CLOCK, st.randoms(use_true_random=False), HOURS)
@settings(max_examples=150, deadline=None)
def test_order_and_repetition_do_not_matter(said: list[Envelope], chance: object, now: int) -> None:
    shuffled = said + said[: len(said) // 2]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis draws a random.Random

    devices, patches = folded(said)
    again_devices, again_patches = folded(shuffled)

    assert sorted(map(repr, again_devices)) == sorted(map(repr, devices))
    assert sorted(map(repr, again_patches)) == sorted(map(repr, patches))
    assert judged(*shuffled, now=now) == judged(*said, now=now)


@given(st.lists(SAYINGS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_registers_survive_being_stored(said: list[Envelope]) -> None:
    devices, patches = folded(said)

    for device in devices:
        assert device_registers(stored(device.registers)) == device.registers
    for patch in patches:
        assert patch_registers(stored(patch.registers)) == patch.registers


@given(st.lists(SAYINGS, max_size=25), HOURS)
@settings(max_examples=150, deadline=None)
def test_claims_alone_never_verify_however_many(said: list[Envelope], now: int) -> None:
    claims = [
        each
        for each in said
        if isinstance(each.data, rmm.PatchInstallReported | rmm.PatchRebootPending | rmm.PatchApproved)
    ]

    assert judged(*claims, now=now).state != "VERIFIED"


def _device(*events: Envelope) -> DeviceRegisters:
    kept = NO_SIGN
    for event in events:
        kept = fold_device(kept, event, ACME)
    return kept


def _patch(*events: Envelope) -> PatchRegisters:
    kept = NO_WORD
    for event in events:
        kept = fold_patch(kept, event, ref())
    return kept


def test_a_late_scan_does_not_take_the_place_of_a_newer_one() -> None:
    kept = _device(scanned(5), scanned(1))

    assert kept.scanned is not None
    assert kept.scanned.at == hour(5)


def test_only_a_poll_reads_the_whole_list() -> None:
    kept = _device(scanned(1, method=Method.POLL), scanned(2))

    assert kept.scanned is not None
    assert kept.polled is not None
    assert (kept.polled.at, kept.scanned.at) == (hour(1), hour(2))


def test_the_newest_boots_and_claims_are_kept() -> None:
    many = range(CLAIMS + 3)

    assert [boot.at for boot in _device(*map(booted, many)).boots] == [hour(each) for each in many][-WINDOW:]
    assert [claim.at for claim in _patch(*map(reported, many)).claims] == [hour(each) for each in many][-CLAIMS:]


def test_a_moment_ahead_of_receipt_counts_as_received() -> None:
    told = rmm.DeviceBooted(device="dc01", booted_at=hour(1000))
    kept = _device(of_device(told, at=hour(1), received=hour(1)))

    assert [boot.at for boot in kept.boots] == [hour(1) + timedelta(minutes=5)]


def test_each_failure_is_counted() -> None:
    kept = _patch(failed(1), failed(2), failed(3))

    assert kept.failures == 3


def test_a_title_is_not_lost_to_a_newer_fact_that_has_none() -> None:
    titled = rmm.PatchRef(patch="KB5049983", kb="5049983", title="2025-01 Cumulative Update")
    kept = fold_patch(NO_WORD, listed(1), titled)

    kept = fold_patch(kept, reported(2), ref())

    assert kept.naming is not None
    assert kept.naming.title == "2025-01 Cumulative Update"


def test_the_newest_fact_says_whose_the_device_is() -> None:
    moved = fold_device(_device(scanned(1)), scanned(3), BIRCH)

    late = fold_device(moved, scanned(2), ACME)

    assert late.tenant is not None
    assert late.tenant.id == str(BIRCH)


def test_inventorys_newest_word_links_the_device() -> None:
    linked = fold_link(NO_SIGN, scanned(2), "new")

    late = fold_link(linked, scanned(1), "old")

    assert late.asset is not None
    assert late.asset.id == "new"
