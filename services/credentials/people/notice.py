"""The owner's notice of one case: written, handed over, noted. At least once, with a stable Message-ID."""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis import points
from chassis.errors import NeverWorks
from chassis.postgres import Pool
from services.credentials.adapters.mail import Letter, Mail
from services.credentials.guard.policy import Owner
from services.credentials.people import rules_notice, store_notices
from services.credentials.people.rules_approvals import folded
from services.credentials.people.rules_notice import Story

log = logging.getLogger(__name__)


class NobodyToTell(NeverWorks):
    """There is nobody to whom this case may be told by mail: a person must tell them."""


class TemplateWrong(NeverWorks):
    """The client's own template cannot be used; the text names the fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Whom to tell about which case. `names` are all by which the exposed account is known."""

    tenant: UUID
    case: UUID
    owner: Owner
    names: frozenset[str]
    story: Story


async def send(pool: Pool, mail: Mail | None, telling: Telling, *, now: datetime) -> str:
    """Write to the client's owner, unless the mail server took it before, and return the proof in words.

    Call it again after any failure: it is one mail by its Message-ID. Call it outside any transaction.

    Raises:
        NobodyToTell: no owner is named, no mail server is set, or the owner's address is the exposed account's own.
        TemplateWrong: see there.
        MailRefused, Unavailable: see `adapters.mail`.
    """
    if mail is None:
        raise NobodyToTell("no mail server is set (PATCHLINE_MAIL_HOST): tell the client's owner by phone")
    recipient = _recipient(telling)
    letter = _letter(telling, recipient, now)
    sent_at, kept = await store_notices.begin_owner(
        pool, letter.message_id, tenant=telling.tenant, case=telling.case, recipient=recipient, now=now
    )
    if sent_at is not None:
        return _proof(letter.message_id, kept, sent_at)
    await mail.send(letter)
    points.reached("notice after the mail")
    await store_notices.owner_sent(pool, letter.message_id, now)
    log.info("owner told", extra={"case": str(telling.case)})
    return _proof(letter.message_id, recipient, now)


def _recipient(telling: Telling) -> str:
    mail = telling.owner.mail
    if mail is None:
        raise NobodyToTell("the client's policy names no owner with an address (guard: owner.mail): tell them by phone")
    if folded(mail) in {folded(each) for each in telling.names}:
        raise NobodyToTell("the owner's own mailbox is the exposed account's: tell them by phone")
    return mail


def _letter(telling: Telling, recipient: str, now: datetime) -> Letter:
    owner = telling.owner
    try:
        words = rules_notice.notice(telling.story, owner=owner.name, language=owner.language, templates=owner.templates)
    except ValueError as error:
        raise TemplateWrong(f"the client's own template: {error}") from error
    return Letter(
        to=recipient,
        subject=words.subject,
        text=words.text,
        message_id=store_notices.message_id_of(telling.case, "notice", "owner"),
        at=now,
        language=words.language,
    )


def _proof(message_id: str, recipient: str, at: datetime) -> str:
    return f"the mail server took the notice to {recipient} at {at:%Y-%m-%d %H:%M:%S} UTC (Message-ID {message_id})"
