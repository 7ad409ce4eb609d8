"""What an RMM says of restarts to come. Pure."""

from dataclasses import dataclass
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.order import effective_at
from services.compliance.monitors.rules_reboots import Said, Word

WORDS = (rmm.RebootNotified, rmm.RebootDeferred, rmm.RebootConsented)


@dataclass(frozen=True, slots=True)
class RebootNews:
    """One word on a restart to come, of one device."""

    event: Envelope
    tenant_id: UUID
    device_id: UUID
    word: Word


def reboot_news(event: Envelope, tenant_id: UUID) -> RebootNews | None:
    """Return what `event` says of a restart to come; `None`: it says nothing of one."""
    at = effective_at(event.time, event.received)
    match event.data:
        case rmm.RebootNotified():
            word = Word(at, Said.NOTIFIED)
        case rmm.RebootDeferred():
            word = Word(at, Said.DEFERRED)
        case rmm.RebootConsented(by=by, approved=approved):
            word = Word(at, Said.APPROVED if approved else Said.CONSENTED, by)
        case _:
            return None
    return RebootNews(event, tenant_id, ids.asset_id(event.source, event.data.device), word)
