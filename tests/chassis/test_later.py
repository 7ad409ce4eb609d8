"""How long a consumer waits before it tries again: longer after each failure in a row, and once for all partitions."""

from chassis.later import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Later


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_pause_is_twice_the_one_before_and_none_is_longer_than_the_longest() -> None:
    clock = Clock()
    later, pauses = Later(clock), list[float]()

    for _ in range(9):
        pauses.append(later.longer_pause())
        clock.now += pauses[-1]

    assert pauses[:3] == [FIRST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2, FIRST_PAUSE_SECONDS * 4]
    assert pauses[-2:] == [LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_many_partitions_that_meet_one_trouble_wait_as_long_as_one() -> None:
    clock = Clock()
    later = Later(clock)

    pauses = {later.longer_pause() for _ in range(12)}

    assert pauses == {FIRST_PAUSE_SECONDS}


def test_what_worked_in_between_makes_the_next_pause_the_shortest() -> None:
    clock = Clock()
    later = Later(clock)
    later.longer_pause()
    clock.now += FIRST_PAUSE_SECONDS
    later.longer_pause()

    later.forgive()

    assert later.longer_pause() == FIRST_PAUSE_SECONDS
