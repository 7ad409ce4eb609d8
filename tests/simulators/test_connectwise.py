"""The sandbox ConnectWise PSA over HTTP: logins, conditions, pages, patches, errors, callbacks, and how it fails."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from simulators.connectwise import CLIENT_ID, COMPANY, KEY_PATH, PRIVATE_KEY, PUBLIC_KEY, Deed, Sandbox
from simulators.connectwise_conditions import Row, Unreadable, ordered, parsed, projected
from simulators.connectwise_served import SandboxSettings, served

LOGIN = (f"{COMPANY}+{PUBLIC_KEY}", PRIVATE_KEY)


@pytest.fixture
def psa() -> Sandbox:
    sandbox = Sandbox(url="http://127.0.0.1")
    sandbox.seed({"ACME": "Acme Dental"})
    return sandbox


@pytest.fixture
async def api(psa: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    base_url = f"http://127.0.0.1/{psa.codebase}apis/3.0/"
    transport = httpx.ASGITransport(app=psa)
    headers = {"clientId": CLIENT_ID}
    async with httpx.AsyncClient(transport=transport, base_url=base_url, auth=LOGIN, headers=headers) as client:
        yield client


async def created(api: httpx.AsyncClient, **fields: Any) -> Row:
    ticket = {"summary": "Update fails", "company": {"id": 2}, "board": {"id": 1}, "externalXRef": "pl-1"} | fields
    answer = await api.post("service/tickets", json=ticket)
    assert answer.status_code == 201, answer.text
    made: Row = answer.json()
    return made


def status(number: int) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": "status", "value": {"id": number}}]


@pytest.mark.parametrize(
    ("conditions", "is_met"),
    [
        pytest.param("", True, id="none"),
        pytest.param('externalXRef="PL-1"', True, id="texts without regard to case"),
        pytest.param("externalXRef='pl-1' and company/id=2", True, id="a reference"),
        pytest.param('externalXRef="pl-1" and company/id=3', False, id="both must be met"),
        pytest.param('(externalXRef="x" or company/id in (1,2)) and closedFlag=false', True, id="parentheses"),
        pytest.param('not externalXRef contains "pl-"', False, id="not, contains"),
        pytest.param('externalXRef like "pl%"', True, id="like"),
        pytest.param("lastUpdated>[2026-11-22T00:00:00Z]", True, id="a moment"),
        pytest.param("lastUpdated>[2026-11-23T00:00:00Z]", False, id="a later moment"),
        pytest.param("owner=null", True, id="nothing"),
        pytest.param("owner>3", False, id="what cannot be compared"),
    ],
)
def test_conditions_are_read_as_the_vendor_writes_them(conditions: str, *, is_met: bool) -> None:
    row = {
        "externalXRef": "pl-1",
        "company": {"id": 2},
        "closedFlag": False,
        "_info": {"lastUpdated": "2026-11-22T10:00:00Z"},
    }

    assert parsed(conditions)(row) is is_met


@pytest.mark.parametrize("conditions", ['a="', "a=", "=1", "a=1 b=2", "(a=1", "a ? 1", "a contains 1", "a=[soon]"])
def test_what_is_no_condition_is_refused(conditions: str) -> None:
    with pytest.raises(Unreadable):
        parsed(conditions)({"a": 1})


def test_rows_are_ordered_and_cut_to_their_fields() -> None:
    rows: list[Row] = [{"id": 2, "board": {"id": 1, "name": "x"}}, {"id": 1, "board": {"id": 2, "name": "y"}}]

    assert [row["id"] for row in ordered(rows, "")] == [1, 2]
    assert [row["id"] for row in ordered(rows, "board/id asc")] == [2, 1]
    assert [row["id"] for row in ordered(rows, "id desc")] == [2, 1]
    assert projected(rows[0], "id,board/name,owner/id") == {"id": 2, "board": {"name": "x"}}


async def test_the_codebase_is_told_to_anyone_and_an_unknown_company_is_null(api: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(transport=api._transport, base_url="http://127.0.0.1") as stranger:
        assert (await stranger.get("/login/companyinfo/sandbox")).json()["Codebase"] == "v2026_1/"
        assert (await stranger.get("/login/companyinfo/nobody")).json() is None
        assert (await stranger.get("/v2026_1/apis/3.0/service/boards")).status_code == 401


@pytest.mark.parametrize(
    ("login", "client_id"),
    [(("sandbox+x", PRIVATE_KEY), CLIENT_ID), (("other+x", "y"), CLIENT_ID), (LOGIN, "another")],
    ids=["another key", "another company", "another client id"],
)
async def test_a_wrong_login_is_refused(api: httpx.AsyncClient, login: tuple[str, str], client_id: str) -> None:
    answer = await api.get("service/boards", auth=login, headers={"clientId": client_id})

    assert (answer.status_code, set(answer.json())) == (401, {"code", "message", "errors"})


async def test_lists_come_in_pages_with_links(api: httpx.AsyncClient) -> None:
    for number in range(5):
        await created(api, externalXRef=f"pl-{number}")

    first = await api.get("service/tickets", params={"pageSize": 2, "fields": "id"})
    last = await api.get("service/tickets", params={"pageSize": 2, "page": 3})

    assert [len(page.json()) for page in (first, last)] == [2, 1]
    assert 'rel="next"' in first.headers["link"]
    assert "page=3" in first.links["last"]["url"]
    assert "link" not in last.headers
    assert (await api.get("service/tickets", params={"pageSize": 1001})).status_code == 400
    assert (await api.get("service/tickets", params={"conditions": 'a="'})).json()["code"] == "ConditionInvalid"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"summary": ""}, "summary", id="no summary"),
        pytest.param({"summary": "x" * 101}, "summary", id="a summary of 101 characters"),
        pytest.param({"summary": "😀" * 51}, "summary", id="a summary of 102 as UTF-16 counts"),
        pytest.param({"externalXRef": "x" * 101}, "externalXRef", id="a key of 101 characters"),
        pytest.param({"company": None}, "company", id="no company"),
        pytest.param({"company": {"id": 99}}, "company", id="no such company"),
        pytest.param({"board": {"id": 99}}, "board", id="no such board"),
        pytest.param({"status": {"id": 200}}, "status", id="a status of another board"),
        pytest.param({"priority": {"id": 99}}, "priority", id="no such priority"),
    ],
)
async def test_a_ticket_with_a_wrong_field_is_refused_whole(
    psa: Sandbox, api: httpx.AsyncClient, fields: dict[str, Any], field: str
) -> None:
    ticket = {"summary": "x", "company": {"id": 2}, "board": {"id": 1}} | fields
    answer = await api.post("service/tickets", json=ticket)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert psa.ledger() == []


async def test_what_only_a_post_may_have_becomes_notes_and_is_never_shown(api: httpx.AsyncClient) -> None:
    made = await created(api, initialDescription="hello", initialInternalAnalysis="psst")

    notes = (await api.get(f"service/tickets/{made['id']}/notes")).json()
    assert not {name for name in made if name.startswith("initial")}
    assert [(each["text"], each["internalAnalysisFlag"]) for each in notes] == [("hello", False), ("psst", True)]
    assert {each["createdBy"] for each in notes} == {"patchline"}


async def test_a_status_closes_by_its_flag_and_says_who_did(psa: Sandbox, api: httpx.AsyncClient) -> None:
    number = (await created(api))["id"]

    closed = (await api.patch(f"service/tickets/{number}", json=status(104))).json()
    psa.act(Deed(ticket=number, by="jane", patch=status(101)))
    opened = (await api.get(f"service/tickets/{number}")).json()

    assert (closed["closedFlag"], closed["closedBy"], closed["status"]["name"]) == (True, "patchline", "Closed")
    assert (opened["closedFlag"], opened["closedBy"], opened["_info"]["updatedBy"]) == (False, None, "jane")


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "replace", "path": "status", "value": {"id": 103}},
        [{"op": "replace", "path": "closedFlag", "value": True}],
        [{"op": "replace", "path": "externalXRef", "value": "x" * 101}],
        [*status(103), {"op": "remove", "path": "summary"}],
        [*status(203)],
    ],
    ids=["no array", "a flag that follows", "a key too long", "half of it wrong", "another board's status"],
)
async def test_a_patch_that_cannot_be_applied_changes_nothing(
    psa: Sandbox, api: httpx.AsyncClient, operations: object
) -> None:
    number = (await created(api))["id"]

    answer = await api.patch(f"service/tickets/{number}", json=operations)

    assert answer.status_code == 400
    assert psa.records.ticket(number)["status"]["name"] == "New"


async def test_what_is_not_there_is_not_found(api: httpx.AsyncClient) -> None:
    for path in ("service/tickets/1", "service/tickets/1/notes", "service/boards/9/statuses", "service/nothing"):
        assert (await api.get(path)).json()["code"] == "NotFound"
    assert (await api.post("service/tickets/1/merge", json={})).status_code == 404
    number = (await created(api))["id"]
    assert (await api.delete(f"service/tickets/{number}")).status_code == 204
    assert (await api.get(f"service/tickets/{number}")).status_code == 404


async def test_the_sandbox_s_own_door_sets_what_goes_wrong(psa: Sandbox, api: httpx.AsyncClient) -> None:
    number = (await created(api))["id"]

    async def set_(**setting: Any) -> dict[str, Any]:
        answer = await api.put("http://127.0.0.1/_sandbox", json=setting)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    await set_(faults={"limited": 1, "retry_after_seconds": 3})
    limited = await api.get("service/boards")
    await set_(faults={"broken_before": 1})
    before = await api.patch(f"service/tickets/{number}", json=status(104))
    await set_(faults={"broken_after": 1})
    after = await api.patch(f"service/tickets/{number}", json=status(104))
    await set_(swallow_statuses=1, cut_notes_at=3)
    swallowed = await api.patch(f"service/tickets/{number}", json=status(100))
    note = await api.post(f"service/tickets/{number}/notes", json={"text": "abcdef", "internalAnalysisFlag": True})
    shown = await set_(codebase="v2026_2/", companies={"B": "Birch"}, deed={"ticket": number, "patch": status(101)})

    assert (limited.status_code, limited.headers["retry-after"]) == (429, "3")
    assert (before.status_code, after.status_code) == (500, 500)
    assert (swallowed.status_code, swallowed.json()["closedFlag"], note.json()["text"]) == (200, True, "abc")
    assert (shown["tickets"][0]["status"]["name"], shown["codebase"]) == ("In Progress", "v2026_2/")
    assert (await api.get("service/boards")).status_code == 404
    assert psa.records.companies[-1]["identifier"] == "B"
    assert (await api.put("http://127.0.0.1/_sandbox", json={"codebase": "../"})).status_code == 400


class Heard:
    """Whom the sandbox calls back."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, dict[bytes, bytes]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.told.append((message["body"], dict(scope["headers"])))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    listener = Heard()
    client = httpx.AsyncClient

    def calling_back(**_: object) -> httpx.AsyncClient:
        return client(transport=httpx.ASGITransport(app=listener))

    monkeypatch.setattr("simulators.connectwise_callbacks.httpx.AsyncClient", calling_back)
    return listener


class TestCallbacks:
    async def register(self, api: httpx.AsyncClient, **fields: Any) -> int:
        entry = {"type": "ticket", "level": "owner", "objectId": 1, "url": "http://127.0.0.1/hook"} | fields
        answer = await api.post("system/callbacks", json=entry)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def test_a_change_is_told_and_signed(self, psa: Sandbox, api: httpx.AsyncClient, heard: Heard) -> None:
        psa.callbacks.key_url = f"http://127.0.0.1{KEY_PATH}"
        await self.register(api)
        number = (await created(api))["id"]
        await psa.callbacks.quiet()

        [(body, headers)] = heard.told
        said = json.loads(body)
        key = (await api.get(said["Metadata"]["key_url"])).json()["signing_key"]
        by_hand = hmac.new(hashlib.sha256(key.encode()).digest(), body, hashlib.sha256).digest()
        assert headers[b"x-content-signature"] == base64.b64encode(by_hand)
        assert (said["Type"], said["Action"], said["ID"]) == ("ticket", "added", number)
        assert json.loads(said["Entity"])["externalXRef"] == "pl-1"

    async def test_who_does_not_want_to_hear_is_not_told(
        self, psa: Sandbox, api: httpx.AsyncClient, heard: Heard
    ) -> None:
        await self.register(api, isSelfSuppressedFlag=True)
        await self.register(api, level="board", objectId=2)
        await self.register(api, inactiveFlag=True)
        gone = await self.register(api)
        assert (await api.delete(f"system/callbacks/{gone}")).status_code == 204
        number = (await created(api))["id"]
        await psa.callbacks.quiet()
        own = len(heard.told)

        psa.act(Deed(ticket=number, by="jane", note={"text": "hello", "internalAnalysisFlag": True}))
        await psa.callbacks.quiet()

        assert (own, len(heard.told)) == (0, 1)
        assert len((await api.get("system/callbacks", params={"conditions": 'url contains "hook"'})).json()) == 3

    async def test_a_ticket_that_skips_callbacks_is_told_to_nobody(
        self, psa: Sandbox, api: httpx.AsyncClient, heard: Heard
    ) -> None:
        await self.register(api)
        await created(api, skipCallback=True)
        await psa.callbacks.quiet()

        assert heard.told == []

    @pytest.mark.parametrize(
        "wrong", [{"type": "company"}, {"level": "galaxy"}, {"url": "ftp://x"}, {"description": "x" * 101}], ids=str
    )
    async def test_a_wrong_entry_is_refused(self, api: httpx.AsyncClient, wrong: dict[str, str]) -> None:
        entry = {"type": "ticket", "level": "owner", "url": "http://127.0.0.1/hook"} | wrong

        assert (await api.post("system/callbacks", json=entry)).status_code == 400


async def test_a_lost_answer_is_lost_on_the_wire_and_the_write_is_done() -> None:
    async with served({"ACME": "Acme"}) as psa:
        psa.faults.lost_after = 1
        base_url = f"{psa.url}/{psa.codebase}apis/3.0/"
        async with httpx.AsyncClient(
            base_url=base_url, auth=LOGIN, headers={"clientId": CLIENT_ID}, trust_env=False
        ) as api:
            with pytest.raises(httpx.RemoteProtocolError):
                await created(api)

        assert len(psa.ledger()) == 1
        assert psa.callbacks.key_url.startswith(psa.url)


def test_a_process_serves_what_its_settings_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHLINE_CONNECTWISE_SANDBOX_COMPANIES", '{"ACME": "Acme Dental"}')

    assert SandboxSettings() == SandboxSettings(port=0, companies={"ACME": "Acme Dental"})
