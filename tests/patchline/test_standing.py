"""What moving a watermark means, said before it is done."""

from uuid import UUID

import pytest
from aiokafka import TopicPartition

from patchline import standing
from patchline.standing import Log, Mark, NoSuchPlace

OLD, NEW = UUID(int=1), UUID(int=2)


def mark(next_offset: int, topic_id: UUID | None = OLD) -> Mark:
    return Mark("inventory", "inventory", TopicPartition("rmm.events", 0), next_offset, topic_id)


@pytest.mark.parametrize(
    ("where", "log", "verdict"),
    [
        pytest.param(mark(50), Log(0, 100, OLD), "continues", id="in the log"),
        pytest.param(mark(100), Log(0, 100, OLD), "continues", id="at its end"),
        pytest.param(mark(50), Log(50, 100, OLD), "continues", id="at its beginning"),
        pytest.param(mark(50), Log(51, 100, OLD), "starts above", id="one record was deleted unread"),
        pytest.param(mark(101), Log(0, 100, OLD), "ends below", id="one record too few"),
        pytest.param(mark(50), Log(0, 100, NEW), "made anew", id="another topic of that name"),
        pytest.param(mark(50, None), Log(0, 100, NEW), "continues", id="its id was not known yet"),
        pytest.param(mark(50), Log(0, 100, None), "continues", id="a broker that tells no ids"),
        pytest.param(mark(50), None, "gone", id="no topic"),
    ],
)
def test_a_log_continues_or_it_is_said_why_not(where: Mark, log: Log | None, verdict: str) -> None:
    assert standing.verdict(where, log) == verdict


@pytest.mark.parametrize(
    ("where", "log", "to", "expected"),
    [
        pytest.param(mark(50), Log(10, 100, OLD), "beginning", (10, 40, 0, 0), id="back to the beginning"),
        pytest.param(mark(50), Log(10, 100, OLD), "end", (100, 0, 50, 0), id="on to the end"),
        pytest.param(mark(50), Log(10, 100, OLD), "70", (70, 0, 20, 0), id="past some"),
        pytest.param(mark(50), Log(60, 100, OLD), "beginning", (60, 0, 0, 10), id="past what is gone"),
        pytest.param(mark(50), Log(60, 100, OLD), "65", (65, 0, 5, 10), id="past what is gone and some that is not"),
        pytest.param(mark(150), Log(0, 100, OLD), "end", (100, 0, 0, 0), id="to the end of a log that lost its tail"),
        pytest.param(mark(150), Log(0, 100, OLD), "beginning", (0, 100, 0, 0), id="all of a log that lost its tail"),
        pytest.param(mark(50), Log(0, 100, NEW), "beginning", (0, 0, 0, 0), id="all of a topic made anew"),
        pytest.param(mark(50), Log(0, 100, NEW), "50", (50, 0, 50, 0), id="not the first of a topic made anew"),
    ],
)
def test_a_move_says_what_is_handled_again_skipped_and_gone(
    where: Mark, log: Log, to: str, expected: tuple[int, int, int, int]
) -> None:
    move = standing.move(where, log, to)

    assert (move.to, move.again, move.skipped, move.gone) == expected
    assert move.topic_id == log.topic_id


@pytest.mark.parametrize("to", ["9", "101", "-1", "middle", ""])
def test_a_place_that_the_log_does_not_have_is_refused(to: str) -> None:
    with pytest.raises(NoSuchPlace, match=r"rmm\.events/0 goes from 10 to 100"):
        standing.move(mark(50), Log(10, 100, OLD), to)
