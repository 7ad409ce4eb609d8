"""Roundup's answers to who looks for a ticket and opens one, recorded shapes of them: each has its meaning."""

import base64
from dataclasses import replace

import httpx
import pytest

from chassis.http import Refused, Unavailable
from services.ticketing.adapters.roundup_wire import AGAIN_ATTEMPTS
from services.ticketing.adapters.tracker import NotAsWritten, ReservationUsed
from tests.ticketing.roundup_script import DRAFT, NOTE, OPEN, Script, element, made, page, refusal, route, tracker


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
    assert [route(each) for each in script.requests] == ["message", "create", "element"]
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


async def test_what_nobody_sees_is_sent_again_where_the_tracker_broke() -> None:
    broken = refusal(400, BROKEN)
    script = Script(find=[broken, page()], reserve=[broken, broken, made("9")], message=[broken, made("31")])
    async with tracker(script) as desk:
        found = await desk.find("pl-x-g1")
        reserved = await desk.reserve()
        said = await desk.say_first(NOTE)

    assert (found, reserved, said) == ([], "9", "31")
    assert [route(each) for each in script.requests] == [*["find"] * 2, *["reserve"] * 3, *["message"] * 2]


async def test_a_tracker_that_stays_broken_is_asked_three_times() -> None:
    script = Script(reserve=refusal(400, BROKEN))
    async with tracker(script) as desk:
        with pytest.raises(Unavailable, match="the tracker broke"):
            await desk.reserve()

    assert len(script.requests) == AGAIN_ATTEMPTS


async def test_what_may_have_happened_is_not_sent_again_where_the_tracker_broke() -> None:
    script = Script(message=made("1"), create=refusal(400, BROKEN))
    async with tracker(script) as desk:
        with pytest.raises(Unavailable, match="the tracker broke"):
            await desk.create(DRAFT, "abc")

    assert [route(each) for each in script.requests] == ["message", "create"]


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


async def test_a_refused_login_is_nobodys_tickets_fault() -> None:
    script = Script(find=refusal(401, "Invalid Login"))
    async with tracker(script) as desk:
        with pytest.raises(Unavailable, match="refuses the login of patchline") as caught:
            await desk.find("pl-x-g1")

    assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (30, False)
    assert "s3cret" not in str(caught.value)
