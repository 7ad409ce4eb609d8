"""A source that may deliver to the door, and whole signed HTTP requests of it, made before anything is measured."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from typing import Final

import asyncpg

from services.gateway.keys.sealing import SealingKey
from services.gateway.registry import schemes, sources, store_sources
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import NewSource

SINGLE_EVENTS: Final = 20_000
_SOURCE: Final = NewSource(vendor="patchline", name="bench", scheme=Scheme.STANDARD_WEBHOOKS, header_name=None)
PATH: Final = sources.path(_SOURCE.source_id)


async def added_source(writer_dsn: str, sealing_key: SealingKey) -> str:
    """Add the source that delivers and return its secret."""
    secret = schemes.new_secret(_SOURCE.scheme)
    kept = schemes.material(_SOURCE.scheme, secret, source_id=_SOURCE.source_id, sealing_key=sealing_key)
    connection = await asyncpg.connect(writer_dsn)
    try:
        now = await connection.fetchval("SELECT now()")
        await store_sources.add(connection, _SOURCE, now)
        await store_sources.add_secret(connection, _SOURCE.source_id, 0, material=kept, created_at=now)
    finally:
        await connection.close()
    return secret


def single_events() -> list[bytes]:
    """Return unique bodies of one event each."""
    return [_single(number) for number in range(SINGLE_EVENTS)]


def _single(number: int) -> bytes:
    device = {"id": f"{number:06d}", "hostname": f"WS-{number:06d}", "organisation": "Acme", "os": "windows"}
    patch = {"id": f"KB50{number % 100_000:05d}", "severity": "critical", "result": "0x80070643"}
    event = {"type": "patch.install_failed", "occurred_at": "2026-11-10T12:00:00Z", "device": device, "patch": patch}
    return json.dumps(event).encode()


def signed_requests(secret: str, bodies: Iterable[bytes]) -> list[bytes]:
    """Return a whole HTTP request for each body, each with a true signature of this minute."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    timestamp = str(int(time.time())).encode()
    return [_signed(key, timestamp, number, body) for number, body in enumerate(bodies)]


def _signed(key: bytes, timestamp: bytes, number: int, body: bytes) -> bytes:
    delivery = b"msg_%012d" % number
    digest = hmac.digest(key, b"%b.%b.%b" % (delivery, timestamp, body), hashlib.sha256)
    lines = [
        f"POST {PATH} HTTP/1.1".encode(),
        b"host: 127.0.0.1",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"webhook-id: " + delivery,
        b"webhook-timestamp: " + timestamp,
        b"webhook-signature: v1," + base64.b64encode(digest),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
