"""Whose an event is, what a bad source becomes, and what is counted: tables."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.events import rmm
from contracts.raw import RawDelivery
from services.gateway.translation import rules_translate as rules
from services.gateway.translation.rules_translate import Fate, Health, Outcome, Ownership, Read, Seat, Unowned
from services.gateway.vendors.translation import Said, Translation
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON, SOURCE, delivery

BAD = Translation(problems=("body: bad",))
GOOD = Translation()


def owned(
    tenant: UUID = ACME, site: str | None = None, start: datetime | None = None, end: datetime | None = None
) -> Ownership:
    return Ownership(tenant, site, start, end)


OWNERS: dict[str, tuple[list[Ownership], str | None, UUID | Unowned]] = {
    "one": ([owned()], None, ACME),
    "one, whatever the site": ([owned()], "HQ", ACME),
    "none": ([], None, Unowned.NO_CLIENT),
    "two": ([owned(), owned(BIRCH)], None, Unowned.TWO_CLIENTS),
    "the same twice": ([owned(), owned(start=NOON - HOUR)], None, ACME),
    "the site beats the rest": ([owned(), owned(BIRCH, site="HQ")], "HQ", BIRCH),
    "another site": ([owned(), owned(BIRCH, site="HQ")], "Lab", ACME),
    "only another site": ([owned(BIRCH, site="HQ")], "Lab", Unowned.NO_CLIENT),
    "a site that nobody named": ([owned(BIRCH, site="HQ")], None, Unowned.NO_CLIENT),
    "one site of two": ([owned(site="HQ"), owned(BIRCH, site="HQ")], "HQ", Unowned.TWO_CLIENTS),
    "from this moment": ([owned(start=NOON)], None, ACME),
    "not yet": ([owned(start=NOON + MINUTE)], None, Unowned.NO_CLIENT),
    "until this moment": ([owned(end=NOON)], None, Unowned.NO_CLIENT),
    "handed over": ([owned(end=NOON), owned(BIRCH, start=NOON)], None, BIRCH),
    "a site that is handed back": ([owned(), owned(BIRCH, site="HQ", end=NOON)], "HQ", ACME),
}


@pytest.mark.parametrize(("ownerships", "site", "expected"), OWNERS.values(), ids=OWNERS.keys())
def test_an_event_belongs_to_one_client_or_to_none(
    ownerships: list[Ownership], site: str | None, expected: UUID | Unowned
) -> None:
    assert rules.tenant_of(ownerships, site, NOON) == expected
    assert rules.tenant_of(reversed(ownerships), site, NOON) == expected


def deliveries(count: int, source: str = SOURCE) -> list[RawDelivery]:
    return [delivery({}, source=source) for _ in range(count)]


def read(translations: Iterable[Translation], health: dict[str, Health] | None = None) -> rules.Reading:
    coming = list(translations)
    answers = iter(coming)
    return rules.read(deliveries(len(coming)), health or {}, lambda _: next(answers))


def test_what_is_not_its_fault_is_dead_lettered_and_not_held_against_a_source() -> None:
    destroyed = Translation(problems=("the key of its body was destroyed",), is_senders_fault=False)

    reading = read([destroyed] * 500)

    assert (reading.outcomes, reading.quarantined) == ({}, set())
    assert {rules.outcome(each, []) for each in reading.reads} == {Outcome.DEAD_LETTERED}


def test_a_source_that_is_always_well_leaves_no_trace() -> None:
    reading = read([GOOD] * 500)

    assert (reading.outcomes, reading.quarantined) == ({}, set())


@pytest.mark.parametrize(
    ("recent", "translations", "looked_into"),
    [
        ("", [BAD] * 150, rules.MOST_BAD + 1),
        ("1" * 99, [GOOD, BAD], 2),
        ("1" * 100, [GOOD, BAD, BAD], 2),
        ("1" * 100 + "0" * 100, [BAD] * 2, 2),
        ("", [BAD, GOOD] * 150, 300),
    ],
    ids=["bad from the start", "on the edge", "over the edge", "the oldest leave", "half of them"],
)
def test_a_mostly_bad_source_is_looked_into_no_more(
    recent: str, translations: list[Translation], looked_into: int
) -> None:
    reading = read(translations, {SOURCE: Health(recent)})

    assert sum(each.translation is not None for each in reading.reads) == looked_into
    assert (SOURCE in reading.quarantined) == (looked_into < len(translations))


def test_a_quarantined_source_is_not_looked_into_and_others_are() -> None:
    raw = [*deliveries(2), *deliveries(2, "rmm/ninjaone/other")]

    reading = rules.read(raw, {SOURCE: Health(is_quarantined=True)}, lambda _: GOOD)

    assert [each.translation for each in reading.reads] == [None, None, GOOD, GOOD]
    assert reading.outcomes == {}


@pytest.mark.parametrize(
    ("translation", "fates", "expected"),
    [
        (None, [], Outcome.QUARANTINED),
        (BAD, [], Outcome.DEAD_LETTERED),
        (BAD, [Fate.PUBLISHED], Outcome.DEAD_LETTERED),
        (GOOD, [], Outcome.IGNORED),
        (GOOD, [Fate.DUPLICATE, Fate.PARKED, Fate.PUBLISHED], Outcome.TRANSLATED),
        (GOOD, [Fate.DUPLICATE, Fate.PARKED], Outcome.PARKED),
        (GOOD, [Fate.DUPLICATE, Fate.UNKNOWN], Outcome.UNKNOWN),
        (GOOD, [Fate.DUPLICATE, Fate.IGNORED], Outcome.IGNORED),
        (GOOD, [Fate.DUPLICATE, Fate.DUPLICATE], Outcome.DUPLICATE),
    ],
    ids=["quarantined", "bad", "partly bad", "empty", "published", "parked", "unknown", "ignored", "duplicate"],
)
def test_a_delivery_has_one_outcome(translation: Translation | None, fates: list[Fate], expected: Outcome) -> None:
    assert rules.outcome(Read(delivery({}), translation), fates) is expected


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 3)), max_size=30))
def test_the_outcomes_of_an_hour_sum_to_its_deliveries(became: list[tuple[Outcome, int]]) -> None:
    reads = [Read(delivery({}, received=NOON + hour * HOUR), GOOD) for _, hour in became]
    outcomes = [outcome for outcome, _ in became]

    tallies = rules.tallies(reads, outcomes, [[] for _ in reads])

    assert sum(sum(tally.outcomes.values()) for tally in tallies.values()) == len(became)
    assert {hour for _, hour in tallies} == {NOON + hour * HOUR for _, hour in became}


def told(device: str, organisation: str | None, at: datetime, received: datetime = NOON) -> rules.Told:
    event = rmm.DeviceOnline(device=device, organisation=organisation)
    said = Said(ids.event_id_of_fields(SOURCE, event.TYPE, at, device), at, event)
    raw = delivery({}, received=received)
    [one] = rules.told(rules.items([Read(raw, Translation(said=[said]))]))
    return one


def test_the_newest_seat_of_a_device_counts() -> None:
    events = [told("1", "new", NOON), told("1", "old", NOON - HOUR), told("2", None, NOON)]

    assert rules.seats_told(events) == {(SOURCE, "1"): (Seat("new", None), NOON)}


def test_a_device_that_believes_it_is_2099_does_not_move_for_good() -> None:
    [(_, seen_at)] = rules.seats_told([told("1", "x", NOON.replace(year=2099))]).values()

    assert seen_at == NOON + 5 * MINUTE


def test_what_an_event_names_itself_beats_what_is_known() -> None:
    known = {(SOURCE, "1"): Seat("known", "HQ")}

    assert rules.seat(told("1", "said", NOON), known) == Seat("said", None)
    assert rules.seat(told("1", None, NOON), known) == Seat("known", "HQ")
    assert rules.seat(told("2", None, NOON), known) is None
