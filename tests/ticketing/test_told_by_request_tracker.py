"""What a real Request Tracker's scrip posts is believed by the door's rules and understood by the gateway's adapter."""

from datetime import UTC, datetime
from uuid import uuid4

from contracts.events.psa import TicketChange
from patchline.local.request_tracker import RequestTracker
from services.gateway import vendors
from services.gateway.door.verification import SignedBody, Verified, unguessable, verdict
from tests.builders import delivery
from tests.ticketing.conftest import HOOK_SECRET, Hooked
from tests.ticketing.rt_desk import RtDesk

SCRIP = SignedBody(b"x-rt-signature", (HOOK_SECRET.encode(), unguessable()))
C = TicketChange


def test_a_technicians_doings_are_signed_understood_and_theirs(request_tracker: RequestTracker, hooked: Hooked) -> None:
    key = f"pl-told-{uuid4()}-g1"
    with RtDesk.of(request_tracker) as desk:
        number = desk.create(key)
        desk.say(number, "the owner's own words")
        desk.edit(number, status="resolved")
        desk.edit(number, status="open")

    posted = [each for each in hooked.told if key.encode() in each[0]]
    verdicts = [
        verdict(SCRIP, {b"x-rt-signature": signature.encode()}, body, now=datetime.now(UTC))
        for body, signature in posted
    ]
    translations = [
        vendors.translated(
            delivery(body, vendor="request-tracker", source="psa/request-tracker/desk"), vendors.adapters()
        )
        for body, _ in posted
    ]
    said = [each for translation in translations for each in translation.tickets]
    assert all(isinstance(each, Verified) for each in verdicts)
    assert [problem for translation in translations for problem in translation.problems] == []
    assert [each.event.change for each in said] == [C.CREATED, C.NOTED, C.CLOSED, C.REOPENED]
    assert {(each.event.number, each.event.key, each.event.by) for each in said} == {(number, key, "technician")}
    assert len({each.id for each in said}) == 4
    assert abs((datetime.now(UTC) - said[-1].time).total_seconds()) < 60
    assert not any("owner" in each.event.model_dump_json() for each in said)
