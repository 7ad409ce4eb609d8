"""Owners, revocations and tickets come in any order and as often as they like: the same is kept and decided."""

from datetime import timedelta
from itertools import permutations

from contracts.envelope import Envelope
from contracts.events.approver import OwnerRevoked
from tests.builders import ACME, event
from tests.compliance.exceptions.asking import EXCEPTION, NORA
from tests.compliance.exceptions.room import Room, enrolled, ticketed
from tests.compliance.house import client_in

KEPT = ("owner_key", "owner_revocation", "exception_ticket")


def told(room: Room) -> list[Envelope]:
    """Return that Nora is Acme's owner, that she is so no longer in an hour, and that the request has a ticket."""
    revoked = OwnerRevoked(approver=str(NORA), revoked_at=room.house.now + timedelta(hours=1))
    ended = event(revoked, subject=f"owner/{NORA}", source="patchline/credentials", tenant=ACME, sequence=2)
    return [enrolled(), ended, ticketed(EXCEPTION)]


async def kept(room: Room) -> dict[str, list[dict[str, object]]]:
    return {table: await room.house.rows(f"SELECT * FROM {table}") for table in KEPT}


async def test_any_order_and_repetition_keeps_the_same_and_decides_the_same(room: Room) -> None:
    found = []
    for order in permutations(told(room)):
        await room.empty()
        request = await room.ask()
        await room.house.hear(client_in("America/New_York"))
        for each in (*order, *order):
            await room.house.hear(each)
        signoff = await room.sign(request)
        found.append((await kept(room), await room.answer(signoff)))

    assert all(each == found[0] for each in found)
    assert found[0][1] == (True, None)
    assert {table: len(rows) for table, rows in found[0][0].items()} == dict.fromkeys(KEPT, 1)
