"""Figures: they always sum, they round down, and they are never blended."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.compliance.rules_figures import (
    Cell,
    Refused,
    Single,
    Sum,
    Taken,
    drifted,
    f_strict,
    figure,
    is_possible,
    single_figure,
    summed,
)
from tests.builders import ACME, BIRCH

SERVERS = Cell(ACME, OsFamily.WINDOWS, Tier.SERVER, Severity.CRITICAL)

PERCENTS: dict[str, tuple[int, int, str | None]] = {
    "nothing to count": (0, 0, None),
    "all": (200, 200, "100.0"),
    "three quarters": (150, 200, "75.0"),
    "one missing in ten thousand is not all": (9999, 10000, "99.9"),
    "two thirds, rounded down": (2, 3, "66.6"),
    "just below a tenth": (999, 2000, "49.9"),
    "none": (0, 7, "0.0"),
    "one in a million": (1, 1_000_000, "0.0"),
}


@pytest.mark.parametrize(("verified", "population", "percent"), PERCENTS.values(), ids=PERCENTS.keys())
def test_the_headline(verified: int, population: int, percent: str | None) -> None:
    assert f_strict(verified, population) == (None if percent is None else Decimal(percent))


COUNTS = st.dictionaries(st.sampled_from(list(State)), st.integers(0, 10_000))


@given(COUNTS)
def test_the_ten_states_sum_to_the_population_and_the_three_stand_beside_it(counts: dict[State, int]) -> None:
    one = figure(SERVERS, counts)

    inside = [one.counts[state] for state in State if state not in OUTSIDE_POPULATION]
    assert len(inside) == 10
    assert sum(inside) == one.population
    assert sum(one.counts.values()) - one.population == sum(counts.get(state, 0) for state in OUTSIDE_POPULATION)


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_percentage_is_never_too_high_and_100_only_when_exactly_all(verified: int, more: int) -> None:
    population = verified + more
    percent = f_strict(verified, population)

    assert percent is not None
    assert percent < 100
    assert percent * population <= 100 * verified
    assert f_strict(population, population) == 100


def test_bands_of_one_tier_add_up_to_one_figure() -> None:
    high = Cell(ACME, OsFamily.WINDOWS, Tier.SERVER, Severity.HIGH)

    one = single_figure([figure(SERVERS, {State.VERIFIED: 1}), figure(high, {State.FAILED: 2, State.RETIRED: 5})])

    assert isinstance(one, Single)
    assert (one.population, one.percent, one.counts[State.RETIRED]) == (3, Decimal("33.3"), 5)


BLENDS: dict[str, tuple[Cell, str]] = {
    "clients": (Cell(BIRCH, OsFamily.WINDOWS, Tier.SERVER, Severity.CRITICAL), "clients"),
    "operating systems": (Cell(ACME, OsFamily.LINUX, Tier.SERVER, Severity.CRITICAL), "operating systems"),
    "tiers": (Cell(ACME, OsFamily.WINDOWS, Tier.KIOSK, Severity.CRITICAL), "tiers"),
}


@pytest.mark.parametrize(("other", "kind"), BLENDS.values(), ids=BLENDS.keys())
def test_a_blended_figure_is_refused_with_the_vector(other: Cell, kind: str) -> None:
    figures = [figure(SERVERS, {State.VERIFIED: 9}), figure(other, {State.FAILED: 1})]

    refused = single_figure(figures)

    assert isinstance(refused, Refused)
    assert refused.over == (kind,)
    assert refused.vector == tuple(figures)
    assert kind in refused.why


def test_nothing_at_all_is_an_empty_figure_not_a_hundred_per_cent() -> None:
    one = single_figure([])

    assert isinstance(one, Single)
    assert (one.population, one.percent) == (0, None)


FAILED, VERIFIED = State.FAILED, State.VERIFIED
Counts = dict[State, int]
ADDED: dict[str, tuple[Counts | None, dict[Cell, Counts], Counts, Counts]] = {
    "the first obligations": (None, {}, {FAILED: 2}, {FAILED: 2}),
    "one is verified": ({FAILED: 2}, {}, {FAILED: -1, VERIFIED: 1}, {FAILED: 1, VERIFIED: 1}),
    "counted whole, whatever was published": ({FAILED: 2}, {SERVERS: {FAILED: 7}}, {}, {FAILED: 7}),
    "counted whole, and there is none": ({FAILED: 2}, {SERVERS: {}}, {}, {}),
    "and then the last went away": ({}, {SERVERS: {FAILED: 7}}, {FAILED: -7}, {}),
    "fewer than none, which the caller refuses": ({FAILED: 1}, {}, {FAILED: -2}, {FAILED: -1}),
}


@pytest.mark.parametrize(("before", "whole", "more", "becomes"), ADDED.values(), ids=ADDED.keys())
def test_what_changed_is_added_to_what_stood(
    before: dict[State, int] | None,
    whole: dict[Cell, dict[State, int]],
    more: dict[State, int],
    becomes: dict[State, int],
) -> None:
    taken = taken_of(whole=whole, more=more)

    summed_up = summed(SERVERS, None if before is None else Sum(before), taken)

    assert {state: count for state, count in summed_up.counts.items() if count} == becomes
    assert is_possible(summed_up) is (min(becomes.values(), default=0) >= 0)


def test_a_persons_words_are_summed_beside_the_states() -> None:
    taken = Taken(unasked=(), whole={}, until={}, more={SERVERS: Sum({State.VERIFIED: 1}, attested=1)})

    one = summed(SERVERS, Sum({State.VERIFIED: 4}, attested=1), taken)

    assert (one.counts[State.VERIFIED], one.attested) == (5, 2)
    assert not is_possible(summed(SERVERS, Sum({}, attested=-2), taken))


DRIFTS: dict[str, tuple[Counts, Counts, Counts, list[Cell]]] = {
    "the sums are right": ({FAILED: 2}, {FAILED: 1}, {FAILED: 3}, []),
    "nothing changed, and they are right": ({FAILED: 2}, {}, {FAILED: 2, State.STALE: 0}, []),
    "one is missing": ({FAILED: 2}, {}, {FAILED: 1}, [SERVERS]),
    "one stands elsewhere": ({FAILED: 2}, {}, {FAILED: 1, State.STALE: 1}, [SERVERS]),
}


@pytest.mark.parametrize(("before", "until", "counted", "wrong"), DRIFTS.values(), ids=DRIFTS.keys())
def test_sums_that_are_not_what_is_counted_are_found_where_nobody_asked(
    before: Counts, until: Counts, counted: Counts, wrong: list[Cell]
) -> None:
    told = {SERVERS: Sum(before)}
    looked = Taken(unasked={SERVERS}, whole={SERVERS: Sum(counted)}, until={SERVERS: Sum(until)}, more={})

    assert drifted(told, looked) == wrong
    assert drifted(told, replace(looked, unasked=())) == []


def taken_of(*, whole: dict[Cell, dict[State, int]], more: dict[State, int]) -> Taken:
    return Taken(
        unasked=(),
        whole={cell: Sum(counts) for cell, counts in whole.items()},
        until={},
        more={SERVERS: Sum(more)} if more else {},
    )
