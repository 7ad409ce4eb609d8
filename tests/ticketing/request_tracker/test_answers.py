"""Request Tracker's answers that a healthy one rarely gives, recorded shapes of them: at the start, at a creation."""

import httpx
import pytest
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import Policy, Refused, Unavailable
from services.ticketing.adapters.request_tracker import connect
from services.ticketing.adapters.tracker import NotAsWritten
from tests.ticketing.request_tracker.script import (
    DRAFT,
    FOUND,
    KEY,
    MADE,
    NAMES,
    OPEN,
    QUEUE,
    Script,
    custom,
    listed,
    ticket,
    tracker,
)


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
