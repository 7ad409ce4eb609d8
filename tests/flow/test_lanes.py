"""A resync through the real processes: by the bulk route to the same states and tickets, on topics of its own."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from standardwebhooks.webhooks import Webhook

from tests.flow.world import OLD_BUILD, SERVER, SOURCE, World, until


def resync(world: World, device: str) -> httpx.Response:
    """Deliver everything about a device to the bulk route: it is there, lacks an update, failed to get it."""
    begin = world.now() - timedelta(hours=6)
    facts = {"hostname": device.upper(), "os_family": "windows", "os_name": SERVER, "os_build": OLD_BUILD}
    told: list[tuple[str, dict[str, Any]]] = [
        ("device.seen", {"facts": {**facts, "tier": "server"}}),
        ("patch.detected", {"patch": {"patch": "resync-1", "product": "Bulk"}, "scanned_at": begin.isoformat()}),
        ("patch.install_failed", {"patch": {"patch": "resync-1", "product": "Bulk"}}),
    ]
    events = [
        {
            "type": type_,
            "timestamp": (begin + timedelta(minutes=place)).isoformat(),
            "data": {"device": device, "organisation": "Globex", **content},
        }
        for place, (type_, content) in enumerate(told)
    ]
    body, message, now = json.dumps({"events": events}), f"msg_{uuid4().hex}", world.now()
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(world.secret).sign(message, now, body),
    }
    url = f"{world.stack.around.gateway_url}/webhooks/{SOURCE}/bulk"
    return httpx.post(url, content=body, headers=headers, timeout=10, trust_env=False)


def test_a_resync_ends_in_the_same_ticket_as_live_events_and_its_repeat_in_none(world: World) -> None:
    before = [mark for mark in world.cli("watermark", "list") if mark["topic"] == "rmm.events.bulk"]

    assert resync(world, "bulk01").status_code == 202
    assert resync(world, "bulk01").status_code == 202
    [issue] = until("the resync's failure is a ticket", lambda: world.issues_of("resync-1"))

    assert "globex" in str(issue).lower()
    assert len(world.issues_of("resync-1")) == 1
    assert {mark["group"] for mark in before} >= {"inventory-bulk", "compliance-bulk"}
    moved = [mark for mark in world.cli("watermark", "list") if mark["topic"] == "rmm.events.bulk"]
    assert moved != before
