"""The afternoon with a breach is the same every time, and is what it says."""

import json
from collections import Counter

import pytest

from simulators.breach import UNTOUCHED, Fate, Role, breach
from simulators.breach_wire import FLOOD, SOURCES, deliveries
from simulators.deliveries import Nature

AFTERNOON = breach(seed=1)


def test_the_same_seed_is_the_same_afternoon_and_another_is_not() -> None:
    assert breach(seed=1) == AFTERNOON
    assert breach(seed=2).exposures != AFTERNOON.exposures


def test_it_has_sixty_exposures_three_of_power_and_two_that_no_machine_may_touch() -> None:
    roles = {person.login: person.role for person in AFTERNOON.people}
    exposed = Counter(roles.get(login) for login in AFTERNOON.fates)

    assert len(AFTERNOON.exposures) == 60
    assert (exposed[Role.ADMIN], exposed[Role.BREAK_GLASS]) == (3, 2)


def test_every_exposed_login_has_one_fate_and_repeats_are_of_logins_that_were_told_before() -> None:
    firsts = [each.login for each in AFTERNOON.exposures if not each.is_repeat]
    repeats = [each for each in AFTERNOON.exposures if each.is_repeat]

    assert Counter(firsts) == Counter(AFTERNOON.fates.keys())
    assert {each.login for each in repeats} <= set(AFTERNOON.of(Fate.RESET))
    assert all(each.feed != first.feed for each in repeats for first in AFTERNOON.exposures
               if first.login == each.login and not first.is_repeat)  # fmt: skip


def test_most_people_of_each_client_are_in_no_feed() -> None:
    untouched = Counter(person.client.name for person in AFTERNOON.people if person.login not in AFTERNOON.fates)

    assert min(untouched.values()) >= UNTOUCHED


@pytest.mark.parametrize("feed", SOURCES)
def test_every_feed_tells_in_its_own_format_what_is_a_secret(feed: str) -> None:
    told = [each for each in deliveries(AFTERNOON) if each.source.vendor == feed and each.nature is Nature.TRUE]

    bodies = "".join(each.body.decode() for each in told)
    assert all(json.loads(each.body) for each in told)
    assert all(each.secret in bodies for each in AFTERNOON.exposures if each.feed == feed and each.found != "old list")


def test_the_flood_names_hundreds_and_has_no_secret_of_the_source() -> None:
    [flood] = [each for each in deliveries(AFTERNOON) if each.nature is Nature.FORGED]

    assert len(json.loads(flood.body)["results"]) == FLOOD
    assert not flood.with_secret
