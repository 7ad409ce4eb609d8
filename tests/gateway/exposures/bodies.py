"""Bodies of exposure feeds, as each of them writes, with a secret that must never be seen again."""

import json
from typing import Any

CANARY = "c4nary-Tr0ub4dor&3"
HASH = "5f4dcc3b5aa765d61d8327deb882cf99"


def own(**changes: Any) -> dict[str, Any]:
    """Return one event of Patchline's own format."""
    data = {"login": "Bob@Acme.example", "breach": "Forum 2026", "form": "plaintext", "secret": CANARY}
    return {"type": "exposure.found", "timestamp": "2026-11-20T08:00:00Z", "data": data | changes}


def spycloud(**changes: Any) -> dict[str, Any]:
    """Return one record as SpyCloud's API writes it."""
    record = {
        "document_id": "6f7a-1",
        "source_id": 40111,
        "spycloud_publish_date": "2026-11-20T00:00:00Z",
        "severity": 20,
        "email": "bob@acme.example",
        "domain": "acme.example",
        "password": CANARY,
        "password_plaintext": CANARY,
        "password_type": "plaintext",
        "target_url": f"https://bob:{CANARY}@shop.example/login?token={CANARY}",
        "ip_addresses": ["192.0.2.7"],
    }
    return record | changes


def recorded_future(**changes: Any) -> dict[str, Any]:
    """Return one credential as Recorded Future's lookup writes it."""
    credential = {
        "subject": "bob@acme.example",
        "dumps": [{"name": "Dump of November", "downloaded": "2026-11-19T00:00:00Z"}],
        "first_downloaded": "2026-11-18T00:00:00Z",
        "latest_downloaded": "2026-11-20T00:00:00Z",
        "exposed_secret": {
            "type": "clear",
            "hashes": [{"algorithm": "SHA1", "hash": "f" * 40}, {"algorithm": "MD5", "hash": HASH}],
            "details": {"properties": ["Letter"], "clear_text_hint": CANARY[:6]},
            "effectively_clear": True,
        },
        "compromise": {"exfiltration_date": "2026-11-17T00:00:00Z"},
        "authorization_service": {"url": f"https://vpn.acme.example/?t={CANARY}", "domain": "vpn.acme.example"},
    }
    return credential | changes


def notification(**changes: Any) -> dict[str, Any]:
    """Return one change notification of Microsoft Graph."""
    return {
        "id": "n-1",
        "subscriptionId": "s-1",
        "clientState": CANARY,
        "changeType": "updated",
        "resource": "users/11111111-2222-3333-4444-555555555555",
        "tenantId": "99999999-2222-3333-4444-555555555555",
        "resourceData": {"id": "11111111-2222-3333-4444-555555555555"},
    } | changes


def written(body: object) -> bytes:
    """Return a body as it travels."""
    return json.dumps(body).encode()
