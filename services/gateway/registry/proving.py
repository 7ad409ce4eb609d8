"""The other side of verification: what a sender puts into a request so that the door believes it. Pure."""

import hmac
from base64 import b64encode
from datetime import datetime
from typing import assert_never

from services.gateway.registry.schemes import DEFAULT_HEADER, Scheme, agent_user, signing_key

Headers = dict[str, str]


class CannotProve(ValueError):
    """Nobody but the vendor can send what this scheme believes."""


def proof(scheme: Scheme, secret: str, body: bytes, *, source_id: str, header: str | None, at: datetime) -> Headers:
    """Return the headers with which whoever holds `secret` proves that `body` is theirs.

    Raises:
        CannotProve: only the vendor can, or `secret` is none of the scheme.
    """
    match scheme:
        case Scheme.STANDARD_WEBHOOKS:
            return _signed(secret, body, at)
        case Scheme.STATIC_HEADER:
            return {header or DEFAULT_HEADER: secret}
        case Scheme.BASIC:
            return {"authorization": f"Basic {b64encode(f'{agent_user(source_id)}:{secret}'.encode()).decode()}"}
        case Scheme.HMAC_SHA256:
            return {header or DEFAULT_HEADER: hmac.digest(secret.encode(), body, "sha256").hex()}
        case Scheme.CLIENT_STATE | Scheme.APPROVAL_LINK:
            raise CannotProve(f"{scheme}: what proves it stands in what is sent, not beside it")
        case Scheme.POLLED:
            raise CannotProve("it delivers nothing: its API is read")
        case Scheme.CONNECTWISE_CALLBACK:
            raise CannotProve("a callback is signed with the vendor's own key: nobody else can send one")
        case _:
            assert_never(scheme)


def _signed(secret: str, body: bytes, at: datetime) -> Headers:
    """Sign as Standard Webhooks 1.0.0 says; the id is derived, so that the same body at the same second is a repeat."""
    key = signing_key(secret)
    if key is None:
        raise CannotProve("a signing secret is base64 after whsec_")
    timestamp = int(at.timestamp())
    delivery = f"msg_{hmac.digest(b'patchline source test', body, 'sha256').hex()[:24]}_{timestamp}"
    content = b"%b.%d.%b" % (delivery.encode(), timestamp, body)
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{b64encode(hmac.digest(key, content, 'sha256')).decode()}",
    }
