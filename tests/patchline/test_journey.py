"""What the tree of a delivery says of an exposure: what became of it, the steps of what it opened, and its ticket."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from patchline.journey.records import Hop, Records, Tables
from patchline.journey.rules import journey
from tests.builders import MINUTE, NOON

RAW = UUID("0190d1f2-7c4a-7c3e-9f11-2b7a1c9d4e5f")
EVENT, CASE, TOLD = (UUID(int=number) for number in (1, 2, 3))
EXPOSURE: Mapping[str, Any] = {
    "event_id": EVENT,
    "type": "exposure.found.v1",
    "recorded_at": NOON,
    "is_exposure": True,
    "case_id": CASE,
    "is_opening": True,
    "decision": "reset",
    "why": "a person, and the client allows it",
    "dry_run": False,
}
TRANSLATED: Mapping[str, Any] = {
    "event_id": EVENT,
    "source": "exposure/spycloud/main",
    "stands_for": "event",
    "recorded_at": NOON,
}
STEP: Mapping[str, Any] = {
    "case_id": CASE,
    "step": "invalidated",
    "state": "done",
    "done_at": NOON + MINUTE,
    "proof": "changed at 12:01",
    "reason": None,
}
HEARD: Mapping[str, Any] = {
    "event_id": TOLD,
    "because_of": EVENT,
    "type": "case.opened.v1",
    "asset": str(CASE),
    "recorded_at": NOON,
}
INTENT: Mapping[str, Any] = {
    "cause_id": TOLD,
    "ticket": "pl-exposure",
    "number": 1,
    "kind": "open",
    "state": "done",
    "reason": None,
    "created_at": NOON,
    "done_at": NOON + MINUTE,
    "external": "4711",
    "ticket_state": "open",
    "title": "Exposed credential",
}


def hops(**row: object) -> list[Hop]:
    """Return what follows the translation of one event of which credentials knows this."""
    tables = Tables(
        raw_id=RAW,
        translated=[
            {"event_id": EVENT, "source": "exposure/spycloud/main", "stands_for": "event", "recorded_at": NOON}
        ],
        cases=[{**EXPOSURE, **row}],
        steps=[STEP],
        heard=[HEARD],
        intents=[INTENT],
    )
    found = journey(tables, Records())
    assert found is not None
    return list(found.then[0].then)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({}, "credentials: opened a case"),
        ({"dry_run": True}, "credentials: opened a case, as a dry run"),
        ({"is_opening": False}, "credentials: appended to a case"),
        (
            {"case_id": None, "is_opening": False, "decision": None, "why": None, "dry_run": None},
            "credentials: held, its delivery names too many",
        ),
        (
            {"type": "approval.given.v1", "is_exposure": False, "case_id": None, "is_opening": False},
            "credentials heard: approval.given.v1",
        ),
    ],
    ids=["opened", "dry run", "appended", "held", "approval"],
)
def test_it_says_what_credentials_made_of_it(row: dict[str, object], what: str) -> None:
    [hop] = hops(**row)

    assert hop.what == what
    assert hop.at == NOON


def test_the_steps_and_the_ticket_hang_below_what_opened_the_case() -> None:
    [hop] = hops()

    step, heard = hop.then
    assert (step.what, step.at, step.facts["proof"]) == ("step invalidated: done", NOON + MINUTE, "changed at 12:01")
    assert [each.facts["number"] for each in heard.then] == ["4711"]


def test_the_steps_of_a_case_are_not_shown_again_below_what_was_appended() -> None:
    [hop] = hops(is_opening=False)

    assert [each.what for each in hop.then] == ["ticketing heard: case.opened.v1"]
