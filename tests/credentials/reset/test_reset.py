"""From an exposure to the end of its case: what is done, what is told, and what a machine leaves alone."""

from contracts.events.credential import (
    CaseClosed,
    CaseStep,
    CaseStepDone,
)
from tests.credentials.room import Room, exposed


async def test_a_persons_exposed_password_is_made_invalid_and_the_case_ends_with_the_proof(room: Room) -> None:
    await room.hear(exposed())
    await room.ticket_opens()

    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert room.directory.revoked == ["ann"]
    assert [letter.to for letter in room.mail.letters] == ["olive@acme.example"]
    assert [each.step for each in await room.told(CaseStepDone)] == [
        CaseStep.TICKETED,
        CaseStep.INVALIDATED,
        CaseStep.REVOKED,
        CaseStep.READ_BACK,
        CaseStep.NOTIFIED,
        CaseStep.VERIFIED,
    ]
    [closed] = await room.told(CaseClosed)
    assert "the directory shows a change at" in closed.proof
    assert (await room.case())["closed_at"] is not None
