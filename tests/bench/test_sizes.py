"""How a process grows: by least squares over what follows its warm-up."""

import pytest

from bench.sizes import figures, largest, slope


def _grown(*, warm_up: float, mib_per_event: float) -> list[tuple[int, float]]:
    return [
        (events, 80 + min(events, 100_000) * warm_up + events * mib_per_event) for events in range(0, 500_001, 10_000)
    ]


@pytest.mark.parametrize(
    ("mib_per_event", "told"),
    [pytest.param(0, 0.0, id="flat"), pytest.param(0.00005, 5.0, id="five MiB per 100,000")],
)
def test_the_warm_up_does_not_count_and_what_follows_does(mib_per_event: float, told: float) -> None:
    sizes = _grown(warm_up=0.001, mib_per_event=mib_per_event)

    assert slope(sizes) == pytest.approx(told)


def test_the_largest_size_may_be_in_the_middle() -> None:
    assert largest([(0, 80.0), (10, 120.0), (20, 90.0)]) == 120.0


def test_two_looks_say_nothing_of_growth() -> None:
    with pytest.raises(ValueError, match="2 samples"):
        slope([(0, 80.0), (90, 90.0), (100, 90.0)])


@pytest.mark.parametrize(
    ("events", "oks"),
    [pytest.param(1_000_000, [True, False], id="a long run"), pytest.param(100_000, [True], id="a short one")],
)
def test_growth_is_told_only_where_a_run_is_long_enough_to_tell(events: int, oks: list[bool]) -> None:
    sizes = [(done, 80 + done / 50_000) for done in range(0, events + 1, events // 10)]

    assert [each.ok for each in figures("memory", sizes, of="inventory")] == oks
