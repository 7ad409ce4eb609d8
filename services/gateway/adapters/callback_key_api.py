"""The key of signed callbacks, fetched from the address that they name: at a pinned host, without credentials."""

from typing import Final
from urllib.parse import urlsplit

import httpx

from chassis.errors import NeverWorks
from chassis.http import Outbound, Policy
from services.gateway.door.connectwise_callbacks import signing_key_of

POLICY: Final = Policy(calls_per_second=1, burst=2, timeout_seconds=3, attempts=1)


class NoKeyThere(NeverWorks):
    """The address answered, and not with a key."""


async def key_at(address: str, *, transport: httpx.AsyncBaseTransport | None = None) -> str:
    """Return the signing key at `address`, which the caller found to be at a pinned host.

    Raises:
        NeverWorks: the host refuses, redirects elsewhere, or answers something else.
        Unavailable: it does not answer now.
    """
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    outbound = Outbound(origin, POLICY, transport=transport)
    try:
        answer = await outbound.call("GET", address.removeprefix(origin))
    finally:
        await outbound.close()
    key = signing_key_of(answer.content)
    if key is None:
        raise NoKeyThere(f"{outbound.host}: the answer holds no signing key")
    return key
