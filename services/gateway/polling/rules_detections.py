"""What is asked of Microsoft Graph and what is new of it: risk detections, and users that an alert names. Pure.

Source: Microsoft Graph v1.0, riskDetection, alert; a change notification's `resource` is a path below the version.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.gateway.polling.rules_exposed import Batch, Before, Row, logins_in, mark, marks_in
from services.gateway.polling.rules_snapshot import Snapshot

FEED: Final = "graph-detections"
DETECTIONS: Final = "detections"
KIND: Final = "leakedCredentials"

KEPT_DAYS: Final = 90
"""How long Microsoft keeps detections, at most: so far back the first reading goes."""

LATE: Final = timedelta(days=7)
"""Detections are made offline and may be dated before the last reading: so much is read again, and told once."""

DUE_SHARE: Final = 0.75
"""A poll that a notification brought about lists a tenant only when so much of the interval has passed."""

_TENANT: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_RESOURCE: Final = re.compile(
    r"/?(identityProtection/riskDetections|security/alerts_v2)(?:/([\w-]{1,128})|\('([\w-]{1,128})'\))", re.IGNORECASE
)
_PATHS: Final = {
    "identityprotection/riskdetections": "/v1.0/identityProtection/riskDetections",
    "security/alerts_v2": "/v1.0/security/alerts_v2",
}
LISTING: Final = _PATHS["identityprotection/riskdetections"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A resource that is read by its id."""

    path: str
    is_alert: bool


def is_tenant(organisation: str) -> bool:
    """Return whether an organisation is the id of a tenant: only such a one stands in an address."""
    return _TENANT.fullmatch(organisation) is not None


def asked(resource: str) -> Asked | None:
    """Return where to read what a notification named; `None`: it is nothing that tells of a credential."""
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        return None
    path = _PATHS[found[1].lower()]
    return Asked(f"{path}/{found[2] or found[3]}", path != LISTING)


def is_listing_due(before: Before, tenant: str) -> bool:
    """Return whether a tenant's detections are listed in this poll."""
    last = before.snapshots.get((DETECTIONS, tenant))
    if last is None or last.scanned_at is None:
        return True
    return before.read_at - last.scanned_at >= before.every * DUE_SHARE


def question(last: Snapshot | None, read_at: datetime) -> dict[str, str]:
    """Return the query for detections that may be new."""
    since = read_at - timedelta(days=KEPT_DAYS)
    if last is not None and last.scanned_at is not None:
        since = max(since, last.scanned_at - LATE)
    moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"$filter": f"riskEventType eq '{KIND}' and detectedDateTime ge {moment}", "$top": "500"}


def detected(
    tenant: str, listed: Sequence[Row] | None, named: Iterable[Row], *, last: Snapshot | None, read_at: datetime
) -> tuple[Batch | None, Snapshot | None]:
    """Return what of a tenant is to be told, and what to remember. `listed` is `None` where nothing was listed.

    What a notification named is told again: it changed, and its event's id tells whether that is news.
    """
    seen = marks_in(last)
    rows = [row for row in listed or () if mark(str(row.get("id"))) not in seen]
    rows += named
    snapshot = None
    if listed is not None:
        remembered = sorted({mark(str(row.get("id"))) for row in listed})
        snapshot = Snapshot(DETECTIONS, tenant, b"listed", read_at, {"seen": remembered})
    if not rows:
        return None, snapshot
    count = logins_in(rows, "userPrincipalName")
    return Batch(feed=FEED, named=count, rows=rows, organisation=tenant), snapshot


def rows_of_alert(alert: Mapping[str, Any]) -> list[Row]:
    """Return the users that an alert names as evidence, laid out as detections; the alert's title is their kind.

    Unconfirmed: how an alert says that it is about a leaked credential. One of another kind is counted and told to
    nobody.
    """
    told = alert.get("evidence")
    evidence = told if isinstance(told, list) else []
    accounts = [each.get("userAccount") for each in evidence if isinstance(each, dict)]
    settled = alert.get("classification") in {"falsePositive", "informationalExpectedActivity"}
    return [
        {
            "id": f"{alert.get('id')}/{account.get('azureAdUserId') or account.get('userPrincipalName')}",
            "riskEventType": "".join(re.findall(r"[A-Za-z]", str(alert.get("title") or "")))[:64] or "untitled",
            "riskState": "dismissed" if settled else "atRisk",
            "detectedDateTime": alert.get("createdDateTime"),
            "userPrincipalName": account.get("userPrincipalName"),
            "userId": account.get("azureAdUserId"),
        }
        for account in accounts
        if isinstance(account, dict) and account.get("userPrincipalName")
    ]
