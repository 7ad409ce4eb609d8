"""What an owner signs: one canonical text (RFC 8785) that says everything that is agreed to. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import rfc8785
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from contracts.ids import moment
from services.compliance.exceptions.records import OwnerKey, Request, Signoff

VERSION: Final = 1
KIND: Final = "patchline.exception"
APPROVE: Final = "approve"
REFUSE: Final = "refuse"
ADDED: Final = frozenset({"approver", "decision", "decided_at"})
"""What the owner adds to the text that they were handed."""


def handed(request: Request, *, client: str, ticket: str) -> dict[str, Any]:
    """Return what an owner is handed to sign: everything but who decides, what, and when."""
    return {
        "v": VERSION,
        "statement": KIND,
        "exception": str(request.id),
        "tenant": str(request.tenant_id),
        "client": client,
        "ticket": ticket,
        "lane": request.lane.value,
        "requirement": None if request.requirement_id is None else str(request.requirement_id),
        "title": request.title,
        "assets": None if request.asset_ids is None else sorted(str(each) for each in request.asset_ids),
        "machines": sorted(request.machines),
        "reason": request.reason,
        "controls": [{"kind": each.kind.value, "text": each.text} for each in request.controls],
        "valid_from": moment(request.valid_from),
        "until": moment(request.until),
        "renews": None if request.renews is None else str(request.renews),
        "renewal": request.renewal,
    }


def decided(text: Mapping[str, Any], *, approver: UUID, approve: bool, decided_at: datetime) -> bytes:
    """Return the bytes that are signed: the text as it was handed over, with who decides, what, and when."""
    added = {
        "approver": str(approver),
        "decision": APPROVE if approve else REFUSE,
        "decided_at": moment(decided_at),
    }
    return rfc8785.dumps({**text, **added})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a canonical text says that somebody decided."""

    approver: UUID
    approve: bool
    decided_at: datetime


def decision_in(signoff: Signoff, request: Request, *, client: str, ticket: str) -> Decision | str:
    """Return what was decided about exactly this request, or why the text is not about it as it was asked."""
    try:
        said = json.loads(signoff.statement)
        if not isinstance(said, dict) or rfc8785.dumps(said) != signoff.statement.encode():
            return "the signed text is not canonical JSON (RFC 8785)"
        found = Decision(
            approver=UUID(said["approver"]),
            approve={APPROVE: True, REFUSE: False}[said["decision"]],
            decided_at=datetime.fromisoformat(said["decided_at"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "the signed text does not say who decided what and when"
    asked = handed(request, client=client, ticket=ticket)
    wrong = sorted(
        name for name in said.keys() | asked.keys() if said.get(name) != asked.get(name) and name not in ADDED
    )
    if wrong:
        return f"what was signed is not what was asked: {', '.join(wrong)}"
    if found.decided_at.tzinfo is None:
        return "the signed text does not say in which time zone it was decided"
    return found


def is_signed(signoff: Signoff, owner: OwnerKey) -> bool:
    """Return whether the owner's key signed these bytes."""
    try:
        VerifyKey(owner.public_key).verify(signoff.statement.encode(), signoff.signature)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True
