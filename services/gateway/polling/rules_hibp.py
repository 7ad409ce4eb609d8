"""When a domain is asked for again at Have I Been Pwned, and what of the answers is new. Pure.

Source: Have I Been Pwned API v3: a domain need not be searched again unless a breach was added since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.events.exposure import ExposureOrigin, SecretForm
from services.gateway.polling.rules_exposed import Batch, Row, logins_in, mark, marks_in
from services.gateway.polling.rules_snapshot import Snapshot, digest_of

FEED: Final = "hibp"
DOMAIN: Final = "domain"
STEALER_LOGS: Final = "stealer-logs"

STEALER_LOGS_EVERY: Final = timedelta(days=1)
"""Unconfirmed whether they grow without a new breach, so they are asked for so often in any case."""

NamesByAlias = Mapping[str, Sequence[str]]
"""By the part of an address before its domain: names of breaches, or of websites."""

Breaches = Mapping[str, Mapping[str, Any]]
"""What is told about each breach, by its name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One domain asked for at `read_at`: the reading before, and the newest breach."""

    domain: str
    before: Snapshot | None
    latest: bytes
    read_at: datetime


def newest(latest: Mapping[str, Any]) -> bytes:
    """Return what tells the newest breach from the one before."""
    return digest_of({"name": latest.get("Name"), "added": latest.get("AddedDate")})


def is_domain_due(asked: Asked) -> bool:
    """Return whether a breach was added since the domain was searched."""
    return asked.before is None or asked.before.digest != asked.latest


def are_stealer_logs_due(asked: Asked) -> bool:
    """Return whether the domain's stealer logs may have grown."""
    if asked.before is None or asked.before.scanned_at is None or asked.before.digest != asked.latest:
        return True
    return asked.read_at - asked.before.scanned_at >= STEALER_LOGS_EVERY


def breached(asked: Asked, names: NamesByAlias, breaches: Breaches) -> tuple[Batch | None, Snapshot]:
    """Return the breached accounts of a domain that were not told before, and what to remember."""
    seen = marks_in(asked.before)
    pairs = [(alias, name) for alias, found in sorted(names.items()) for name in sorted(set(found))]
    rows = [
        _breached_row(f"{alias}@{asked.domain}", name, breaches.get(name, {}))
        for alias, name in pairs
        if mark(alias, name) not in seen
    ]
    return _batch(rows), _snapshot(DOMAIN, asked, pairs)


def stolen(asked: Asked, sites: NamesByAlias) -> tuple[Batch | None, Snapshot]:
    """Return the lines of stealer logs that were not told before, and what to remember.

    No line has a date. What stands there at the first reading can be years old, so it is doubtful; what comes later is
    news.
    """
    seen = marks_in(asked.before)
    pairs = [(alias, site) for alias, found in sorted(sites.items()) for site in sorted(set(found))]
    rows: list[Row] = [
        {
            "login": f"{alias}@{asked.domain}",
            "document": f"stealer-log/{mark(site)}",
            "origin": ExposureOrigin.STEALER_LOG,
            "form": SecretForm.UNKNOWN,
            "target": site,
            "doubtful": asked.before is None,
        }
        for alias, site in pairs
        if mark(alias, site) not in seen
    ]
    return _batch(rows), _snapshot(STEALER_LOGS, asked, pairs)


def _breached_row(login: str, name: str, breach: Mapping[str, Any]) -> Row:
    classes = breach.get("DataClasses")
    is_stolen = breach.get("IsStealerLog") is True
    has_secret = is_stolen or not isinstance(classes, list) or "Passwords" in classes
    row = {
        "login": login,
        "document": name,
        "breach": name,
        "origin": ExposureOrigin.STEALER_LOG if is_stolen else ExposureOrigin.BREACH,
        "form": SecretForm.UNKNOWN if has_secret else SecretForm.NONE,
        "published": breach.get("AddedDate"),
        "exposed": breach.get("BreachDate"),
        "doubtful": _is_doubtful(breach),
    }
    return {name: value for name, value in row.items() if value is not None}


def _is_doubtful(breach: Mapping[str, Any]) -> bool:
    flagged = any(breach.get(flag) is True for flag in ("IsFabricated", "IsSpamList", "IsRetired"))
    return flagged or breach.get("IsVerified") is False


def _batch(rows: Sequence[Row]) -> Batch | None:
    return Batch(feed=FEED, named=logins_in(rows, "login"), rows=rows) if rows else None


def _snapshot(kind: str, asked: Asked, pairs: Sequence[tuple[str, str]]) -> Snapshot:
    remembered = sorted({mark(*pair) for pair in pairs})
    return Snapshot(kind, asked.domain, asked.latest, asked.read_at, {"seen": remembered})
