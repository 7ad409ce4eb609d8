"""ConnectWise PSA over HTTP, in its wire format: logins, codebases, addresses; how a ticket is found."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from chassis.http import Refused, Unavailable
from services.ticketing.adapters.connectwise import ConnectWise
from services.ticketing.records import TicketRef
from simulators.connectwise import CLIENT_ID, Sandbox
from tests.ticketing.connectwise.tickets import DRAFT, KEY, NOTE
from tests.ticketing.psa import LOGIN, Person, numbers, of, texts


class TestWire:
    async def test_every_call_carries_what_connectwise_wants(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.find(KEY)

        card, call = psa.calls
        assert card.path == "/login/companyinfo/sandbox"
        assert call.path == "/v2026_1/apis/3.0/service/tickets"
        assert call.headers["clientid"] == CLIENT_ID
        assert call.headers["accept"] == "application/vnd.connectwise.com+json; version=2025.16"
        login = base64.b64decode(call.headers["authorization"].removeprefix("Basic ")).decode()
        assert login == f"sandbox+{LOGIN.public_key}:{LOGIN.private_key.get_secret_value()}"
        assert call.query["conditions"] == f'externalXRef="{KEY}"'

    async def test_a_new_codebase_is_found_once_and_used_from_then_on(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        psa.codebase = "v2026_2/"
        psa.calls.clear()

        await desk.append(ref, NOTE)
        await desk.append(ref, replace(NOTE, marker=f"{KEY}/5/append/e5"))

        assert len([call for call in psa.calls if call.path.startswith("/login/")]) == 1
        assert len(texts(psa, ref.id)) == 3

    async def test_a_write_that_met_the_old_codebase_is_done_once(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.find(KEY)
        await desk._places.company(DRAFT)
        await desk._places.board()
        psa.codebase = "v2026_2/"

        await desk.create(DRAFT, None)

        assert len(numbers(psa, KEY)) == 1

    async def test_a_404_is_believed_if_the_codebase_is_the_same(self, psa: Sandbox, desk: ConnectWise) -> None:
        assert await desk.key_of("4711") is None
        assert [call.path.rpartition("/")[2] for call in psa.calls] == ["sandbox", "4711", "sandbox"]

    @pytest.mark.parametrize(
        ("login", "reason"),
        [
            pytest.param(replace(LOGIN, private_key=SecretStr("s3cret")), "refused", id="another key"),
            pytest.param(replace(LOGIN, client_id="x" * 36), "refused", id="another client id"),
            pytest.param(replace(LOGIN, company="nobody"), "no company 'nobody'", id="another company"),
        ],
    )
    async def test_a_wrong_login_is_nobodys_tickets_fault(self, psa: Sandbox, login: Any, reason: str) -> None:
        desk = of(psa, login=login)
        with pytest.raises(Unavailable, match=reason) as caught:
            await desk.create(DRAFT, None)
        await desk.close()

        assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (30, False)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("answer", "reason", "retry_after_seconds"),
        [
            pytest.param(
                httpx.Response(302, headers={"location": "https://evil.example/"}), "elsewhere", 30, id="moved"
            ),
            pytest.param(httpx.Response(409, json={"code": "Conflict"}), "in use", None, id="in use"),
            pytest.param(httpx.Response(200, text="<html>soon</html>"), "not ConnectWise's", None, id="a page"),
        ],
    )
    async def test_an_answer_that_is_no_refusal_is_waited_out(
        self, psa: Sandbox, answer: httpx.Response, reason: str, retry_after_seconds: float | None
    ) -> None:
        def respond(request: httpx.Request) -> httpx.Response:
            is_card = request.url.path.startswith("/login/")
            return httpx.Response(200, json={"Codebase": "v1/"}) if is_card else answer

        desk = of(psa, transport=httpx.MockTransport(respond))
        with pytest.raises(Unavailable, match=reason) as caught:
            await desk.find(KEY)
        await desk.close()

        assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (retry_after_seconds, False)

    async def test_a_codebase_that_leads_elsewhere_is_not_followed(self, psa: Sandbox, desk: ConnectWise) -> None:
        psa.codebase = "../../evil/"

        with pytest.raises(Unavailable, match="codebase"):
            await desk.find(KEY)

    async def test_a_limit_is_waited_out(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.find(KEY)
        psa.faults.limited = 1
        psa.faults.retry_after_seconds = 7

        with pytest.raises(Unavailable) as caught:
            await desk.find(KEY)

        assert (caught.value.limited, caught.value.retry_after_seconds) == (True, 7)

    async def test_a_refusal_says_what_connectwise_said(self, psa: Sandbox, desk: ConnectWise) -> None:
        psa.records.statuses[1][0]["inactive"] = True

        with pytest.raises(Refused, match="must be an active one of the board"):
            await desk.create(DRAFT, None)


class TestFind:
    async def test_only_the_exact_key_counts_and_the_oldest_comes_first(self, psa: Sandbox, desk: ConnectWise) -> None:
        jane = Person(psa)
        first, other = jane.plant(KEY), jane.plant(KEY.upper())
        second = jane.plant(KEY)
        jane.set_status(second, "Closed")
        jane.plant(f"{KEY}0")

        found = await desk.find(KEY)

        assert found == [TicketRef(id=first, is_open=True), TicketRef(id=second, is_open=False)]
        assert other not in {ref.id for ref in found}

    async def test_what_is_no_key_asks_nothing(self, psa: Sandbox, desk: ConnectWise) -> None:
        Person(psa).plant(KEY)

        assert await desk.find('x" or externalXRef!="') == []
        assert not psa.calls

    async def test_marked_tickets_come_page_by_page(
        self, psa: Sandbox, desk: ConnectWise, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.ticketing.adapters.connectwise.PAGE_TICKETS", 2)
        jane = Person(psa)
        ours = [jane.plant(f"pl-x-{number}-g1") for number in range(5)]
        jane.plant("theirs-1")
        jane.set_status(ours[1], "Closed")

        pages = [await desk.marked(changed_since=None, page=page) for page in (1, 2, 3)]

        assert pages == [[ours[0], ours[2]], [ours[3], ours[4]], []]

    async def test_marked_tickets_that_changed_are_closed_ones_too(self, psa: Sandbox, desk: ConnectWise) -> None:
        jane, now = Person(psa), datetime.now(UTC)
        psa.clock = lambda: now - timedelta(days=5)
        old = jane.plant("pl-x-1-g1")
        psa.clock = lambda: now
        new = jane.plant("pl-x-2-g1")
        jane.set_status(new, "Closed")

        assert await desk.marked(changed_since=now - timedelta(days=2), page=1) == [new]
        jane.say(old, "again")
        assert await desk.marked(changed_since=now - timedelta(days=2), page=1) == [old, new]

    async def test_the_key_of_a_number(self, psa: Sandbox, desk: ConnectWise) -> None:
        number = Person(psa).plant(KEY)

        assert await desk.key_of(number) == KEY
        assert await desk.key_of("../1") is None
        assert await desk.reserve() is None
