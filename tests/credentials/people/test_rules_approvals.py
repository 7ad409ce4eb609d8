"""Who may decide, and when a question is answered."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.credentials.people.records import Approver, Request, RequestState, Role, Vote
from services.credentials.people.rules_approvals import able, agreed, folded, hindrance, outcome, same_person
from services.credentials.records import Cause
from tests.builders import ACME, BIRCH, NOON

HOUR = timedelta(hours=1)
CASE = uuid5(ACME, "case")
REQUEST = Request(
    id=uuid5(CASE, "1"),
    tenant=ACME,
    case=CASE,
    number=1,
    login="root@acme.example",
    identity="7f3c",
    exposed=frozenset({"root@acme.example", "7f3c"}),
    why="a privileged account",
    nonce="n",
    needed=2,
    asked_at=NOON,
    expires_at=NOON + HOUR,
    state=RequestState.OPEN,
    cause=Cause(id=CASE, received_at=NOON),
)


def approver(name: str, *accounts: str, tenants: frozenset[UUID] | None = None, is_revoked: bool = False) -> Approver:
    return Approver(
        id=uuid5(ACME, name),
        name=name,
        mail=f"{name}@msp.example",
        accounts=frozenset(accounts),
        tenants=tenants,
        public_key=name.encode().ljust(32),
        enrolled_at=NOON - HOUR,
        enrolled_by="operator",
        revoked_at=NOON if is_revoked else None,
    )


ADA, BO, CY = approver("ada"), approver("bo"), approver("cy")


@pytest.mark.parametrize(
    ("who", "request_", "why"),
    [
        pytest.param(ADA, REQUEST, None, id="an enrolled person"),
        pytest.param(approver("ada", tenants=frozenset({ACME})), REQUEST, None, id="of this client"),
        pytest.param(None, REQUEST, "nobody who is enrolled", id="nobody"),
        pytest.param(
            approver("ada", tenants=frozenset({BIRCH})), REQUEST, "not decide for this", id="of another client"
        ),
        pytest.param(approver("ada", tenants=frozenset()), REQUEST, "not decide for this", id="of no client"),
        pytest.param(approver("ada", is_revoked=True), REQUEST, "revoked", id="revoked"),
        pytest.param(approver("ada", "root@acme.example"), REQUEST, "person's own", id="the exposed account"),
        pytest.param(
            approver("ada", "ROOT@Acme.Example "), REQUEST, "person's own", id="the same, written differently"
        ),
        pytest.param(approver("ada", "7F3C"), REQUEST, "person's own", id="the exposed account by its id"),
        pytest.param(
            ADA, replace(REQUEST, exposed=frozenset({"Ada@MSP.example"})), "person's own", id="the mailbox of the link"
        ),
        pytest.param(
            replace(approver("ada", tenants=frozenset({ACME})), role=Role.OWNER),
            REQUEST,
            "not to decide",
            id="an owner",
        ),
        pytest.param(ADA, replace(REQUEST, state=RequestState.REFUSED), "has ended: refused", id="refused before"),
        pytest.param(ADA, replace(REQUEST, state=RequestState.GRANTED), "has ended: granted", id="granted before"),
        pytest.param(ADA, replace(REQUEST, expires_at=NOON), "has expired", id="too late by nothing at all"),
    ],
)
def test_who_may_decide(who: Approver | None, request_: Request, why: str | None) -> None:
    found = hindrance(who, request_, NOON)

    assert (found is None) if why is None else (found is not None and why in found)


@pytest.mark.parametrize(
    ("votes", "at", "state"),
    [
        pytest.param([], NOON, RequestState.OPEN, id="nobody yet"),
        pytest.param([Vote(ADA.id, True)], NOON, RequestState.OPEN, id="one of two"),
        pytest.param([Vote(ADA.id, True), Vote(BO.id, True)], NOON, RequestState.GRANTED, id="two different people"),
        pytest.param([Vote(ADA.id, True), Vote(ADA.id, True)], NOON, RequestState.OPEN, id="one person twice"),
        pytest.param([Vote(ADA.id, True), Vote(BO.id, False)], NOON, RequestState.REFUSED, id="one no"),
        pytest.param([Vote(BO.id, False)], NOON + HOUR, RequestState.REFUSED, id="a no stays a no"),
        pytest.param([Vote(ADA.id, True)], NOON + HOUR, RequestState.EXPIRED, id="one, and time is over"),
        pytest.param(
            [Vote(ADA.id, True), Vote(BO.id, True)], NOON + HOUR, RequestState.EXPIRED, id="granted, and used too late"
        ),
        pytest.param(
            [Vote(ADA.id, True), Vote(uuid5(ACME, "x"), True)], NOON, RequestState.OPEN, id="an unknown voter"
        ),
    ],
)
def test_how_a_question_stands(votes: list[Vote], at: object, state: RequestState) -> None:
    assert outcome(REQUEST, votes, {ADA.id: ADA, BO.id: BO}, at) is state  # type: ignore[arg-type]  # moments of the table


def test_what_was_granted_holds_no_longer_when_one_of_them_is_revoked() -> None:
    votes = [Vote(ADA.id, True), Vote(BO.id, True)]
    approvers = {ADA.id: ADA, BO.id: replace(BO, revoked_at=NOON)}

    state = outcome(replace(REQUEST, state=RequestState.GRANTED), votes, approvers, NOON)

    assert state is RequestState.WITHDRAWN
    assert agreed(votes, approvers, NOON) == (ADA.id,)


def test_only_those_who_may_are_asked() -> None:
    people = [CY, approver("dee", "root@acme.example"), approver("eve", tenants=frozenset({BIRCH})), ADA]

    assert [each.name for each in able(people, REQUEST, NOON)] == ["ada", "cy"]


@pytest.mark.parametrize(
    ("new", "is_same"),
    [
        pytest.param(approver("bo"), False, id="somebody else"),
        pytest.param(replace(approver("bo"), public_key=ADA.public_key), True, id="with the same key"),
        pytest.param(replace(approver("bo"), mail="ADA@msp.example"), True, id="with the same address"),
        pytest.param(approver("bo", "ada@msp.example"), True, id="whose account is the other's address"),
    ],
)
def test_two_people_are_two_people(*, new: Approver, is_same: bool) -> None:
    assert (same_person(new, [ADA]) is ADA) is is_same


def test_a_revoked_key_is_never_enrolled_again_but_its_person_is() -> None:
    gone = replace(ADA, revoked_at=NOON)

    assert same_person(replace(ADA, public_key=b"n" * 32), [gone]) is None
    assert same_person(ADA, [gone]) is gone


@given(st.lists(st.tuples(st.sampled_from([ADA, BO, CY]), st.booleans()), max_size=8), st.integers(2, 3))
def test_nothing_is_granted_without_so_many_people_and_no_no(said: list[tuple[Approver, bool]], needed: int) -> None:
    votes = [Vote(who.id, yes) for who, yes in said]

    state = outcome(replace(REQUEST, needed=needed), votes, {each.id: each for each in (ADA, BO, CY)}, NOON)

    assert (state is RequestState.GRANTED) == (
        all(yes for _, yes in said) and len({who.id for who, _ in said}) >= needed
    )


def test_names_are_compared_folded() -> None:
    assert folded("  \uff21\uff24\uff21@Stra\u00dfe.example\t") == folded("ada@strasse.example")
