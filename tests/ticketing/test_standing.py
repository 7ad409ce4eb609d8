"""Which of two words on a device holds, where the one was heard before and is told with a higher number."""

import pytest

from services.ticketing.standing import Standing
from tests.builders import HOUR, NOON

PROVEN = Standing(4, "VERIFIED", NOON + HOUR, NOON)


@pytest.mark.parametrize(
    ("known", "holds"),
    [
        pytest.param(Standing(3, "FAILED", NOON, NOON), True, id="what is known came in before"),
        pytest.param(Standing(3, "FAILED", NOON + HOUR, NOON), True, id="at the same moment"),
        pytest.param(Standing(3, "FAILED", NOON + HOUR, NOON + HOUR), False, id="in one body, but was so later"),
        pytest.param(Standing(3, "FAILED", NOON + 2 * HOUR, NOON), False, id="what is known came in later"),
        pytest.param(Standing(3, "VERIFIED", NOON, NOON), False, id="both say the same"),
        pytest.param(Standing(3, "FAILED"), False, id="a release that kept no moments heard it"),
    ],
)
def test_a_word_that_is_told_once_more_holds_against_what_came_in_before_it(known: Standing, *, holds: bool) -> None:
    assert PROVEN.overturns(known) is holds
