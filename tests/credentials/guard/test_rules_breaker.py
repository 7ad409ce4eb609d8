"""What trips a breaker, and what one that is not armed holds back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.credential import BreakerState, CaseStep
from services.credentials.guard import rules_breaker
from services.credentials.guard.policy import Caps, GlobalPolicy
from services.credentials.guard.records import Breaker, Counts, Stream

CAPS = Caps(
    per_hour=10,
    share=0.05,
    per_delivery=25,
    error_rate=0.3,
    error_least=4,
    privileged_per_hour=2,
    surge_times=10,
    surge_least=20,
    all_admins_least=3,
    one_source_least=10,
)
TRIPPED = Breaker(state=BreakerState.TRIPPED, why="too many")
KILLED = Breaker(state=BreakerState.KILLED, why="they called")
ARMED = Breaker()


@pytest.mark.parametrize(
    ("step", "everyone", "tenant", "expected"),
    [
        pytest.param(CaseStep.INVALIDATED, ARMED, ARMED, None, id="armed holds nothing"),
        pytest.param(
            CaseStep.INVALIDATED, ARMED, TRIPPED, "the client's breaker is tripped: too many", id="tripped, a reset"
        ),
        pytest.param(
            CaseStep.INVALIDATED, TRIPPED, ARMED, "the breaker for all clients is tripped: too many", id="for all"
        ),
        pytest.param(CaseStep.REVOKED, TRIPPED, TRIPPED, None, id="tripped, sessions of a reset that was begun"),
        pytest.param(
            CaseStep.REVOKED, ARMED, KILLED, "the client's breaker is killed: they called", id="killed, sessions"
        ),
        pytest.param(
            CaseStep.INVALIDATED,
            KILLED,
            TRIPPED,
            "the breaker for all clients is killed: they called",
            id="that of all is named first",
        ),
        pytest.param(CaseStep.NOTIFIED, KILLED, KILLED, None, id="people are told whatever happens"),
        pytest.param(CaseStep.TICKETED, KILLED, KILLED, None, id="and have their ticket"),
        pytest.param(CaseStep.READ_BACK, KILLED, KILLED, None, id="reading harms nobody"),
    ],
)
def test_a_breaker_that_is_not_armed_holds_back_what_writes(
    step: CaseStep, everyone: Breaker, tenant: Breaker, expected: str | None
) -> None:
    assert rules_breaker.holding(step, everyone=everyone, tenant=tenant) == expected


@pytest.mark.parametrize(
    ("counts", "privileged", "trips"),
    [
        pytest.param(Counts(), False, None, id="the first"),
        pytest.param(Counts(acted=9), False, None, id="the last within the hour"),
        pytest.param(Counts(acted=10), False, "more than 10 accounts in one hour", id="one too many"),
        pytest.param(Counts(acted=1, privileged=1), True, None, id="the second admin"),
        pytest.param(
            Counts(acted=2, privileged=2), True, "more than 2 privileged accounts in one hour", id="the third admin"
        ),
        pytest.param(Counts(acted=2, privileged=2), False, None, id="an ordinary person after two admins"),
        pytest.param(Counts(acted=2, persons=4), False, None, id="three of a small client are within any share"),
        pytest.param(
            Counts(acted=3, persons=4),
            False,
            "more than 5% of 4 persons in one hour, which is 3 accounts",
            id="four of a small client are not",
        ),
        pytest.param(Counts(acted=4, persons=100), False, None, id="the fifth of a hundred"),
        pytest.param(
            Counts(acted=5, persons=100),
            False,
            "more than 5% of 100 persons in one hour, which is 5 accounts",
            id="the sixth of a hundred",
        ),
        pytest.param(Counts(acted=9, persons=0), False, None, id="nobody counted the persons: the count alone"),
    ],
)
def test_one_account_more_trips(counts: Counts, privileged: bool, trips: str | None) -> None:  # noqa: FBT001 - a table
    trip = rules_breaker.trip_before_act(counts, CAPS, privileged=privileged)

    assert (trip and trip.why) == trips


@pytest.mark.parametrize(
    ("finished", "failed", "trips"),
    [
        pytest.param(0, 0, False, id="nothing ended yet"),
        pytest.param(3, 3, False, id="too few to say anything"),
        pytest.param(4, 1, False, id="a quarter"),
        pytest.param(10, 3, False, id="exactly the rate"),
        pytest.param(4, 2, True, id="half"),
        pytest.param(10, 4, True, id="just above"),
    ],
)
def test_failures_trip(finished: int, failed: int, trips: bool) -> None:  # noqa: FBT001 - a table
    trip = rules_breaker.trip_of_errors(Counts(finished=finished, failed=failed), rate=0.3, least=4)

    assert (trip is not None) == trips


USUAL = Stream(accounts=2, privileged=1, sources=2, known_sources=3, usual_per_day=3, largest_delivery=1)


@pytest.mark.parametrize(
    ("stream", "trips"),
    [
        pytest.param(USUAL, None, id="a usual hour"),
        pytest.param(replace(USUAL, largest_delivery=25), None, id="the largest delivery that is acted on"),
        pytest.param(
            replace(USUAL, largest_delivery=10_000),
            "one delivery names 10000 accounts; more than 25 are not acted on",
            id="a flood in one delivery",
        ),
        pytest.param(replace(USUAL, accounts=30), None, id="ten usual days in an hour"),
        pytest.param(
            replace(USUAL, accounts=31),
            "sudden volume: 31 accounts named in one hour, 3 on a usual day",
            id="more than ten usual days in an hour",
        ),
        pytest.param(replace(USUAL, accounts=20, usual_per_day=0), None, id="a client's first day, as many as ever"),
        pytest.param(
            replace(USUAL, accounts=21, usual_per_day=0),
            "sudden volume: 21 accounts named in one hour, no usual day is known yet",
            id="a client's first day, too many",
        ),
        pytest.param(replace(USUAL, accounts=2, privileged=2), None, id="two admins"),
        pytest.param(
            replace(USUAL, accounts=3, privileged=3),
            "all 3 accounts named in one hour are privileged",
            id="three admins and nobody else",
        ),
        pytest.param(replace(USUAL, accounts=9, sources=1), None, id="nine by one source"),
        pytest.param(
            replace(USUAL, accounts=10, sources=1),
            "10 accounts named in one hour by one source alone, of 3 known",
            id="ten by one source, the others silent",
        ),
        pytest.param(replace(USUAL, accounts=10, sources=1, known_sources=1), None, id="the client's only source"),
    ],
)
def test_what_feeds_name_trips(stream: Stream, trips: str | None) -> None:
    trip = rules_breaker.trip_of_stream(stream, CAPS)

    assert (trip and trip.why) == trips


def test_a_flood_says_how_many_are_held() -> None:
    trip = rules_breaker.trip_of_stream(replace(USUAL, largest_delivery=10_000), CAPS)

    assert trip is not None
    assert trip.held == 10_000


@pytest.mark.parametrize(
    ("counts", "privileged", "trips"),
    [
        pytest.param(Counts(acted=99), False, None, id="the last"),
        pytest.param(Counts(acted=100), False, "more than 100 accounts of all clients in one hour", id="one too many"),
        pytest.param(
            Counts(acted=50, privileged=10),
            True,
            "more than 10 privileged accounts of all clients in one hour",
            id="too many admins",
        ),
    ],
)
def test_all_clients_together_have_caps_too(counts: Counts, privileged: bool, trips: str | None) -> None:  # noqa: FBT001 - a table
    trip = rules_breaker.global_trip_before_act(counts, GlobalPolicy(), privileged=privileged)

    assert (trip and trip.why) == trips


def test_three_clients_that_trip_within_an_hour_stop_all() -> None:
    assert rules_breaker.trip_of_trips(2, GlobalPolicy()) is None
    assert rules_breaker.trip_of_trips(3, GlobalPolicy()) is not None


@given(
    asks=st.lists(st.booleans(), max_size=60),
    persons=st.integers(0, 500),
    per_hour=st.integers(1, 30),
    share=st.floats(0.001, 1),
)
def test_no_order_of_asks_lets_more_through_than_the_caps(
    asks: list[bool], persons: int, per_hour: int, share: float
) -> None:
    caps = Caps(per_hour=per_hour, share=share, privileged_per_hour=2)
    counts = Counts(persons=persons)

    for privileged in asks:
        if rules_breaker.trip_before_act(counts, caps, privileged=privileged) is None:
            counts = replace(counts, acted=counts.acted + 1, privileged=counts.privileged + privileged)

    assert counts.acted <= per_hour
    assert counts.privileged <= 2
    assert not persons or counts.acted <= rules_breaker.most_by_share(share, persons)


@given(share=st.floats(0.001, 1), persons=st.integers(0, 10_000))
def test_a_share_is_at_least_three_and_grows_with_the_client(share: float, persons: int) -> None:
    most = rules_breaker.most_by_share(share, persons)

    assert 3 <= most <= rules_breaker.most_by_share(share, persons + 1)
    assert most >= share * persons - 1e-6
