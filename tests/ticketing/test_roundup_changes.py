"""Roundup's answers to who changes a ticket, recorded shapes of them: each has its meaning."""

from typing import Any

import httpx
import pytest

from chassis.http import Refused, Unavailable
from services.ticketing.adapters.roundup import Words
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from tests.ticketing.roundup_script import CLOSED, NOTE, OPEN, Script, changed, element, made, page, refusal, tracker


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(200, text="?")])
async def test_a_lost_message_is_seen_by_nobody(answer: httpx.Response) -> None:
    async with tracker(Script(element=element(), message=answer)) as desk:
        with pytest.raises(Unavailable) as caught:
            await desk.append(OPEN, NOTE)

    assert not caught.value.ambiguous


async def test_a_lost_change_may_have_happened() -> None:
    script = Script(element=element(), message=made("2"), patch=httpx.Response(502))
    async with tracker(script) as desk:
        with pytest.raises(Unavailable) as caught:
            await desk.append(OPEN, NOTE)

    assert caught.value.ambiguous


async def test_a_note_is_added_to_the_others_and_the_status_kept() -> None:
    script = Script(
        element=[element(status="in-progress"), element(status="in-progress", messages=("1", "2"))],
        message=made("2"),
        patch=changed(),
    )
    async with tracker(script) as desk:
        await desk.append(OPEN, NOTE)

    [patch] = [each for each in script.requests if each.method == "PATCH"]
    assert patch.headers["if-match"] == '"abc-gzip"'
    assert script.bodies("PATCH") == [{"@op": "replace", "messages": ["1", "2"], "status": "in-progress"}]


async def test_resolving_sets_the_status_that_the_settings_name() -> None:
    words = Words(resolved_status="erledigt", closed_statuses=frozenset({"erledigt"}))
    script = Script(
        element=[element(), element(status="erledigt", messages=("1", "2"))],
        message=made("2"),
        patch=changed(),
    )
    async with tracker(script, words) as desk:
        await desk.resolve(OPEN, NOTE)

    assert script.bodies("PATCH")[0]["status"] == "erledigt"


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(element(status="resolved", messages=("1",)), id="the note is missing"),
        pytest.param(element(status="unread", messages=("1", "2")), id="it is still open"),
    ],
)
async def test_a_change_that_is_not_shown_needs_a_person(after: httpx.Response) -> None:
    script = Script(element=[element(), after], message=made("2"), patch=changed())
    async with tracker(script) as desk:
        with pytest.raises(NotAsWritten):
            await desk.resolve(OPEN, NOTE)


async def test_a_change_in_between_is_read_again_once() -> None:
    script = Script(
        element=[element(), *[element(messages=("1", "5"))] * 2, element(messages=("1", "5", "2"))],
        message=made("2"),
        find_message=page({"id": "2"}),
        patch=[refusal(412, "If-Match is missing or does not match."), changed()],
    )
    async with tracker(script) as desk:
        await desk.append(OPEN, NOTE)

    assert [body["messages"] for body in script.bodies("PATCH")] == [["1", "2"], ["1", "5", "2"]]


async def test_a_note_that_came_in_between_is_not_said_again() -> None:
    """A worker before us sent it, was stopped, and its request arrived after all."""
    script = Script(
        element=[element(), element(messages=("1", "9"))],
        message=made("2"),
        find_message=page({"id": "2"}, {"id": "9"}),
        patch=refusal(412, "If-Match is missing or does not match."),
    )
    async with tracker(script) as desk:
        with pytest.raises(Unavailable, match="already") as caught:
            await desk.append(OPEN, NOTE)

    assert caught.value.ambiguous  # the next look finds it, and records it
    assert len(script.bodies("PATCH")) == 1


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({"element": element(), "patch": refusal(412, "If-Match")}, id="changed twice"),
        pytest.param({"element": element(status="resolved"), "patch": refusal(500, "never")}, id="closed at once"),
        pytest.param(
            {"element": [element(), element(status="resolved")], "patch": refusal(412, "If-Match")}, id="closed between"
        ),
    ],
)
async def test_a_person_in_between_makes_us_look_again(answers: dict[str, Any]) -> None:
    async with tracker(Script(message=made("2"), find_message=page(), **answers)) as desk:
        with pytest.raises(ChangedMeanwhile):
            await desk.append(OPEN, NOTE)


@pytest.mark.parametrize("status", [400, 403, 405, 409])
async def test_a_refused_change_is_refused(status: int) -> None:
    script = Script(element=element(), message=made("2"), patch=refusal(status, "no"))
    async with tracker(script) as desk:
        with pytest.raises(Refused):
            await desk.append(OPEN, NOTE)


@pytest.mark.parametrize(
    ("found", "messages", "has_it"),
    [
        pytest.param(page(), ("1",), False, id="no such message"),
        pytest.param(page({"id": "2"}), ("1",), False, id="made, but on no ticket"),
        pytest.param(page({"id": "2"}, {"id": "3"}), ("1", "3"), True, id="on the ticket"),
    ],
)
async def test_a_note_is_there_when_the_ticket_shows_it(
    found: httpx.Response, messages: tuple[str, ...], *, has_it: bool
) -> None:
    script = Script(find_message=found, element=element(messages=messages))
    async with tracker(script) as desk:
        assert await desk.has_note(OPEN, "pl-x-g1/2") is has_it

    assert script.requests[0].url.params["messageid:"] == "pl-x-g1/2"


async def test_reopening_a_closed_ticket_sets_the_open_status() -> None:
    script = Script(
        element=[element(status="resolved"), element(messages=("1", "2"))],
        message=made("2"),
        patch=changed(),
    )
    async with tracker(script) as desk:
        await desk.reopen(CLOSED, NOTE)

    assert script.bodies("PATCH")[0]["status"] == "unread"
