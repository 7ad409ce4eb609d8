"""What belongs to a rebuilt state, whose an event is, and what a report means."""

from datetime import timedelta
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.events import rmm
from patchline.rebuild.rules import Claim, Compared, Moment, Report, Standing, standing, tenant_of
from services.gateway.translation.rules_translate import Ownership, Seat
from tests.builders import ACME, BIRCH, HOUR, NOON, of_device

RAW = UUID(int=1)
ANOTHER = UUID(int=2)
TOLD = of_device(rmm.DeviceOnline(device="dc01"))._replace(causation=RAW)
NAMED = of_device(rmm.DeviceOnline(device="dc01", organisation="17"))._replace(causation=RAW)
NOTHING_ON_ITS_WAY = Moment(frozenset(), frozenset())
LOOKED_AT_EARLIER = Moment(frozenset(), frozenset(), claimed_before=NOON + HOUR)


def claim(*, raw_id: UUID = RAW, is_event: bool = True, hours: float = 0) -> Claim:
    return Claim(raw_id, is_event, NOON + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("known", "at", "expected"),
    [
        pytest.param(claim(), NOTHING_ON_ITS_WAY, Standing.STANDS, id="published and heard"),
        pytest.param(None, NOTHING_ON_ITS_WAY, Standing.NOT_PUBLISHED, id="never claimed: the adapter was mended"),
        pytest.param(claim(is_event=False), NOTHING_ON_ITS_WAY, Standing.NOT_PUBLISHED, id="a code until now"),
        pytest.param(claim(raw_id=ANOTHER), NOTHING_ON_ITS_WAY, Standing.TOLD_BY_ANOTHER, id="a vendor's retry"),
        pytest.param(claim(raw_id=ANOTHER, is_event=False), NOTHING_ON_ITS_WAY, Standing.NOT_PUBLISHED, id="a code"),
        pytest.param(claim(), Moment(frozenset({TOLD.id}), frozenset()), Standing.WAITS, id="parked"),
        pytest.param(claim(), Moment(frozenset(), frozenset({TOLD.id})), Standing.UNDER_WAY, id="not consumed yet"),
        pytest.param(claim(hours=1), LOOKED_AT_EARLIER, Standing.UNDER_WAY, id="claimed after the look"),
        pytest.param(claim(hours=0.9), LOOKED_AT_EARLIER, Standing.STANDS, id="claimed before the look"),
    ],
)
def test_only_what_was_published_and_heard_belongs_to_the_rebuilt_state(
    known: Claim | None, at: Moment, expected: Standing
) -> None:
    assert standing(TOLD, known, at) is expected


MAPPED_TO_ACME = (Ownership(ACME, None, None, None),)
TO_BIRCH_LATER = (Ownership(ACME, None, None, NOON + HOUR), Ownership(BIRCH, None, NOON + HOUR, None))
HERE = Seat("17", None)


@pytest.mark.parametrize(
    ("event", "seat", "ownerships", "recorded", "expected"),
    [
        pytest.param(NAMED, HERE, MAPPED_TO_ACME, None, ACME, id="its organisation's"),
        pytest.param(NAMED, HERE, MAPPED_TO_ACME, BIRCH, ACME, id="its organisation's, whatever was recorded"),
        pytest.param(NAMED, HERE, TO_BIRCH_LATER, None, ACME, id="the mapping of its time"),
        pytest.param(NAMED, HERE, (), BIRCH, BIRCH, id="recorded, where its mapping is gone"),
        pytest.param(TOLD, HERE, MAPPED_TO_ACME, BIRCH, BIRCH, id="recorded: the device moved since"),
        pytest.param(TOLD, HERE, MAPPED_TO_ACME, None, ACME, id="its device's last seat, where nothing is recorded"),
        pytest.param(TOLD, None, (), None, None, id="nobody's"),
    ],
)
def test_an_event_belongs_to_whom_it_belonged(
    *,
    event: Envelope,
    seat: Seat | None,
    ownerships: tuple[Ownership, ...],
    recorded: UUID | None,
    expected: UUID | None,
) -> None:
    assert tenant_of(event, seat, ownerships, recorded) == expected


def report(*, differences: int, swapped: bool = False) -> Report:
    return Report(service="inventory", compared=[Compared("asset", 7, 7, differences)], is_swapped=swapped)


@pytest.mark.parametrize(
    ("differences", "compare_only", "accepted", "may"),
    [
        pytest.param(0, False, False, True, id="equal"),
        pytest.param(0, True, False, False, id="equal, only to be compared"),
        pytest.param(1, False, False, False, id="different"),
        pytest.param(1, False, True, True, id="different, and accepted"),
        pytest.param(1, True, True, False, id="only compared, whatever is accepted"),
    ],
)
def test_what_differs_is_swapped_only_when_somebody_says_so(
    *, differences: int, compare_only: bool, accepted: bool, may: bool
) -> None:
    found = report(differences=differences)

    assert found.may_swap(compare_only=compare_only, accept_differences=accepted) is may


@pytest.mark.parametrize(
    ("differences", "swapped", "accepted", "success"),
    [(0, True, False, True), (0, False, False, True), (3, False, False, False), (3, True, True, True)],
    ids=["equal", "equal and compared only", "different", "different and swapped"],
)
def test_a_difference_that_nobody_accepted_is_a_failure(
    *, differences: int, swapped: bool, accepted: bool, success: bool
) -> None:
    found = report(differences=differences, swapped=swapped)

    assert found.is_success(accept_differences=accepted) is success


def test_counts_are_of_each_standing() -> None:
    found = report(differences=0)

    found.counts.add(Standing)

    assert (found.counts.events, found.counts.not_published, found.counts.under_way) == (1, 1, 1)
    assert (found.counts.waiting, found.counts.told_by_another) == (1, 1)
