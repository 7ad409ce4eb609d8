"""Roundup's answers that a healthy tracker rarely gives, recorded shapes of them: each has its meaning."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from chassis.http import Policy, Refused, Unavailable
from services.ticketing.adapters.roundup import Login, Roundup, Words, connect
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten, ReservationUsed
from services.ticketing.records import Draft, Note, TicketRef

DRAFT = Draft(key="pl-x-g1", title="T", text="body", company="ACME", severity="critical", marker="pl-x-g1/1")
NOTE = Note(marker="pl-x-g1/2", text="more")
OPEN, CLOSED = TicketRef(id="7", is_open=True), TicketRef(id="7", is_open=False)
ETAG = {"etag": '"abc-gzip"'}


def refusal(status: int, text: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"status": status, "msg": text}})


def made(number: str) -> httpx.Response:
    return httpx.Response(201, json={"data": {"id": number, "link": f"https://desk.example/rest/data/x/{number}"}})


def element(*, status: str | None = "unread", messages: tuple[str, ...] = ("1",), **fields: object) -> httpx.Response:
    attributes: dict[str, Any] = {
        "correlation_key": "pl-x-g1",
        "client": "ACME",
        "status": None if status is None else {"id": "1", "name": status},
        "messages": [{"id": each} for each in messages],
    }
    return httpx.Response(200, json={"data": {"id": "7", "attributes": attributes | fields}}, headers=ETAG)


def changed() -> httpx.Response:
    """Return what Roundup answers to a change: the issue's number, and what it was set to."""
    return httpx.Response(200, json={"data": {"id": "7", "type": "issue", "attribute": {"messages": ["1", "2"]}}})


def page(*issues: dict[str, object]) -> httpx.Response:
    return httpx.Response(200, json={"data": {"collection": list(issues), "@total_size": len(issues)}})


class Script:
    """Answers each route with its next answer, the last one for ever, and keeps the requests."""

    def __init__(self, **answers: httpx.Response | list[httpx.Response]) -> None:
        self._answers = {route: each if isinstance(each, list) else [each] for route, each in answers.items()}
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        route = _route(request)
        left = self._answers[route]
        return left.pop(0) if len(left) > 1 else left[0]

    def bodies(self, method: str) -> list[dict[str, Any]]:
        return [json.loads(each.content) for each in self.requests if each.method == method]


def _route(request: httpx.Request) -> str:
    match request.method, request.url.path.removeprefix("/desk/rest/data/").split("/"):
        case "GET", ["issue"]:
            return "find"
        case "GET", ["msg"]:
            return "find_message"
        case "GET", ["issue", _]:
            return "element"
        case "POST", ["msg"]:
            return "message"
        case "POST", ["issue", "@poe"]:
            return "reserve"
        case "POST", ["issue", *_]:
            return "create"
        case "PATCH", ["issue", _]:
            return "patch"
        case other:
            raise AssertionError(f"no such route: {other}")


@asynccontextmanager
async def tracker(script: Script, words: Words | None = None) -> AsyncIterator[Roundup]:
    connected = connect(
        "https://desk.example/desk/",
        login=Login("patchline", SecretStr("s3cret")),
        policy=Policy(attempts=1, calls_per_second=1000),
        words=words or Words(),
        transport=httpx.MockTransport(script),
    )
    try:
        yield connected
    finally:
        await connected.close()


async def test_every_call_carries_what_roundup_wants() -> None:
    script = Script(find=page())
    async with tracker(script) as desk:
        await desk.find("pl-x-g1")

    [request] = script.requests
    assert request.url.params["correlation_key:"] == "pl-x-g1"
    assert (request.headers["x-requested-with"], request.headers["origin"]) == ("rest", "https://desk.example")
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"patchline:s3cret"


async def test_only_the_exact_key_counts_and_the_oldest_comes_first() -> None:
    def found(number: str, key: str, status: str) -> dict[str, object]:
        return {"id": number, "correlation_key": key, "status": {"id": "1", "name": status}}

    script = Script(
        find=page(
            found("10", "pl-x-g1", "unread"),
            found("9", "pl-x-g1", "done-cbb"),
            found("3", "PL-X-G1", "unread"),
            {"id": "12", "correlation_key": "pl-x-g1", "status": None},
        )
    )
    async with tracker(script) as desk:
        refs = await desk.find("pl-x-g1")

    assert [(ref.id, ref.is_open) for ref in refs] == [("9", False), ("10", True), ("12", True)]


async def test_the_token_of_a_one_time_link_is_used_at_our_own_address() -> None:
    link = "https://elsewhere.example/rest/data/issue/@poe/abc-DEF_1"
    script = Script(
        reserve=httpx.Response(200, json={"data": {"link": link, "expires": 1.5}}),
        message=made("1"),
        create=made("7"),
        element=element(),
    )
    async with tracker(script) as desk:
        reservation = await desk.reserve()
        ref = await desk.create(DRAFT, reservation)

    assert ref == OPEN
    assert str(script.requests[2].url) == "https://desk.example/desk/rest/data/issue/@poe/abc-DEF_1"
    assert script.bodies("POST")[2] == {
        "title": "T",
        "correlation_key": "pl-x-g1",
        "client": "ACME",
        "status": "unread",
        "priority": "critical",
        "messages": ["1"],
    }


async def test_first_words_that_were_said_before_are_shown_and_not_said_again() -> None:
    script = Script(message=made("31"), create=made("7"), element=element())
    async with tracker(script) as desk:
        said = await desk.say_first(DRAFT.note)
        ref = await desk.create(replace(DRAFT, said=said), "abc")

    assert ref == OPEN
    assert [_route(each) for each in script.requests] == ["message", "create", "element"]
    message, issue = script.bodies("POST")
    assert (message["messageid"], message["content"]) == (DRAFT.marker, DRAFT.text)
    assert issue["messages"] == ["31"]


async def test_a_used_link_says_so() -> None:
    script = Script(message=made("1"), create=refusal(400, "POE token 'abc' not valid."))
    async with tracker(script) as desk:
        with pytest.raises(ReservationUsed):
            await desk.create(DRAFT, "abc")


async def test_any_other_refusal_of_a_creation_is_one() -> None:
    script = Script(message=made("1"), create=refusal(400, "property priority: 'x' is not a priority."))
    async with tracker(script) as desk:
        with pytest.raises(Refused, match="not a priority"):
            await desk.create(DRAFT, "abc")


BROKEN = "Sun Nov 22 09:12:44 2026: An error occurred. Please check the server log for more information."


async def test_what_breaks_inside_the_tracker_is_no_refusal_though_it_says_400() -> None:
    script = Script(message=made("1"), create=refusal(400, BROKEN), find=refusal(400, BROKEN))
    async with tracker(script) as desk:
        with pytest.raises(Unavailable, match="the tracker broke") as written:
            await desk.create(DRAFT, "abc")
        with pytest.raises(Unavailable, match="the tracker broke") as read:
            await desk.find("pl-x-g1")

    assert (written.value.ambiguous, read.value.ambiguous) == (True, False)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(element(correlation_key=None), id="without our key"),
        pytest.param(element(client="Other"), id="for another client"),
        pytest.param(element(status="resolved"), id="closed"),
        pytest.param(refusal(403, "no"), id="not for our eyes"),
    ],
)
async def test_a_ticket_that_is_not_as_written_needs_a_person(shown: httpx.Response) -> None:
    script = Script(message=made("1"), create=made("7"), element=shown)
    async with tracker(script) as desk:
        with pytest.raises(NotAsWritten, match="7"):
            await desk.create(DRAFT, None)


async def test_a_creation_that_cannot_be_read_back_leaves_open_whether_it_happened() -> None:
    script = Script(message=made("1"), create=made("7"), element=httpx.Response(503))
    async with tracker(script) as desk:
        with pytest.raises(Unavailable) as caught:
            await desk.create(DRAFT, None)

    assert caught.value.ambiguous


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>log in</html>"), httpx.Response(200, json=[1])])
async def test_an_answer_that_is_not_roundups_is_waited_out(answer: httpx.Response) -> None:
    async with tracker(Script(find=answer, message=made("1"), create=answer)) as desk:
        with pytest.raises(Unavailable) as reading:
            await desk.find("pl-x-g1")
        with pytest.raises(Unavailable) as writing:
            await desk.create(DRAFT, None)

    assert (reading.value.ambiguous, writing.value.ambiguous) == (False, True)


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


async def test_a_refused_login_is_nobodys_tickets_fault() -> None:
    script = Script(find=refusal(401, "Invalid Login"))
    async with tracker(script) as desk:
        with pytest.raises(Unavailable, match="refuses the login of patchline") as caught:
            await desk.find("pl-x-g1")

    assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (30, False)
    assert "s3cret" not in str(caught.value)


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
