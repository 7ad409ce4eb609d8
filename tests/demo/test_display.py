"""What a person sees while the demo runs."""

import io

import pytest
from rich.console import Console

from patchline.demo.display import Counts, LiveDisplay, PlainDisplay, display

COUNTS = Counts(planned=3000, sent=1200, accepted=1190, events=1100, tickets=7, dead_letters=12, lag=42)


def told(*, at_a_terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=at_a_terminal, width=100)
    with display(console) as shown:
        shown.step("Send webhooks")
        shown.say("half of them")
        shown.count(COUNTS)
        shown.step("Wait")
    return output.getvalue()


def test_a_pipe_gets_plain_lines() -> None:
    text = told(at_a_terminal=False)

    assert "\x1b" not in text
    lines = [line.partition("] ")[2] for line in text.splitlines()]
    assert lines == [
        "== Send webhooks",
        "   half of them",
        "   sent 1200/3000, accepted 1190, events 1100, tickets 7, dead letters 12, lag 42",
        "== Wait",
    ]


def test_a_terminal_gets_a_picture_with_steps_and_counts() -> None:
    text = told(at_a_terminal=True)

    for part in ("Send webhooks", "1200/3000", "dead letters", "42", "✓"):
        assert part in text


def test_counts_are_not_printed_too_often_in_plain_lines() -> None:
    output = io.StringIO()
    shown = PlainDisplay(Console(file=output, width=100))

    for _ in range(50):
        shown.count(COUNTS)

    assert len(output.getvalue().splitlines()) == 1


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, LiveDisplay), (False, PlainDisplay)])
def test_the_display_suits_the_console(*, is_terminal: bool, kind: type) -> None:
    assert isinstance(display(Console(file=io.StringIO(), force_terminal=is_terminal)), kind)


def test_a_lag_that_nobody_can_tell_is_a_question_mark() -> None:
    assert Counts().row()["lag"] == "?"
