"""Request Tracker's answers that a healthy one rarely gives: to notes, to another status, of its history."""

import json
from datetime import datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.http import Unavailable
from services.ticketing.adapters import request_tracker_query as query
from services.ticketing.adapters.request_tracker import Names
from services.ticketing.adapters.request_tracker_history import History, Line
from services.ticketing.adapters.request_tracker_settings import RequestTrackerSettings
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from tests.ticketing.request_tracker.script import (
    CLOSED_STATUSES,
    CLOSING,
    KEY,
    NOTE,
    OPEN,
    SAID,
    Script,
    listed,
    said,
    status_set,
    ticket,
    tracker,
)


class TestNote:
    async def test_it_is_marked_and_leaves_the_status_alone(self) -> None:
        script = Script(transactions=listed(said(42, NOTE.marker)))
        async with tracker(script) as desk:
            await desk.append(OPEN, NOTE)

        assert script.bodies("comment") == [
            {"Subject": f"[{NOTE.marker}]", "Content": "more", "ContentType": "text/plain"}
        ]
        assert script.sent("put") == []

    async def test_a_reply_shows_its_readers_the_subject_of_the_ticket(self) -> None:
        script = Script(correspond=SAID, transactions=listed(said(42, NOTE.marker)), element=ticket(Subject="x" * 300))
        async with tracker(script, Names(queue="Patching", notes="correspond")) as desk:
            await desk.append(OPEN, NOTE)

        [body] = script.bodies("correspond")
        assert body["Subject"].startswith("xxx")
        assert body["Subject"].endswith(f" [{NOTE.marker}]")
        assert len(body["Subject"]) <= 255

    async def test_one_that_we_are_not_shown_needs_a_person(self) -> None:
        async with tracker(Script(transactions=listed())) as desk:
            with pytest.raises(NotAsWritten, match="allowed to see comments"):
                await desk.append(OPEN, NOTE)

    async def test_one_that_met_a_closing_makes_us_look_again(self) -> None:
        script = Script(element=[ticket(), ticket(status="resolved")], transactions=listed(said(42, NOTE.marker)))
        async with tracker(script) as desk:
            with pytest.raises(ChangedMeanwhile, match="closed"):
                await desk.append(OPEN, NOTE)

    @pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(502)])
    async def test_one_whose_answer_is_lost_may_be_there(self, answer: httpx.Response) -> None:
        async with tracker(Script(comment=answer)) as desk:
            with pytest.raises(Unavailable) as caught:
                await desk.append(OPEN, NOTE)

        assert caught.value.ambiguous

    @pytest.mark.parametrize(
        "now", [pytest.param(ticket(status="resolved"), id="closed"), pytest.param(ticket(number=9), id="merged away")]
    )
    async def test_a_person_in_between_makes_us_look_again(self, now: httpx.Response) -> None:
        script = Script(element=now)
        async with tracker(script) as desk:
            for act in (desk.append(OPEN, NOTE), desk.resolve(OPEN, CLOSING)):
                with pytest.raises(ChangedMeanwhile):
                    await act

        assert script.sent("comment") == []


class TestStatus:
    async def test_it_is_set_on_the_ticket_as_it_is_with_the_note(self) -> None:
        script = Script(
            element=[ticket(etag='"41"'), ticket(etag='"42"'), ticket(status="resolved")],
            transactions=[listed(), listed(said(42, CLOSING.marker), status_set(43, "resolved"))],
            put=httpx.Response(200, json=["Ticket 7: Status changed from 'open' to 'resolved'"]),
        )
        async with tracker(script) as desk:
            await desk.resolve(OPEN, CLOSING)

        [put] = script.sent("put")
        assert (put.headers["if-match"], json.loads(put.content)) == ('"42"', {"Status": "resolved"})

    async def test_a_refusal_in_a_200_is_one_and_says_what_rt_said(self) -> None:
        script = Script(
            transactions=[listed(), listed(said(42, CLOSING.marker))],
            put=httpx.Response(200, json=["Ticket 7: Permission Denied", None]),
        )
        async with tracker(script) as desk:
            with pytest.raises(NotAsWritten, match="Permission Denied"):
                await desk.resolve(OPEN, CLOSING)

    async def test_one_that_was_broken_off_after_its_note_says_no_second_one(self) -> None:
        script = Script(
            element=[ticket(), ticket(), ticket(status="resolved")],
            transactions=listed(said(42, CLOSING.marker)),
            put=httpx.Response(200, json=["Status changed"]),
        )
        async with tracker(script) as desk:
            assert not await desk.has_note(OPEN, CLOSING.marker)
            await desk.resolve(OPEN, CLOSING)

        assert (len(script.sent("comment")), len(script.sent("put"))) == (0, 1)

    async def test_a_change_in_between_is_read_again_once(self) -> None:
        script = Script(
            element=[*[ticket()] * 2, ticket(etag='"50"'), ticket(status="resolved")],
            transactions=[listed(), listed(said(42, CLOSING.marker))],
            put=[httpx.Response(412, json={"message": "Precondition Failed"}), httpx.Response(200, json=["ok"])],
        )
        async with tracker(script) as desk:
            await desk.resolve(OPEN, CLOSING)

        assert [each.headers["if-match"] for each in script.sent("put")] == ['"41"', '"50"']

    @pytest.mark.parametrize(
        "elements",
        [
            pytest.param([ticket()], id="changed twice"),
            pytest.param([ticket(), ticket(), ticket(status="rejected")], id="closed between"),
        ],
    )
    async def test_someone_faster_makes_us_look_again(self, elements: list[httpx.Response]) -> None:
        script = Script(
            element=elements,
            transactions=listed(said(42, CLOSING.marker)),
            put=httpx.Response(412, json={"message": "Precondition Failed"}),
        )
        async with tracker(script) as desk:
            with pytest.raises(ChangedMeanwhile):
                await desk.resolve(OPEN, CLOSING)

    async def test_a_ticket_that_a_person_closed_after_our_note_is_left_as_it_is(self) -> None:
        script = Script(
            element=[ticket(), ticket(status="rejected")],
            transactions=[listed(), listed(said(42, CLOSING.marker))],
        )
        async with tracker(script) as desk:
            await desk.resolve(OPEN, CLOSING)

        assert script.sent("put") == []


def line(number: int, told: str) -> Line:
    """Return a line of history told as `who: note` or `who > status`."""
    who, sign, what = told.partition(" > ") if " > " in told else told.partition(": ")
    if sign == " > ":
        return Line(number, "Status", "", what, who)
    marker = f"{KEY}/{what}" if "/" in what else f"{KEY}/{what}/{what}/e"
    return Line(number, "Comment", f"T [{marker}]\n", "", who)


class TestHistory:
    """What counts as done."""

    @pytest.mark.parametrize(
        ("lines", "done", "last"),
        [
            pytest.param([], set(), None, id="nothing"),
            pytest.param(["us: append"], {"append"}, "append", id="a note"),
            pytest.param(["us: resolve"], set(), None, id="a closing note alone"),
            pytest.param(["us: resolve", "us > open"], set(), None, id="opened after it"),
            pytest.param(["us: resolve", "them > resolved"], set(), None, id="closed after it by a person"),
            pytest.param(["us > resolved", "us: resolve"], set(), None, id="closed before it"),
            pytest.param(["us: resolve", "us > resolved"], {"resolve"}, "resolve", id="a closing"),
            pytest.param(["us: resolve", "us > rejected", "us: merged/9"], {"resolve"}, "resolve", id="then a merge"),
            pytest.param(["them > resolved", "us: append"], set(), None, id="a note that met a closing"),
            pytest.param(["them > resolved", "us: append", "them > open"], set(), None, id="which was undone after it"),
            pytest.param(["them > resolved", "them > open", "us: append"], {"append"}, "append", id="or before it"),
            pytest.param(["us: append", "them > resolved"], {"append"}, "append", id="a closing that met a note"),
            pytest.param(
                ["us: append", "us: resolve", "us > resolved", "us: reopen", "us > open"],
                {"append", "resolve", "reopen"},
                "reopen",
                id="a whole life",
            ),
        ],
    )
    def test_an_act_is_its_note_and_what_it_speaks_of(self, lines: list[str], done: set[str], last: str | None) -> None:
        history = History(tuple(line(number, told) for number, told in enumerate(lines)), CLOSED_STATUSES)

        acts = ("append", "resolve", "reopen")
        assert {act for act in acts if history.is_done(f"{KEY}/{act}/{act}/e")} == done
        assert history.last_done(KEY) == (last and f"{KEY}/{last}/{last}/e")

    async def test_it_is_read_to_its_last_page(self) -> None:
        page = listed(*(said(number, f"{KEY}/{number}/append/e") for number in range(100)))
        async with tracker(Script(transactions=[page, listed(said(100, NOTE.marker))])) as desk:
            assert await desk.has_note(OPEN, NOTE.marker)


class TestQuestion:
    """Nothing that is looked for becomes a command."""

    @given(st.text(min_size=1))
    def test_a_literal_ends_where_it_should(self, text: str) -> None:
        try:
            written = query.literal(text)
        except query.CannotBeAsked:
            return

        inside, taken, escaped = written[1:-1], "", False
        for char in inside:  # as RT reads it: a backslash takes the next character as it is, a quote ends
            assert escaped or char != "'"
            taken += char if escaped or char != "\\" else ""
            escaped = char == "\\" and not escaped
        assert (taken, escaped) == (text, False)

    @pytest.mark.parametrize("text", ["", "NULL", "null", "CF.{Client}", "cf.x", "__CurrentUser__", "a\nb", "a\x00"])
    def test_what_rt_reads_as_something_else_is_refused(self, text: str) -> None:
        with pytest.raises(query.CannotBeAsked):
            query.literal(text)

    @pytest.mark.parametrize("name", ["", "A}", "A' OR id > 0", "{", "a.b", 'a"'])
    def test_a_field_is_a_name(self, name: str) -> None:
        with pytest.raises(query.CannotBeAsked):
            query.field(name)
        with pytest.raises(ValidationError):
            RequestTrackerSettings(queue="Patching", key_field=name)

    def test_what_changed_lately_is_asked_a_day_too_early(self) -> None:
        asked = query.marked("CorrelationKey", datetime.fromisoformat("2026-11-22T10:00:00+00:00"))

        assert asked == "CF.{CorrelationKey} STARTSWITH 'pl-' AND LastUpdated > '2026-11-21 10:00:00'"

    @pytest.mark.parametrize("number", ["7 OR 1=1", "", "x"])
    def test_a_number_is_one(self, number: str) -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            query.ours_on(number)
