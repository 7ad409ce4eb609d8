"""Request Tracker's answers that a healthy one rarely gives, recorded shapes of them: each has its meaning."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from chassis.errors import WrongSetting
from chassis.http import Policy, Refused, Unavailable
from services.ticketing.adapters import request_tracker_query as query
from services.ticketing.adapters.request_tracker import Names, RequestTracker, connect
from services.ticketing.adapters.request_tracker_history import History, Line
from services.ticketing.adapters.request_tracker_settings import RequestTrackerSettings
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Draft, Note, TicketRef

KEY = "pl-x-g1"
DRAFT = Draft(key=KEY, title="T", text="body", company="ACME", severity="critical", marker=f"{KEY}/1/open/e")
NOTE = Note(marker=f"{KEY}/2/append/e", text="more")
CLOSING = Note(marker=f"{KEY}/3/resolve/e", text="done")
OPEN, CLOSED = TicketRef(id="7", is_open=True), TicketRef(id="7", is_open=False)
NAMES = Names(queue="Patching")
CLOSED_STATUSES = frozenset({"resolved", "rejected"})


def custom(**values: list[str]) -> list[dict[str, object]]:
    return [{"id": "2", "name": name, "type": "customfield", "values": each} for name, each in values.items()]


def ticket(*, status: str = "open", number: int = 7, etag: str = '"41"', **fields: Any) -> httpx.Response:
    shown = {
        "id": number,
        "Status": status,
        "Subject": "T",
        "Queue": {"id": "3", "type": "queue"},
        "CustomFields": custom(CorrelationKey=[KEY], Client=["ACME"]),
        "_hyperlinks": [{"ref": "self", "id": number}, {"ref": "history"}],
    }
    return httpx.Response(200, json=shown | fields, headers={"etag": etag})


def listed(*items: object) -> httpx.Response:
    return httpx.Response(200, json={"items": list(items), "count": len(items), "total": None, "pages": 0.0})


def said(number: int, marker: str) -> dict[str, object]:
    return {"id": str(number), "Type": "Comment", "Data": f"[{marker}]\n", "Creator": {"id": "patchline"}}


def status_set(number: int, status: str) -> dict[str, object]:
    return {"id": number, "Type": "Status", "Data": None, "NewValue": status, "Creator": {"id": "patchline"}}


QUEUE = httpx.Response(
    200, json={"id": 3, "TicketCustomFields": [{"id": "2", "name": n} for n in ("CorrelationKey", "Client")]}
)
FOUND = listed({"id": "7", "Status": "new", "CustomFields": custom(CorrelationKey=[KEY])})
MADE = httpx.Response(201, json={"id": "7", "type": "ticket", "_url": "http://elsewhere.example/REST/2.0/ticket/7"})
SAID = httpx.Response(201, json=["Comments added"])


class Script:
    """Answers each route with its next answer, the last one for ever, and keeps the requests."""

    def __init__(self, **answers: httpx.Response | list[httpx.Response]) -> None:
        healthy: dict[str, Any] = {"queue": QUEUE, "tickets": FOUND, "element": ticket(), "comment": SAID}
        self._answers: dict[str, list[httpx.Response]] = {
            route: each if isinstance(each, list) else [each] for route, each in (healthy | answers).items()
        }
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        left = self._answers[_route(request)]
        return left.pop(0) if len(left) > 1 else left[0]

    def sent(self, route: str) -> list[httpx.Request]:
        return [each for each in self.requests if _route(each) == route]

    def bodies(self, route: str) -> list[dict[str, Any]]:
        return [json.loads(each.content) for each in self.sent(route)]


def _route(request: httpx.Request) -> str:
    match request.method, request.url.path.removeprefix("/rt/REST/2.0/").split("/"):
        case "GET", ["ticket", _]:
            return "element"
        case "GET", [("queue" | "tickets" | "transactions") as route, *_]:
            return route
        case "POST", ["ticket"]:
            return "create"
        case "POST", ["ticket", _, ("comment" | "correspond") as route]:
            return route
        case "PUT", ["ticket", _]:
            return "put"
        case other:
            raise AssertionError(f"no such route: {other}")


@asynccontextmanager
async def tracker(script: Script, names: Names = NAMES) -> AsyncIterator[RequestTracker]:
    connected = connect(
        "https://desk.example/rt/",
        token=SecretStr("1-14-s3cret"),
        policy=Policy(attempts=1, calls_per_second=1000),
        names=names,
        transport=httpx.MockTransport(script),
    )
    try:
        yield connected
    finally:
        await connected.close()


async def test_every_call_carries_the_token_and_none_looks_like_a_browser() -> None:
    script = Script()
    async with tracker(script) as desk:
        await desk.find(KEY)

    assert {each.headers["authorization"] for each in script.requests} == {"token 1-14-s3cret"}
    assert {each.headers["user-agent"] for each in script.requests} == {"patchline"}
    assert {each.headers["accept-encoding"] for each in script.requests} == {"identity"}
    assert script.sent("tickets")[0].url.params["query"] == f"CF.{{CorrelationKey}} = '{KEY}'"


async def test_only_the_exact_key_counts_and_the_oldest_comes_first() -> None:
    def row(number: str, key: str, status: str) -> dict[str, object]:
        return {"id": number, "Status": status, "CustomFields": custom(CorrelationKey=[key])}

    rows = [row("10", KEY, "new"), row("9", KEY, "rejected"), row("3", KEY.upper(), "new")]
    async with tracker(Script(tickets=listed(*rows, {"id": 12, "Status": "new", "CustomFields": ""}))) as desk:
        refs = await desk.find(KEY)

    assert [(ref.id, ref.is_open) for ref in refs] == [("9", False), ("10", True)]


class TestSetUp:
    """A field that is not there makes a search find nothing, and a new ticket lose its key."""

    @pytest.mark.parametrize("missing", ["CorrelationKey", "Client"])
    async def test_a_missing_field_stops_everything_and_is_named(self, missing: str) -> None:
        left = [each for each in ("CorrelationKey", "Client") if each != missing]
        there = httpx.Response(200, json={"id": 3, "TicketCustomFields": [{"id": "2", "name": name} for name in left]})
        script = Script(queue=there)
        async with tracker(script) as desk:
            for act in (desk.find(KEY), desk.create(DRAFT, None), desk.marked(changed_since=None, page=1)):
                with pytest.raises(Unavailable, match=missing) as caught:
                    await act
                assert (caught.value.ambiguous, caught.value.retry_after_seconds) == (False, 30)

        assert script.sent("tickets") == script.sent("create") == []

    @pytest.mark.parametrize("status", [403, 404])
    async def test_a_missing_queue_is_named(self, status: int) -> None:
        async with tracker(Script(queue=httpx.Response(status, json={"message": "no"}))) as desk:
            with pytest.raises(Unavailable, match="'Patching'"):
                await desk.find(KEY)

    async def test_what_is_not_found_is_believed_beside_a_fresh_proof_only(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = httpx.Response(200, json={"id": 3, "TicketCustomFields": []})
        now = 1000.0
        monkeypatch.setattr("services.ticketing.adapters.request_tracker_proof.uptime", lambda: now)
        async with tracker(Script(queue=[QUEUE, gone], tickets=[FOUND, listed(), listed()])) as desk:
            assert await desk.find(KEY)
            assert await desk.find(KEY) == []
            now += 11

            with pytest.raises(Unavailable, match="CorrelationKey"):
                await desk.find(KEY)

    async def test_after_a_dropped_field_no_more_tickets_are_made_for_a_while(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr("services.ticketing.adapters.request_tracker_proof.uptime", lambda: now)
        script = Script(create=MADE, element=[ticket(CustomFields=custom(Client=["ACME"])), ticket()])
        async with tracker(script) as desk:
            with pytest.raises(NotAsWritten, match="CorrelationKey"):
                await desk.create(DRAFT, None)
            with pytest.raises(Unavailable, match="CorrelationKey") as caught:
                await desk.create(DRAFT, None)
            assert len(script.sent("create")) == 1
            now += caught.value.retry_after_seconds or 0

            assert await desk.create(DRAFT, None) == OPEN


async def test_a_ticket_is_made_with_its_key_its_client_and_plain_words() -> None:
    script = Script(create=MADE)
    async with tracker(script) as desk:
        ref = await desk.create(DRAFT, await desk.reserve())

    assert ref == OPEN
    assert script.bodies("create") == [
        {
            "Queue": "Patching",
            "Subject": "T",
            "Content": "body",
            "ContentType": "text/plain",
            "Priority": 100,
            "CustomFields": {"CorrelationKey": KEY, "Client": "ACME"},
        }
    ]
    assert {each.url.host for each in script.requests} == {"desk.example"}


@pytest.mark.parametrize(
    ("shown", "found", "named"),
    [
        pytest.param(ticket(CustomFields=custom(Client=["ACME"])), FOUND, "CorrelationKey", id="without our key"),
        pytest.param(ticket(CustomFields=custom(CorrelationKey=[KEY])), FOUND, "Client", id="without the client"),
        pytest.param(ticket(CustomFields=custom(CorrelationKey=[KEY, "b"], Client=["ACME"])), FOUND, "Key", id="two"),
        pytest.param(ticket(), listed(), "a search does not find it", id="not found by its key"),
        pytest.param(ticket(Queue={"id": 4}), FOUND, "another queue", id="in another queue"),
        pytest.param(ticket(status="rejected"), FOUND, "closed", id="closed"),
        pytest.param(httpx.Response(403, json={"message": "Forbidden"}), FOUND, "cannot be read", id="not for us"),
    ],
)
async def test_a_ticket_that_is_not_as_written_needs_a_person(
    shown: httpx.Response, found: httpx.Response, named: str
) -> None:
    async with tracker(Script(create=MADE, element=shown, tickets=found)) as desk:
        with pytest.raises(NotAsWritten, match="7") as caught:
            await desk.create(DRAFT, None)

    assert named in str(caught.value)


async def test_a_creation_that_cannot_be_read_back_leaves_open_whether_it_happened() -> None:
    async with tracker(Script(create=MADE, element=httpx.Response(503))) as desk:
        with pytest.raises(Unavailable) as caught:
            await desk.create(DRAFT, None)

    assert caught.value.ambiguous


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>log in</html>"), httpx.Response(200, json=[1])])
async def test_an_answer_that_is_not_rts_is_waited_out(answer: httpx.Response) -> None:
    async with tracker(Script(tickets=answer, create=answer)) as desk:
        with pytest.raises(Unavailable) as reading:
            await desk.find(KEY)
        with pytest.raises(Unavailable) as writing:
            await desk.create(DRAFT, None)

    assert (reading.value.ambiguous, writing.value.ambiguous) == (False, True)


@pytest.mark.parametrize("status", [302, 401])
async def test_a_refused_token_is_nobodys_tickets_fault(status: int) -> None:
    async with tracker(Script(queue=httpx.Response(status, json={"message": "Unauthorized"}))) as desk:
        with pytest.raises(Unavailable, match="refuses the token") as caught:
            await desk.find(KEY)

    assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (30, False)
    assert "s3cret" not in str(caught.value)


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


async def test_plain_http_to_another_machine_is_a_wrong_setting() -> None:
    with pytest.raises(WrongSetting, match=r"desk\.example"):
        connect("http://desk.example/", token=SecretStr("t"), policy=Policy(), names=NAMES)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_ticket_that_is_not_for_us_has_no_key(status: int) -> None:
    async with tracker(Script(element=httpx.Response(status, json={"message": "no"}))) as desk:
        assert await desk.key_of("7") is None


async def test_a_ticket_that_was_merged_away_has_no_key() -> None:
    async with tracker(Script(element=ticket(number=9))) as desk:
        assert (await desk.key_of("7"), await desk.key_of("9")) == (None, KEY)


@pytest.mark.parametrize("status", [400, 403, 409])
async def test_a_refused_creation_is_refused(status: int) -> None:
    async with tracker(Script(create=httpx.Response(status, json={"message": "no"}))) as desk:
        with pytest.raises(Refused):
            await desk.create(DRAFT, None)
