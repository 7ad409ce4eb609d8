"""Requests, owners and what owners sign, as tests need them."""

import base64
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from nacl.signing import SigningKey

from contracts import ids
from services.compliance.exceptions import statement
from services.compliance.exceptions.records import (
    Chapter,
    Control,
    ControlKind,
    Granted,
    Lane,
    OwnerKey,
    Request,
    Signoff,
)
from services.compliance.exceptions.rules_exceptions import Desk
from services.compliance.policy import ExceptionTerms
from services.compliance.zones import zone_of
from tests.builders import ACME, NOON

KEY = SigningKey(bytes(range(32)))
KEY_TEXT = base64.b64encode(bytes(KEY.verify_key)).decode()
OTHER_KEY = SigningKey(bytes(range(1, 33)))
NORA = UUID("8e30bd61-9cae-5a3d-9c85-3d70be41f564")
EXCEPTION = UUID("5b0f8a3e-6f7b-5d0a-8f52-0a4d8b1e2c31")
REQUIREMENT = ids.requirement_id("Windows Server 2022", "cumulative")
SERVER = ids.asset_id("rmm/ninjaone/main", "dc01")
OTHER_SERVER = ids.asset_id("rmm/ninjaone/main", "dc02")
TICKET = "4711"
SEGMENTED = Control(ControlKind.SEGMENTATION, "VLAN 40, no way to the internet")
DAY = timedelta(days=1)


def asked(**changes: Any) -> Request:
    """Return a request for thirty days on one server, from noon."""
    ordinary: dict[str, Any] = {
        "id": EXCEPTION,
        "tenant_id": ACME,
        "lane": Lane.DEFERRAL,
        "requirement_id": REQUIREMENT,
        "title": "Windows Server 2022, cumulative",
        "asset_ids": (SERVER,),
        "machines": ("DC01",),
        "reason": "the practice software supports the older build alone",
        "controls": (SEGMENTED,),
        "valid_from": NOON,
        "until": NOON + 30 * DAY,
        "renews": None,
        "renewal": 0,
        "requested_at": NOON,
        "requested_by": "ada@console",
    }
    return Request(**{**ordinary, **changes})


def holding(**changes: Any) -> Granted:
    """Return an exception that was granted for the same."""
    ordinary: dict[str, Any] = {
        "id": UUID(int=7),
        "tenant_id": ACME,
        "requirement_id": REQUIREMENT,
        "asset_ids": frozenset({SERVER}),
        "valid_from": NOON - 30 * DAY,
        "until": NOON,
    }
    return Granted(**{**ordinary, **changes})


def owner(**changes: Any) -> OwnerKey:
    """Return the owner whose key is `KEY`."""
    return OwnerKey(**{"id": NORA, "name": "Nora West", "public_key": bytes(KEY.verify_key), **changes})


def signed(
    request: Request | None = None,
    *,
    key: SigningKey = KEY,
    approve: bool = True,
    ticket: str = TICKET,
    at: datetime = NOON,
    approver: UUID = NORA,
    client: str = "Acme Dental",
) -> Signoff:
    """Return what an owner signed at `at`, brought at once."""
    request = request or asked()
    text = statement.handed(request, client=client, ticket=ticket)
    said = statement.decided(text, approver=approver, approve=approve, decided_at=at)
    return Signoff(
        id=UUID(int=1),
        exception_id=request.id,
        tenant_id=request.tenant_id,
        statement=said.decode(),
        signature=key.sign(said).signature,
        brought_at=at,
    )


def desk(request: Request | None = None, **changes: Any) -> Desk:
    """Return what is known when a sign-off comes in: the request with its ticket, and its owner."""
    zone = zone_of("America/New_York")
    assert zone is not None
    ordinary: dict[str, Any] = {
        "request": request or asked(),
        "client": "Acme Dental",
        "chapters": {Chapter.REQUESTED},
        "ticket": TICKET,
        "owners": {NORA: owner()},
        "terms": ExceptionTerms(),
        "zone": zone,
        "granted": (),
        "now": NOON,
    }
    return Desk(**{**ordinary, **changes})
