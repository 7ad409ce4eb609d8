"""What holds after any history of a few devices, however it is cut into batches, repeated or reordered."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.ticketing.records import TicketState
from services.ticketing.rules_desk import Desk
from tests.ticketing.findings import (
    OTHER_REQUIREMENT,
    REQUIREMENT,
    catalogued,
    failed_again,
    state_changed,
    uncatalogued,
)
from tests.ticketing.folds import folded, listed

STATES = st.sampled_from([*State, State.FAILED, State.FAILED, State.VERIFIED])


@st.composite
def histories(draw: st.DrawFn) -> list[Envelope]:
    """What compliance may say of three devices, interleaved; each device's own events in their order."""
    events: list[Envelope] = []
    sequence = dict.fromkeys("abc", 0)
    failures = dict.fromkeys("abc", 0)
    for _ in range(draw(st.integers(1, 25))):
        device = draw(st.sampled_from("abc"))
        sequence[device] += 1
        match draw(st.sampled_from(["state", "state", "again", "uncatalogued", "catalogued"])):
            case "state":
                state = draw(STATES)
                failures[device] += state is State.FAILED
                release = draw(st.sampled_from(["2026-10", "2026-11"]))
                change = state_changed(device, state, sequence[device], failures=failures[device], release=release)
            case "again":
                failures[device] += 1
                change = failed_again(device, sequence[device], failures=failures[device])
            case "uncatalogued":
                change = uncatalogued(device, sequence[device], failing=draw(st.booleans()))
            case _:
                requirement = draw(st.sampled_from([REQUIREMENT, OTHER_REQUIREMENT]))
                change = catalogued(device, sequence[device], requirement=requirement)
        events.append(change)
    return events


@st.composite
def repeated_histories(draw: st.DrawFn) -> tuple[list[Envelope], list[Envelope]]:
    """A history, and the same one with any event repeated at any later place."""
    history = draw(histories())
    repeated = list(history)
    for _ in range(draw(st.integers(0, 15))):
        index = draw(st.integers(0, len(repeated) - 1))
        repeated.insert(draw(st.integers(index + 1, len(repeated))), repeated[index])
    return history, repeated


@given(repeated_histories())
def test_repetition_changes_nothing(pair: tuple[list[Envelope], list[Envelope]]) -> None:
    history, repeated = pair

    assert folded(*repeated) == folded(*history)


@given(histories(), st.integers(1, 7))
def test_the_size_of_batches_changes_nothing(history: list[Envelope], size: int) -> None:
    desk = Desk()
    for start in range(0, len(history), size):
        desk = folded(*history[start : start + size], before=desk)

    assert desk == folded(*history)


@given(histories())
def test_what_is_counted_is_what_is_listed(history: list[Envelope]) -> None:
    desk = folded(*history)

    for key, ticket in desk.tickets.items():
        assert ticket.failing == list(listed(desk, key).values()).count(None)
        assert (ticket.failing == 0) == (ticket.state is TicketState.RESOLVED)


@given(histories())
def test_a_device_that_failed_last_is_on_an_open_ticket(history: list[Envelope]) -> None:
    desk = folded(*history)

    still_open = {key for key, ticket in desk.tickets.items() if ticket.state is TicketState.OPEN}
    failing = {
        (matter, asset) for (matter, asset), standing in desk.standings.items() if standing.state == State.FAILED
    }
    for matter, asset in failing:
        ticket = desk.newest_ticket(matter)
        assert ticket is not None
        assert ticket.key in still_open
        assert desk.listings[ticket.key, asset].cleared_as is None


@given(histories())
def test_a_matter_never_has_two_open_tickets(history: list[Envelope]) -> None:
    desk = folded(*history)

    of = [ticket.matter for ticket in desk.tickets.values() if ticket.state is TicketState.OPEN]
    assert len(of) == len(set(of))
