"""What the clients of an open load send, signed and written out: failures that ask for tickets, and an ordinary day."""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

DEVICES: Final = 100
"""Of each client, unless its stream says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What one client's source sends: so many events a second, each in a delivery of its own.

    `failing` of them a second are the first failure of another patch, each of which asks for a ticket of its own; they
    are called `patches` and a number, and each is of the next machine of the fleet. The rest is an ordinary day of the
    same machines: half of it check-ins without news, a fifth changes a machine's record, the others list a patch. One
    that `introduces` begins with the first check-in of each machine, since a failure of a machine that nobody knew yet
    is another story. `begins` in seconds after the whole load does; the failures stand a part `phase`, below 1, of what
    lies between two of them ahead, so that those of several streams need not fall on one moment.
    """

    path: str
    secret: str
    organisation: str
    patches: str
    per_second: float
    failing: float
    seconds: float
    begins: float = 0.0
    phase: float = 0.0
    devices: int = DEVICES
    introduces: bool = False

    @property
    def count(self) -> int:
        """Return how many deliveries it has."""
        return round(self.per_second * self.seconds)

    def is_failure(self, number: int) -> bool:
        """Return whether a delivery asks for a ticket: they are spread evenly, behind what introduces the machines."""
        if self.introduces and number < self.devices:
            return False
        share = self.failing / self.per_second
        return int((number + 1) * share + self.phase) > int(number * share + self.phase)


@dataclass(frozen=True, slots=True)
class Request:
    """One delivery, signed: when it is to leave, in seconds after the beginning, and what it asks a ticket for."""

    at: float
    content: bytes
    patch: str | None


def requests(stream: Stream, begin: datetime) -> Iterator[Request]:
    """Yield the deliveries of a stream that begins at `begin`, in the order in which they leave."""
    key = base64.b64decode(stream.secret.removeprefix("whsec_"))
    rng = random.Random(stream.patches)
    for number in range(stream.count):
        at = stream.begins + number / stream.per_second
        moment = datetime.fromtimestamp(begin.timestamp() + at, UTC).isoformat()
        patch = f"{stream.patches}{number:06}" if stream.is_failure(number) else None
        type_, told = _ordinary(stream, number, moment, rng) if patch is None else _failure(stream, number, patch)
        content = {"organisation": stream.organisation, **told}
        body = json.dumps({"type": type_, "timestamp": moment, "data": content}).encode()
        delivery = f"msg_{stream.patches}{number}-{begin.timestamp()}"
        yield Request(at, _signed(stream.path, key, delivery, body), patch)


def _failure(stream: Stream, number: int, patch: str) -> tuple[str, dict[str, Any]]:
    failures_before = int(number * stream.failing / stream.per_second)
    device = _device(failures_before % stream.devices)
    return "patch.install_failed", {"device": device, "patch": {"patch": patch, "product": "Bench"}}


def _ordinary(stream: Stream, number: int, moment: str, rng: random.Random) -> tuple[str, dict[str, Any]]:
    device, kind = _device(rng.randrange(stream.devices)), rng.random()
    if stream.introduces and number < stream.devices:
        device, kind = _device(number), 0.0
    if kind < 0.5:
        facts = {"hostname": device.upper(), "os_family": "linux", "os_name": "Bench OS", "tier": "server"}
        return "device.seen", {"device": device, "facts": facts}
    if kind < 0.7:
        return "device.updated", {"device": device, "facts": {"location": f"rack {number}"}}
    return "patch.detected", {
        "device": device,
        "patch": {"patch": f"p-{rng.randrange(400)}", "severity": "critical"},
        "scanned_at": moment,
    }


def _device(number: int) -> str:
    return f"bench-{number:03}"


def _signed(path: str, key: bytes, delivery: str, body: bytes) -> bytes:
    timestamp = str(int(time.time())).encode()
    digest = hmac.digest(key, b"%b.%b.%b" % (delivery.encode(), timestamp, body), hashlib.sha256)
    lines = [
        f"POST {path} HTTP/1.1".encode(),
        b"host: 127.0.0.1",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"webhook-id: " + delivery.encode(),
        b"webhook-timestamp: " + timestamp,
        b"webhook-signature: v1," + base64.b64encode(digest),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
