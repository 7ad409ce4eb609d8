"""What the benchmark delivers: every event is another one, and the gateway understands all of them."""

import json
from itertools import chain

from bench.bodies import BODIES, EVENTS_IN_A_BODY, bodies

LARGEST_BYTES = 1_048_576


def _events(number: int) -> list[dict[str, object]]:
    return list(chain.from_iterable(json.loads(body)["events"] for body in bodies(number)))


def test_each_body_has_as_many_events_as_its_stage_says_and_is_small_enough_for_the_door() -> None:
    sent = bodies(0)

    assert [len(json.loads(body)["events"]) for body in sent] == [EVENTS_IN_A_BODY] * BODIES
    assert max(map(len, sent)) < LARGEST_BYTES


def test_no_event_of_two_rounds_is_a_repetition() -> None:
    natural = [json.dumps(event, sort_keys=True) for number in (0, 1) for event in _events(number)]

    assert len(set(natural)) == 2 * BODIES * EVENTS_IN_A_BODY


def test_both_kinds_of_facts_are_told() -> None:
    assert {event["type"] for event in _events(0)} == {"device.updated", "patch.detected"}
