"""What is poison, and what a consumer group that met some must have left behind."""

import json

import pytest

from contracts import channels, topics
from contracts.envelope import decode
from contracts.errors import UndecodableEvent
from contracts.raw import delivery_of
from contracts.topics import Topic
from faults.poison import KEY, NOISE, Place, Poison, outcome, poisons
from patchline.dlq import DeadLetter

PLACE = Place("rmm.events", 1, 7)
POISON = Poison(says="no JSON", headers=(("ce_id", b"x"),), value=NOISE)
LOOKS_WELL = Poison(says="too large", headers=(), value=b"{}", reads_well=True)
PASSED = {("inventory", "rmm.events", 1): 8, ("compliance", "rmm.events", 1): 8, ("inventory", "rmm.events", 2): 0}


def _letter(group: str, *, value: bytes = NOISE) -> DeadLetter:
    place = {"dlq_group": group, "dlq_topic": "rmm.events", "dlq_partition": "1", "dlq_offset": "7"}
    raw = [("ce_id", b"x"), *((name, text.encode()) for name, text in place.items())]
    return DeadLetter(group, place, raw, KEY, value)


@pytest.mark.parametrize("topic", topics.DECLARED, ids=lambda topic: topic.name)
def test_what_is_called_poison_cannot_be_read_on_any_topic(topic: Topic) -> None:
    kinds = [each for each in poisons(topic) if not each.reads_well]

    for each in kinds:
        with pytest.raises(UndecodableEvent):
            (delivery_of if topic in channels.RAW else decode)(each.headers, each.value)
    assert len(kinds) >= 6


def test_the_rest_is_well_formed_and_says_nothing_of_anybody_known() -> None:
    ugly = [each for topic in topics.DECLARED for each in poisons(topic) if each.reads_well]

    assert {dict(each.headers)["ce_source"] for each in ugly} == {b"rmm/poison/nobody"}
    assert all(each.value is None or json.loads(each.value) for each in ugly)


@pytest.mark.parametrize(
    ("letters", "passed", "found"),
    [
        pytest.param(["inventory", "compliance"], PASSED, (0, 0, 0), id="each group kept it"),
        pytest.param(["inventory"], PASSED, (1, 0, 0), id="one group dropped it"),
        pytest.param(["inventory", "inventory", "compliance"], PASSED, (0, 1, 0), id="kept twice"),
        pytest.param(
            ["inventory", "compliance"], {**PASSED, ("inventory", "rmm.events", 1): 7}, (1, 0, 0), id="stuck before it"
        ),
    ],
)
def test_each_group_keeps_poison_once_and_goes_on(
    letters: list[str], passed: dict[tuple[str, str, int], int], found: tuple[int, int, int]
) -> None:
    told = outcome({PLACE: POISON}, passed, [_letter(each) for each in letters])

    assert (len(told.lost), len(told.doubled), len(told.wrong)) == found


def test_poison_is_kept_as_it_was() -> None:
    told = outcome({PLACE: POISON}, PASSED, [_letter("inventory", value=b"other"), _letter("compliance")])

    assert len(told.wrong) == 1


def test_what_reads_well_need_not_be_kept() -> None:
    told = outcome({PLACE: LOOKS_WELL}, PASSED, [])

    assert (told.lost, told.doubled, told.wrong) == ([], [], [])
