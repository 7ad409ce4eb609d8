"""One webhook as a vendor sends it, and how each vendor proves that it is its own."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from simulators.fleet import Source
from simulators.script import Happening

SECRET_HEADER: Final = "x-patchline-secret"
STATIC: Final = frozenset({"ninjaone", "datto"})
"""Vendors that sign nothing: they send a header that never changes."""


class Nature(StrEnum):
    """What a delivery is, and so what must become of it."""

    TRUE = "true"
    REPEATED = "repeated"
    UGLY = "ugly"
    UNKNOWN_CODE = "unknown code"
    UNMAPPED = "unmapped"
    FORGED = "forged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One body for one source. `delivery_id` is what a repeat has in common with the first, `name` is for people.

    What is forged is sent without the source's own secret, or was signed too long ago.
    """

    nature: Nature
    name: str
    source: Source
    body: bytes
    delivery_id: str
    happening: Happening | None = None
    content_type: str | None = "application/json"
    with_secret: bool = True
    age: timedelta = timedelta()

    @property
    def path(self) -> str:
        """Return where the source delivers."""
        return f"/webhooks/{self.source.full_name}"


def headers_of(delivery: Delivery, secret: str, at: datetime) -> dict[str, str]:
    """Return the headers that a delivery has when it is sent at `at`: a static secret, or a signature."""
    headers = {} if delivery.content_type is None else {"content-type": delivery.content_type}
    if delivery.source.vendor in STATIC:
        return headers | {SECRET_HEADER: secret}
    return headers | signature(delivery.delivery_id, delivery.body, secret, at - delivery.age)


def signature(delivery_id: str, body: bytes, secret: str, at: datetime) -> dict[str, str]:
    """Return the three headers of a signed delivery. Source: Standard Webhooks 1.0.0, "Signature scheme"."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join((delivery_id.encode(), timestamp.encode(), body))
    signed = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": delivery_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signed}"}
