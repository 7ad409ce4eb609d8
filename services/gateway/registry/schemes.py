"""How a source can prove itself, and what is kept of its secrets. Pure but for randomness."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never

from services.gateway.keys.sealing import Purpose, SealingKey, sealed

DEFAULT_HEADER: Final = "x-patchline-secret"

_SIGNING_PREFIX: Final = "whsec_"
_SHORTEST_STATIC: Final = 16


class Scheme(StrEnum):
    """How a source proves that a delivery is its own."""

    STANDARD_WEBHOOKS = "standard-webhooks"
    STATIC_HEADER = "static-header"
    BASIC = "basic"
    HMAC_SHA256 = "hmac-sha256"
    CONNECTWISE_CALLBACK = "connectwise-callback"
    CLIENT_STATE = "client-state"
    APPROVAL_LINK = "approval-link"
    POLLED = "polled"


AGENT_VENDORS: Final = frozenset({"glpi-agent"})
"""Whose agents deliver by their own protocol, over a route of their own: these, and only these, give a password."""

DEFAULT_SCHEME: Final[Mapping[str, Scheme]] = {
    "ninjaone": Scheme.STATIC_HEADER,
    "datto": Scheme.STATIC_HEADER,
    "glpi-agent": Scheme.BASIC,
    "request-tracker": Scheme.HMAC_SHA256,
    "roundup": Scheme.HMAC_SHA256,
    "connectwise": Scheme.CONNECTWISE_CALLBACK,
    "spycloud": Scheme.STATIC_HEADER,
    "recorded-future": Scheme.STATIC_HEADER,
    "graph": Scheme.CLIENT_STATE,
    "approval": Scheme.APPROVAL_LINK,
    "hibp": Scheme.POLLED,
}
"""What a vendor can do; all others sign. Source: NinjaOne's webhook API offers static headers only, and templates of
Datto RMM in public use show one; Request Tracker and Roundup send what their own administrator writes
(docs/psa/webhooks.md); ConnectWise signs with a key of its own; Microsoft Graph repeats a subscription's `clientState`.
How SpyCloud and Recorded Future prove a webhook is not documented: a header is the least that a sender can set. Have I
Been Pwned has no webhook."""

DEFAULT_HEADER_OF: Final[Mapping[str, str]] = {
    "request-tracker": "x-rt-signature",
    "roundup": "x-roundup-signature",
}
"""Where a vendor's proof stands, if not in `DEFAULT_HEADER`."""

KEYLESS: Final = frozenset({Scheme.CONNECTWISE_CALLBACK, Scheme.APPROVAL_LINK, Scheme.POLLED})
"""Schemes without a secret per source: the key is the vendor's, or that of approval links; or nobody delivers."""

IN_A_HEADER: Final = frozenset({Scheme.STATIC_HEADER, Scheme.HMAC_SHA256})
"""Schemes whose header can be chosen."""


SECRET_FORM: Final[Mapping[Scheme, str]] = {
    Scheme.STANDARD_WEBHOOKS: "whsec_ and then 24 to 64 bytes in base64",
    Scheme.STATIC_HEADER: f"at least {_SHORTEST_STATIC} visible ASCII characters",
    Scheme.BASIC: f"at least {_SHORTEST_STATIC} visible ASCII characters",
    Scheme.HMAC_SHA256: f"at least {_SHORTEST_STATIC} visible ASCII characters",
    Scheme.CONNECTWISE_CALLBACK: "none: the vendor's own key is fetched",
    Scheme.CLIENT_STATE: f"at least {_SHORTEST_STATIC} visible ASCII characters",
    Scheme.APPROVAL_LINK: "none: the key is in the file that PATCHLINE_APPROVAL_KEY_FILE names",
    Scheme.POLLED: "none: it delivers nothing, its API is read",
}
"""What a secret that the sender chose must look like, for people."""


def new_secret(scheme: Scheme) -> str:
    """Return a new secret as its sender is given it.

    Raises:
        ValueError: `scheme` has none of ours.

    Source: Standard Webhooks 1.0.0, "Secret serialization": base64 after `whsec_`.
    """
    match scheme:
        case Scheme.STANDARD_WEBHOOKS:
            return _SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        case Scheme.STATIC_HEADER | Scheme.BASIC | Scheme.HMAC_SHA256 | Scheme.CLIENT_STATE:
            return secrets.token_urlsafe(32)
        case Scheme.CONNECTWISE_CALLBACK | Scheme.APPROVAL_LINK | Scheme.POLLED:
            raise ValueError(f"{scheme} has no secret of ours")
        case _:
            assert_never(scheme)


def is_secret(scheme: Scheme, secret: str) -> bool:
    """Return whether a secret that the sender chose is one of `scheme` and long enough not to be guessed.

    Source: Standard Webhooks 1.0.0, "Signature scheme": 24 to 64 bytes.
    """
    match scheme:
        case Scheme.STANDARD_WEBHOOKS:
            key = signing_key(secret)
            return key is not None and 24 <= len(key) <= 64
        case Scheme.STATIC_HEADER | Scheme.BASIC | Scheme.HMAC_SHA256 | Scheme.CLIENT_STATE:
            return len(secret) >= _SHORTEST_STATIC and secret.isascii() and secret.isprintable()
        case Scheme.CONNECTWISE_CALLBACK | Scheme.APPROVAL_LINK | Scheme.POLLED:
            return False
        case _:
            assert_never(scheme)


def material(scheme: Scheme, secret: str, *, source_id: str, sealing_key: SealingKey) -> bytes:
    """Return what is kept of a secret: the sealed key where it is needed in clear, else a hash.

    Raises:
        ValueError: it is not a secret of `scheme`.
    """
    match scheme:
        case Scheme.STANDARD_WEBHOOKS:
            key = signing_key(secret)
            if key is None:
                raise ValueError("a signing secret is base64 after whsec_")
            return sealed(sealing_key, key, source_id=source_id, purpose=Purpose.WEBHOOK)
        case Scheme.STATIC_HEADER | Scheme.CLIENT_STATE:
            return hashlib.sha256(secret.encode()).digest()
        case Scheme.BASIC:
            return hashlib.sha256(f"{agent_user(source_id)}:{secret}".encode()).digest()
        case Scheme.HMAC_SHA256:
            return sealed(sealing_key, secret.encode(), source_id=source_id, purpose=Purpose.WEBHOOK)
        case Scheme.CONNECTWISE_CALLBACK | Scheme.APPROVAL_LINK | Scheme.POLLED:
            raise ValueError(f"{scheme} has no secret of ours")
        case _:
            assert_never(scheme)


def unfit(vendor: str, scheme: Scheme, *, has_key_hosts: bool) -> str | None:
    """Return why a source of `vendor` cannot prove itself so; `None`: it can."""
    if has_key_hosts != (scheme is Scheme.CONNECTWISE_CALLBACK):
        return f"--key-host is for {Scheme.CONNECTWISE_CALLBACK}, which needs one at least"
    if (vendor in AGENT_VENDORS) != (scheme is Scheme.BASIC):
        return f"--scheme {Scheme.BASIC} is for agents, and all that they can: {', '.join(sorted(AGENT_VENDORS))}"
    for only, of in ((Scheme.APPROVAL_LINK, "approval"), (Scheme.CLIENT_STATE, "graph"), (Scheme.POLLED, "hibp")):
        if (vendor == of) != (scheme is only):
            return f"--scheme {only} is for {of}, and all that it can"
    return None


def agent_user(source_id: str) -> str:
    """Return the user that the agents of a source give with their password: the source's own name."""
    return source_id.rpartition("/")[2]


def signing_key(secret: str) -> bytes | None:
    """Return the key in a secret of Standard Webhooks; `None`: it is not written as one."""
    if not secret.startswith(_SIGNING_PREFIX):
        return None
    text = secret.removeprefix(_SIGNING_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)  # some senders leave the padding out
    except (binascii.Error, ValueError):
        return None
