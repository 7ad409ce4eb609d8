"""What PSAs' webhooks say: tables of bodies. Never an exception, never what a person wrote."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.psa import TicketChange, TicketTold
from services.gateway import vendors
from services.gateway.vendors.translation import Translation
from tests.builders import delivery

KEY = "pl-patch_failed-7254fa23-1241-5de0-b12a-3f282902621c-g1"
AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
C = TicketChange


def translation(vendor: str, body: object) -> Translation:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return vendors.translated(delivery(raw, source=f"psa/{vendor}/main", vendor=vendor), vendors.adapters())


def told(vendor: str, body: object) -> list[TicketTold]:
    made = translation(vendor, body)
    assert made.problems == ()
    return [each.event for each in made.tickets]


def of_rt(**changed: Any) -> dict[str, Any]:
    usual = {"ticket": 7, "status": "open", "txn": 41, "key": KEY, "at": "2026-11-10T12:00:00Z", "by": "technician"}
    return usual | {"type": "Comment", "field": None, "old": None, "new": None} | changed


@pytest.mark.parametrize(
    ("body", "change"),
    [
        pytest.param(of_rt(type="Create"), C.CREATED, id="created"),
        pytest.param(of_rt(type="Status", old="open", new="resolved"), C.CLOSED, id="resolved"),
        pytest.param(of_rt(type="Status", old="new", new="rejected"), C.CLOSED, id="rejected"),
        pytest.param(of_rt(type="Status", old="resolved", new="rejected"), C.CHANGED, id="closed otherwise"),
        pytest.param(of_rt(type="Status", old="resolved", new="open"), C.REOPENED, id="opened again"),
        pytest.param(of_rt(type="Status", old="new", new="open"), C.CHANGED, id="begun"),
        pytest.param(of_rt(type="Comment"), C.NOTED, id="a comment"),
        pytest.param(of_rt(type="Correspond"), C.NOTED, id="a reply"),
        pytest.param(of_rt(type="Take"), C.CHANGED, id="taken"),
    ],
)
def test_a_transaction_of_request_tracker(body: dict[str, Any], change: TicketChange) -> None:
    [said] = told("request-tracker", body)

    assert (said.number, said.change, said.key, said.by) == ("7", change, KEY, "technician")


def test_mail_that_request_tracker_sent_is_nothing() -> None:
    made = translation("request-tracker", of_rt(type="EmailRecord"))

    assert (made.tickets, [each.is_known for each in made.unsaid]) == ((), [True])


def test_a_transaction_told_twice_is_one_event() -> None:
    first, again, other = (translation("request-tracker", of_rt(txn=txn)).tickets[0].id for txn in (41, 41, 42))

    assert first == again
    assert first != other


def of_roundup(**changed: Any) -> dict[str, Any]:
    usual = {"issue": "12", "event": "set", "id": "4f2c", "at": "2026-11-10T12:00:00Z", "by": "admin", "key": KEY}
    return usual | {"status": "chatting", "was": "chatting", "notes": 0} | changed


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        pytest.param(of_roundup(event="create", was=None), [C.CREATED], id="created"),
        pytest.param(of_roundup(status="resolved"), [C.CLOSED], id="closed"),
        pytest.param(of_roundup(status="resolved", notes=1), [C.CLOSED, C.NOTED], id="closed with a note"),
        pytest.param(of_roundup(status="done-cbb", was="resolved"), [C.CHANGED], id="closed otherwise"),
        pytest.param(of_roundup(was="resolved"), [C.REOPENED], id="opened again"),
        pytest.param(of_roundup(notes=1), [C.NOTED], id="a note"),
        pytest.param(of_roundup(), [C.CHANGED], id="something else"),
        pytest.param(of_roundup(event="retire"), [C.DELETED], id="retired"),
    ],
)
def test_a_change_of_roundup(body: dict[str, Any], changes: list[TicketChange]) -> None:
    said = told("roundup", body)

    assert [each.change for each in said] == changes
    assert {(each.number, each.by) for each in said} == {("12", "admin")}


def test_each_change_of_an_issue_is_an_event_of_its_own_however_often_it_is_told() -> None:
    one = [each.id for each in translation("roundup", of_roundup(status="resolved", notes=1)).tickets]
    again = [each.id for each in translation("roundup", of_roundup(status="resolved", notes=1)).tickets]
    next_one = [each.id for each in translation("roundup", of_roundup(status="resolved", notes=1, id="4f2d")).tickets]

    assert one == again
    assert len({*one, *next_one}) == 4


RECORD = {
    "id": 69,
    "externalXRef": KEY,
    "closedFlag": False,
    "status": {"id": 1, "name": "In Progress"},
    "summary": "what a customer wrote",
    "_info": {"lastUpdated": "2026-11-10T12:00:00Z", "updatedBy": "jordan"},
}


def of_connectwise(action: str = "updated", record: object = RECORD, **changed: Any) -> dict[str, Any]:
    usual = {"Type": "ticket", "Action": action, "ID": 69, "Metadata": {"key_url": "https://na.myconnectwise.net/k"}}
    return usual | {"Entity": record if record is None or isinstance(record, str) else json.dumps(record)} | changed


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(of_connectwise(), (C.CHANGED, "jordan", "In Progress"), id="saved"),
        pytest.param(
            of_connectwise(record=RECORD | {"closedFlag": True}), (C.CLOSED, "jordan", "In Progress"), id="closed"
        ),
        pytest.param(of_connectwise("added"), (C.CREATED, "jordan", "In Progress"), id="added"),
        pytest.param(of_connectwise("deleted", None), (C.DELETED, None, None), id="deleted, without a copy"),
        pytest.param(of_connectwise(record=None), (C.CHANGED, None, None), id="saved, without a copy"),
    ],
)
def test_a_callback_of_connectwise(body: dict[str, Any], expected: tuple[object, ...]) -> None:
    [said] = told("connectwise", body)

    assert (said.change, said.by, said.status) == expected
    assert said.number == "69"
    assert "customer" not in said.model_dump_json()


def test_a_callback_about_anything_but_a_ticket_is_nothing() -> None:
    made = translation("connectwise", of_connectwise(Type="company"))

    assert (made.tickets, made.problems, len(made.unsaid)) == ((), (), 1)


@pytest.mark.parametrize(
    ("vendor", "body", "reason"),
    [
        pytest.param("roundup", b"<xml/>", "not JSON", id="no JSON"),
        pytest.param("roundup", of_roundup(issue=None), "issue", id="no number"),
        pytest.param("roundup", of_roundup(at="yesterday"), "at", id="no moment"),
        pytest.param("roundup", of_roundup(status=5), "status", id="no status"),
        pytest.param("roundup", of_roundup(id=None), "id", id="no id"),
        pytest.param("request-tracker", of_rt(ticket=True), "ticket", id="a number that is none"),
        pytest.param("request-tracker", of_rt(txn=None), "txn", id="no transaction"),
        pytest.param("request-tracker", of_rt(key="x" * 600), "key", id="a key without end"),
        pytest.param("connectwise", of_connectwise(record="{"), "Entity", id="a broken copy"),
        pytest.param("connectwise", of_connectwise(ID="x"), "ID", id="an id that is none"),
        pytest.param(
            "connectwise", of_connectwise(record=RECORD | {"_info": 5}), "_info", id="a copy of something else"
        ),
    ],
)
def test_what_cannot_be_understood_says_which_field(vendor: str, body: object, reason: str) -> None:
    [problem] = translation(vendor, body).problems

    assert reason in problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
NAMES = ["ticket", "txn", "type", "old", "new", "at", "by", "key", "status", "issue", "id", "event", "was", "notes"]
NAMES += ["Type", "Action", "ID", "Entity"]


@given(st.sampled_from(["roundup", "request-tracker", "connectwise"]), st.dictionaries(st.sampled_from(NAMES), JSON))
def test_whatever_is_sent_is_said_or_a_problem(vendor: str, body: dict[str, Any]) -> None:
    made = translation(vendor, body)

    assert bool(made.problems) != bool(made.tickets or made.unsaid)
