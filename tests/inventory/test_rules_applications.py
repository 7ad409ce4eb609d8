"""The register of applications: what is there depends on no order, no batches and no repetition of listings."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events import rmm
from services.inventory import rules_applications as rules
from services.inventory.rules_applications import NOTHING_LISTED, Members, Moment, Register
from tests.builders import HOUR, MINUTE, NOON
from tests.inventory.facts import deliveries, seen, usable
from tests.inventory.listings import listed, listings

LATER = NOON + MINUTE


def by_the_law(events: Sequence[Envelope]) -> set[rmm.Application]:
    """Return what is there, read from the sentence at the top of the rules and nothing else."""
    told = [found for each in events if (found := rules.listing(usable(each))) is not None]
    newest = max((each.moment for each in told if each.is_complete), default=rules.NEVER)
    return {application for each in told if each.moment >= newest for application in each.applications.values()}


def kept(batches: Sequence[Sequence[Envelope]]) -> tuple[Register, Members, dict[UUID, rmm.Application]]:
    """Return what is kept after the batches, with the applications by id, as the handler keeps it."""
    register, members = NOTHING_LISTED, dict[UUID, Moment | None]()
    names: dict[UUID, rmm.Application] = {}
    is_first = True
    for batch in batches:
        told = rules.heard(register, rules.listings_of(map(usable, batch)))
        if not is_first and rules.is_known(register, told):
            register = rules.unchanged(register, told)
            continue
        change = rules.change(register, members, told)
        for gone in change.gone:
            del members[gone]
        members.update({key: moment for key, _, moment in change.put})
        names.update({key: application for key, application, _ in change.put})
        register, is_first = change.register, False
    return register, members, names


def names_kept(*batches: Sequence[Envelope]) -> list[str]:
    _, members, names = kept(batches)
    return sorted(f"{names[each].name}/{names[each].version}".removesuffix("/None") for each in members)


@given(st.data())
def test_any_order_batches_and_repetition_end_in_what_the_law_says(data: st.DataObject) -> None:
    events = data.draw(listings())
    register, members, names = kept(data.draw(deliveries(events)))

    assert {names[each] for each in members} == by_the_law(events)
    assert register.added == sum(moment is not None for moment in members.values())


@given(st.data())
def test_what_is_kept_besides_is_the_same_in_any_order(data: st.DataObject) -> None:
    events = data.draw(listings())
    one, other = kept(data.draw(deliveries(events))), kept([events])

    assert (one[0].listed, one[0].added, one[1]) == (other[0].listed, other[0].added, other[1])


@pytest.mark.parametrize(
    ("batches", "there"),
    [
        pytest.param([[listed("a", "b")]], ["a", "b"], id="the first listing"),
        pytest.param([[listed("a", "b")], [listed("b", "c", at=LATER)]], ["b", "c"], id="a later whole one replaces"),
        pytest.param([[listed("b", "c", at=LATER)], [listed("a", "b")]], ["b", "c"], id="an older one comes late"),
        pytest.param([[listed("a")], [listed("b", at=LATER, complete=False)]], ["a", "b"], id="a part only adds"),
        pytest.param([[listed("b", complete=False)], [listed("a", at=LATER)]], ["a"], id="a whole one ends it"),
        pytest.param([[listed("a", at=LATER)], [listed("b", complete=False)]], ["a"], id="an older part comes late"),
        pytest.param([[listed("a/1")], [listed("a/2", at=LATER)]], ["a/2"], id="another version is another one"),
        pytest.param([[listed("a")], [listed(at=LATER)]], [], id="a whole listing of nothing"),
        pytest.param([[listed("a")], [listed(at=LATER, complete=False)]], ["a"], id="a part that is empty"),
        pytest.param(
            [[listed("a", listing="l"), listed("b", listing="l", part=1)]], ["a", "b"], id="two parts of one listing"
        ),
        pytest.param(
            [[listed("z")], [listed("a", listing="l", at=LATER)], [listed("b", listing="l", at=LATER, part=1)]],
            ["a", "b"],
            id="two parts in two batches",
        ),
        pytest.param(
            [[listed("x")], [listed("x", at=NOON + 3 * MINUTE, complete=False)], [listed("y", at=LATER)]],
            ["x", "y"],
            id="a part confirmed it after a whole listing that lacks it and comes late",
        ),
    ],
)  # fmt: skip
def test_what_is_there(batches: list[list[Envelope]], there: list[str]) -> None:
    assert names_kept(*batches) == there


def test_the_same_listing_a_day_later_needs_no_application_loaded() -> None:
    register, _, _ = kept([[listed("a", "b")]])

    told = rules.heard(register, rules.listings_of([usable(listed("b", "a", at=NOON + 24 * HOUR))]))

    assert rules.is_known(register, told)
    assert rules.unchanged(register, told).listed.at == NOON + 24 * HOUR


def test_the_same_listing_ends_what_a_part_had_added() -> None:
    register, _, _ = kept([[listed("a")], [listed("b", at=LATER, complete=False)]])

    told = rules.heard(register, rules.listings_of([usable(listed("a", at=NOON + HOUR))]))

    assert not rules.is_known(register, told)


def test_what_is_no_listing_lists_nothing() -> None:
    assert rules.listing(usable(seen())) is None
