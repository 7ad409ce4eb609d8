"""How many records go into one transaction: as many as hold no more than the most, by those before them."""

import pytest

from chassis.portions import AT_FIRST, Portions, TooMuch


def fits(portions: Portions, records: int) -> bool:
    try:
        portions.check(records)
    except TooMuch:
        return False
    return True


@pytest.mark.parametrize(
    ("held_each", "records", "fit"),
    [
        pytest.param(1, 1_000, True, id="one each, as many as are polled"),
        pytest.param(100, 50, True, id="a hundred each, fifty of them"),
        pytest.param(100, 51, False, id="and no more"),
        pytest.param(100_000, 1, True, id="one alone always goes"),
    ],
)
def test_records_go_together_that_hold_no_more_than_the_most(held_each: int, records: int, *, fit: bool) -> None:
    portions = Portions(5_000)

    portions.learn(1_000, 1_000 * held_each)

    assert fits(portions, records) is fit


def test_before_any_was_seen_transactions_are_small() -> None:
    portions = Portions(5_000)

    assert fits(portions, round(5_000 / AT_FIRST))
    assert not fits(portions, 1_000)


def test_what_is_held_is_learned_from_the_last_hundred() -> None:
    portions = Portions(5_000)
    portions.learn(1_000, 1_000)

    for _ in range(100):
        portions.learn(1, 100)

    assert fits(portions, 50)
    assert not fits(portions, 100)


def test_nothing_is_learned_from_nothing() -> None:
    portions = Portions(5_000)

    portions.learn(0, 0)

    assert fits(portions, 250)
