"""Zones, moments and mappings of clients."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.client import ClientChanged
from contracts.ids import tenant_id
from services.gateway.registry import clients
from services.gateway.registry.clients import Client, ClientChange, Mapping

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ACME = Client(tenant=tenant_id("Acme Dental"), name="Acme Dental", zone="Europe/Berlin", psa_company="ACME")


def mapping(
    start: datetime | None = None, end: datetime | None = None, *, organisation: str = "42", site: str | None = None
) -> Mapping:
    return Mapping(
        source_id="rmm/ninjaone/main",
        organisation=organisation,
        site=site,
        tenant=ACME.tenant,
        valid_from=start,
        valid_to=end,
    )


def test_a_changed_client_is_told_whole() -> None:
    event = clients.changed(ACME, NOON)

    assert event.data == ClientChanged(name="Acme Dental", zone="Europe/Berlin", psa_company="ACME")
    assert (event.tenant, event.subject, event.time) == (ACME.tenant, str(ACME.tenant), NOON)


def test_a_change_keeps_what_it_does_not_name() -> None:
    after = ClientChange(zone="Europe/Vienna").of(ACME)

    assert after == Client(tenant=ACME.tenant, name="Acme Dental", zone="Europe/Vienna", psa_company="ACME")


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        pytest.param(mapping(), mapping(), True, id="both open"),
        pytest.param(mapping(None, NOON), mapping(NOON, None), False, id="one ends where the other begins"),
        pytest.param(mapping(None, NOON + DAY), mapping(NOON, None), True, id="one ends after the other begins"),
        pytest.param(mapping(NOON, NOON + DAY), mapping(), True, id="inside an open one"),
        pytest.param(mapping(NOON, NOON + DAY), mapping(NOON + DAY, NOON + 2 * DAY), False, id="one after the other"),
        pytest.param(mapping(), mapping(organisation="43"), False, id="another organisation"),
        pytest.param(mapping(), mapping(site="7"), False, id="a site of it is a place of its own"),
        pytest.param(mapping(site="7"), mapping(site="7"), True, id="the same site"),
    ],
)
def test_two_mappings_of_one_place_and_time(one: Mapping, other: Mapping, *, overlaps: bool) -> None:
    assert clients.overlapping(one, [other]) == (other if overlaps else None)
    assert clients.overlapping(other, [one]) == (one if overlaps else None)


edges = st.one_of(st.none(), st.integers(0, 6).map(lambda days: NOON + days * DAY))


@given(edges, edges, edges, edges)
def test_mappings_overlap_exactly_when_some_moment_is_in_both(
    start: datetime | None, end: datetime | None, other_start: datetime | None, other_end: datetime | None
) -> None:
    one, other = mapping(start, end), mapping(other_start, other_end)
    moments = [NOON + timedelta(hours=12 * half) for half in range(-2, 16)]

    shared = any(contains(one, at) and contains(other, at) for at in moments)

    if one.is_possible and other.is_possible:
        assert (clients.overlapping(one, [other]) is not None) is shared


def contains(one: Mapping, at: datetime) -> bool:
    return (one.valid_from is None or one.valid_from <= at) and (one.valid_to is None or at < one.valid_to)


@pytest.mark.parametrize(
    ("start", "end", "possible"),
    [(None, None, True), (NOON, None, True), (None, NOON, True), (NOON, NOON + DAY, True), (NOON, NOON, False)],
)
def test_a_mapping_ends_after_it_begins(start: datetime | None, end: datetime | None, *, possible: bool) -> None:
    assert mapping(start, end).is_possible is possible


@pytest.mark.parametrize(
    ("zone", "known"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("eastern standard time", "America/New_York"),
        ("Berlin", None),
        ("EST", None),
        ("CET", None),
        ("Etc/GMT+5", None),
        ("../etc/passwd", None),
        ("Factory", None),
        ("", None),
    ],
)
def test_zones_are_named_by_a_place_or_as_windows_does(zone: str, known: str | None) -> None:
    assert clients.iana_zone(zone) == known


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Berlin", "Europe/Berlin"), ("new york", "America/New_York"), ("europe/berlin", "Europe/Berlin")],
)
def test_a_zone_that_is_not_quite_one_gets_a_hint(written: str, meant: str) -> None:
    assert meant in clients.similar_zones(written)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("2026-03-01", datetime(2026, 2, 28, 23, tzinfo=UTC), id="a date begins in the client's zone"),
        pytest.param("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC), id="summer time counts"),
        pytest.param("2026-03-01T08:00", datetime(2026, 3, 1, 7, tzinfo=UTC), id="a time of the client's zone"),
        pytest.param("2026-03-01T08:00Z", datetime(2026, 3, 1, 8, tzinfo=UTC), id="a zone of its own"),
    ],
)
def test_moments_as_people_write_them(text: str, at: datetime) -> None:
    assert clients.moment(text, "Europe/Berlin") == at


@pytest.mark.parametrize("text", ["", "yesterday", "01.03.2026", "2026-02-30"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        clients.moment(text, "UTC")
