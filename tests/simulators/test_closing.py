"""Whose ticket a technician closes too early, and the failure that comes afterwards."""

import json
from dataclasses import replace

import pytest

from simulators.closing import closing, with_failure
from simulators.day import day
from simulators.deliveries import Nature
from simulators.ledger import ledger
from simulators.plan import Plan, plan
from simulators.script import EVENING, NOW, What


@pytest.fixture(scope="module")
def whole() -> Plan:
    return plan(day(seed=1, devices=200))


def test_the_ticket_is_open_until_the_technician_closes_it(whole: Plan) -> None:
    after = closing(whole)

    assert after is not None
    [ticket] = [each for each in ledger(whole, whole.deliveries, {}, NOW).tickets if each.key == after.key]
    assert ticket.is_open
    assert after.happening.device.hostname in ticket.failures


def test_the_failure_comes_after_everything_else_and_nothing_but_its_webhook_tells_of_it(whole: Plan) -> None:
    after = closing(whole)
    assert after is not None

    more = with_failure(whole, after)

    assert EVENING < after.happening.at < NOW
    assert after.failure.nature is Nature.TRUE
    assert json.loads(after.failure.body)
    assert after.failure.delivery_id not in {each.delivery_id for each in whole.deliveries}
    assert more.deliveries == (*whole.deliveries, after.failure)
    assert more.day.happenings[-1] == after.happening


def test_with_it_the_ticket_has_a_next_generation_and_all_others_are_as_they_were(whole: Plan) -> None:
    after = closing(whole)
    assert after is not None
    more = with_failure(whole, after)
    before = {each.key: each for each in ledger(whole, whole.deliveries, {}, NOW).tickets}

    tickets = {each.key: each for each in ledger(more, more.deliveries, {}, NOW, after=after.happening).tickets}

    second = after.key.removesuffix("-g1") + "-g2"
    assert tickets.keys() - before.keys() == {second}
    assert (tickets[after.key].is_open, tickets[second].is_open) == (False, True)
    assert tickets[after.key].failures == before[after.key].failures
    assert tickets[second].failures == {after.happening.device.hostname: 1}
    others = before.keys() - {after.key}
    assert {key: tickets[key] for key in others} == {key: before[key] for key in others}


def test_a_day_on_which_no_device_fails_to_the_end_has_no_such_ticket(whole: Plan) -> None:
    calm = replace(whole.day, happenings=tuple(each for each in whole.day.happenings if each.what is not What.FAILED))

    assert closing(Plan(day=calm, deliveries=())) is None
