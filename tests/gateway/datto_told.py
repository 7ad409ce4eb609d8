"""Rows of Datto RMM's API as the tests need them. Field names are the vendor's, values invented."""

import json
from datetime import datetime
from typing import Any

from services.gateway.polling import rules_datto
from services.gateway.polling.rules_datto import DattoCollected
from services.gateway.polling.rules_snapshot import Change, Key, Known, Snapshot
from services.gateway.vendors.datto_poll import translated
from services.gateway.vendors.datto_reading import DeviceDifference
from services.gateway.vendors.translation import Said
from tests.builders import HOUR, NOON, delivery

Row = dict[str, Any]

DEVICE = "c0ffee00-1111-4222-8333-444455556666"
SITE = "11aa22bb-3333-4444-8555-666677778888"
ALERT = "3d7f1b52-8a5e-4b3c-9d10-0123456789ab"
MONTH_AGO = NOON - 30 * 24 * HOUR


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def device_row(uid: str = DEVICE, *, patch_status: str | None = "ApprovedPending", **changed: Any) -> Row:
    """Return a row of `account/devices`."""
    return {
        "id": 991,
        "uid": uid,
        "siteId": 17,
        "siteUid": SITE,
        "siteName": "Acme",
        "deviceType": {"category": "Server", "type": "Rack Mount Chassis"},
        "hostname": "ACME-FS02",
        "operatingSystem": "Microsoft Windows Server 2022 Standard 10.0.20348",
        "rebootRequired": False,
        "online": True,
        "suspended": False,
        "deleted": False,
        "lastSeen": written(NOON),
        "lastReboot": int((NOON - 48 * HOUR).timestamp() * 1000),
        "deviceClass": "device",
        "patchManagement": None if patch_status is None else {"patchStatus": patch_status, "patchesInstalled": 4},
        **changed,
    }


def alert_row(
    uid: str = ALERT,
    *,
    device: str = DEVICE,
    context: Row | None = None,
    lost: int = 0,
    at: datetime = NOON - HOUR,
    resolved_at: datetime | None = None,
    **changed: Any,
) -> Row:
    """Return a row of `account/alerts/*`, with as many failed webhooks as are `lost`."""
    done = {"actionType": "WEBHOOK_EXECUTED", "actionTime": written(at)}
    failed = {"actionType": "WEBHOOK_EXECUTION_ERROR", "actionTime": written(at)}
    return {
        "alertUid": uid,
        "priority": "High",
        "diagnostics": "text",
        "resolved": resolved_at is not None,
        "resolvedOn": None if resolved_at is None else written(resolved_at),
        "timestamp": written(at),
        "alertContext": context or {"@class": "disk_usage_ctx", "diskName": "C:"},
        "alertSourceInfo": {"deviceUid": device, "deviceName": "x", "siteUid": SITE, "siteName": "Acme"},
        "responseActions": [done, *[failed] * lost],
        **changed,
    }


def patch_context(result: str = "FAILED", **changed: Any) -> Row:
    """Return the context of a patch monitor."""
    context = {
        "@class": "patch_ctx",
        "patchUid": "p-1",
        "policyUid": "q-1",
        "result": result,
        "info": "KB5050000: 0x80070643",
    }
    return {**context, **changed}


def collected(*, devices: tuple[Row, ...] = (), alerts: tuple[Row, ...] = ()) -> DattoCollected:
    """Return what a poll collected that read these rows."""
    result = DattoCollected(MONTH_AGO)
    for row in devices:
        result.add_device(row)
    for row in alerts:
        result.add_alert(row)
    return result


class Memory:
    """What the database would keep between polls; a snapshot goes through JSON as it does there."""

    def __init__(self) -> None:
        self.snapshots: dict[Key, Snapshot] = {}
        self.lost = 0

    def poll(self, *, read_at: datetime = NOON, **rows: tuple[Row, ...]) -> list[DeviceDifference]:
        known = {key: Known(each.digest, each.scanned_at) for key, each in self.snapshots.items()}
        changes: list[Change[DeviceDifference]] = [
            rules_datto.change(one, keys, {key: self.snapshots[key] for key in keys if key in self.snapshots}, read_at)
            for one, keys in rules_datto.differing(collected(**rows).readings(), known)
        ]
        for snapshot in (each for change in changes for each in change.snapshots):
            facts = json.loads(json.dumps(snapshot.facts))
            kept = Snapshot(snapshot.kind, snapshot.device, snapshot.digest, snapshot.scanned_at, facts)
            self.snapshots[snapshot.kind, snapshot.device] = kept
        entries = [entry for change in changes for entry in change.entries]
        self.lost += rules_datto.lost_webhooks(entries)
        return entries

    def said(self, *, read_at: datetime = NOON, **rows: tuple[Row, ...]) -> list[Said]:
        """Poll, and return the events that `translate` makes of what was written."""
        said: list[Said] = []
        for body in rules_datto.records(self.poll(read_at=read_at, **rows), read_at, 700_000):
            translation = translated(delivery(body, vendor="datto", channel="poll"))
            assert not translation.problems
            said += translation.said
        return said
