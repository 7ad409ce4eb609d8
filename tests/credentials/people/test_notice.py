"""The owner's notice: told once, told again after a crash as the same mail, and never to the exposed mailbox."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.http import Unavailable
from services.credentials.adapters.mail import MailRefused
from services.credentials.guard.policy import Owner
from services.credentials.people import notice
from services.credentials.people.notice import NobodyToTell, Telling, TemplateWrong
from tests.builders import ACME
from tests.credentials.people.conftest import Room
from tests.credentials.people.test_rules_notice import story

MARA = Owner(name="Mara Lind", mail="mara@acme.example")


def telling(case: UUID, **changes: Any) -> Telling:
    fields: dict[str, Any] = {
        "tenant": ACME,
        "case": case,
        "owner": MARA,
        "names": frozenset({"anna@acme.example"}),
        "story": story(case=str(case)),
    }
    return Telling(**{**fields, **changes})


async def test_the_owner_is_told_and_the_proof_says_so(room: Room, case: UUID) -> None:
    proof = await notice.send(room.pool, room.mail, telling(case), now=room.now)

    [letter] = room.mail.letters
    assert (letter.to, letter.message_id) == ("mara@acme.example", f"notice.{case}.owner")
    assert "WHAT TO DO NEXT" in letter.text
    assert proof == (
        "the mail server took the notice to mara@acme.example at 2026-11-10 12:00:00 UTC "
        f"(Message-ID notice.{case}.owner)"
    )


async def test_asked_again_it_tells_nobody_twice(room: Room, case: UUID) -> None:
    first = await notice.send(room.pool, room.mail, telling(case), now=room.now)

    again = await notice.send(room.pool, room.mail, telling(case), now=room.now + timedelta(hours=1))

    assert again == first
    assert len(room.mail.letters) == 1


async def test_after_a_lost_answer_it_is_the_same_mail(room: Room, case: UUID) -> None:
    room.mail.answers, room.mail.takes_all_the_same = [Unavailable("no answer", ambiguous=True)], True
    with pytest.raises(Unavailable):
        await notice.send(room.pool, room.mail, telling(case), now=room.now)

    await notice.send(room.pool, room.mail, telling(case), now=room.now + timedelta(minutes=1))

    assert len({each.message_id for each in room.mail.letters}) == 1
    [row] = await room.pool.fetch("SELECT state, attempts, acted_at, sent_at FROM notice WHERE case_id = $1", case)
    assert tuple(row) == ("done", 2, room.now, room.now + timedelta(minutes=1))


async def test_a_refusal_is_passed_on_and_a_new_address_is_used(room: Room, case: UUID) -> None:
    room.mail.answers = [MailRefused("550 no such user")]
    with pytest.raises(MailRefused):
        await notice.send(room.pool, room.mail, telling(case), now=room.now)

    mended = telling(case, owner=Owner(mail="office@acme.example"))
    await notice.send(room.pool, room.mail, mended, now=room.now)

    assert [each.to for each in room.mail.letters] == ["office@acme.example"]
    assert await room.pool.fetchval("SELECT recipient FROM notice WHERE case_id = $1", case) == "office@acme.example"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"owner": Owner()}, "names no owner", id="nobody is named"),
        pytest.param(
            {"names": frozenset({"MARA@acme.example"})}, "own mailbox", id="the owner's own mailbox is exposed"
        ),
    ],
)
async def test_where_there_is_nobody_to_tell_a_person_must(
    room: Room, case: UUID, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(NobodyToTell, match=why):
        await notice.send(room.pool, room.mail, telling(case, **changes), now=room.now)

    assert room.mail.letters == []


async def test_without_a_mail_server_a_person_must_tell_them(room: Room, case: UUID) -> None:
    with pytest.raises(NobodyToTell, match="PATCHLINE_MAIL_HOST"):
        await notice.send(room.pool, None, telling(case), now=room.now)


async def test_a_template_with_a_fault_is_named(room: Room, case: UUID) -> None:
    owner = Owner(mail="mara@acme.example", templates={"en": "{happened} {done}"})

    with pytest.raises(TemplateWrong, match=r"templates\.en: \{next\} is missing"):
        await notice.send(room.pool, room.mail, telling(case, owner=owner), now=room.now)
