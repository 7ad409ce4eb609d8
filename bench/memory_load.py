"""What goes through the whole product while its processes are weighed: bodies of a hundred events, and exposed logins.

An ordinary day of ever the same servers: most check-ins bring no news, every tenth says something new, the rest is
about patches. Few are failures, each noted on one of the tickets; and few logins are found in the wrong hands.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from bench.sender import CLIENT

EVENTS_IN_A_BODY: Final = 100
DEVICES: Final = 2_000
PATCHES: Final = 20
TICKETS: Final = 5
FAILURE_EVERY: Final = 1_009
EXPOSED_EVERY: Final = 1_000
LOGINS: Final = 500
DOMAIN: Final = "bench.example"


def bodies(events: int, begin: datetime) -> Iterator[bytes]:
    """Yield the bodies of so many events, one millisecond apart; no event is said twice."""
    for first in range(0, events, EVENTS_IN_A_BODY):
        told = [_event(each, begin) for each in range(first, min(first + EVENTS_IN_A_BODY, events))]
        yield json.dumps({"events": told}).encode()


def exposures(events: int, begin: datetime) -> Iterator[bytes]:
    """Yield what a feed finds while so many events are told: a few logins, again and again, each find a new one."""
    for number in range(0, events, EXPOSED_EVERY):
        found = {
            "login": f"person{number // EXPOSED_EVERY % LOGINS}@{DOMAIN}",
            "organisation": CLIENT,
            "breach": f"Forum {number}",
            "form": "hashed",
            "published_at": begin.isoformat(),
        }
        yield json.dumps({"type": "exposure.found", "timestamp": begin.isoformat(), "data": found}).encode()


def _event(number: int, begin: datetime) -> dict[str, object]:
    device, turn = number % DEVICES, number // DEVICES
    moment = (begin + timedelta(milliseconds=number)).isoformat()
    type_, told = _said(device, turn, number)
    stamped = {"device.booted": {"booted_at": moment}, "patch.detected": {"scanned_at": moment}}.get(type_, {})
    content = {"device": f"weighed-{device:05}", "organisation": CLIENT, **told, **stamped}
    return {"type": type_, "timestamp": moment, "data": content}


def _said(device: int, turn: int, number: int) -> tuple[str, dict[str, object]]:
    """Return the type and the content of what a device says; at first what it is."""
    if turn and number % FAILURE_EVERY == 0:
        return "patch.install_failed", {"patch": {"patch": f"weighed-{device % TICKETS}", "product": "Bench"}}
    match (device + turn) % 10 if turn else 0:
        case 0 | 1 | 2 | 3:
            return "device.updated", {"facts": _facts(device, build=2900)}
        case 4:
            return "device.updated", {"facts": _facts(device, build=2900 + turn % 90)}
        case 5:
            return "device.booted", {}
        case _:
            patch = {"patch": f"weighed-{(device + turn) % PATCHES}", "product": "Bench", "severity": "critical"}
            return "patch.detected", {"patch": patch}


def _facts(device: int, *, build: int) -> dict[str, object]:
    return {
        "hostname": f"WEIGHED-{device:05}",
        "os_family": "windows",
        "os_name": "Windows Server 2022",
        "os_build": f"10.0.20348.{build}",
        "tier": "server",
        "location": f"rack {device % 40}",
    }
