"""ConnectWise PSA's callbacks: what one says it is about, where its key may be fetched, and whether it is signed. Pure.

The place of the key stands in the body that the key is to prove, so whoever forges a body names a key of his own: only
a host that an operator named is asked. Every customer of the vendor shares those hosts; a signature proves that a
callback came from there, not from whom. It is a hint either way: the ticket is read again by its id with our own login.

Source: reference "ConnectWise PSA (Manage)": the envelope is the vendor's (read in shipping code), the signature is
confirmed by one public client only, and the vendor's page about it was not read.
"""

import hashlib
import hmac
import json
import re
from binascii import b2a_base64
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

SIGNATURE_HEADER: Final = b"x-content-signature"
CLOUD_HOSTS: Final = frozenset({"*.myconnectwise.net"})
"""Where the vendor serves keys; a server of one's own is named by its own host."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
_PLAIN: Final = re.compile(r"[!-\[\]-~]{1,2048}")
"""Visible ASCII but the backslash, which some readers of addresses take for a slash."""

_LABELS: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


class Action(StrEnum):
    """What happened to the record."""

    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback's own word, which nothing proves yet. `key_url` is where it says that its key is."""

    kind: str
    action: Action
    number: int
    key_url: str


def callback_of(body: bytes) -> Callback | None:
    """Return what a callback says it is about; `None`: it is none. Its copy of the record is not looked at."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    fields = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    metadata = fields.get("Metadata")
    key_url = metadata.get("key_url") if isinstance(metadata, dict) else None
    kind, action, number = fields.get("Type"), fields.get("Action"), fields.get("ID")
    if not isinstance(kind, str) or not isinstance(action, str) or not isinstance(key_url, str):
        return None
    if action not in set(Action):
        return None
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        return None
    return Callback(kind=kind, action=Action(action), number=number, key_url=key_url)


def pinned(key_url: str, hosts: Collection[str]) -> str | None:
    """Return the address if a key may be fetched there; `None`: it may not.

    `hosts` are `host`, `host:port`, or `*.domain` for each host directly or further below it. Only https, but on this
    machine itself.
    """
    if not _PLAIN.fullmatch(key_url):
        return None
    try:
        parts = urlsplit(key_url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if "@" in parts.netloc or parts.fragment or not _LABELS.fullmatch(host) or not _is_private(parts, host):
        return None
    usual = 443 if parts.scheme == "https" else 80
    where = host if port in {None, usual} else f"{host}:{port}"
    return key_url if any(_is_at(where, allowed.lower()) for allowed in hosts) else None


def is_signed(signing_key: str, body: bytes, header: bytes) -> bool:
    """Return whether `header` is the signature of these very bytes, compared in constant time."""
    return hmac.compare_digest(signature_of(signing_key, body), header)


def signature_of(signing_key: str, body: bytes) -> bytes:
    """Return the signature of a body: HMAC-SHA256 with the SHA-256 of the key, in base64."""
    digest = hmac.digest(hashlib.sha256(signing_key.encode()).digest(), body, "sha256")
    return b2a_base64(digest, newline=False)


def signing_key_of(answer: bytes) -> str | None:
    """Return the key in what `key_url` answered; `None`: there is none."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    key = said.get("signing_key") if isinstance(said, dict) else None
    return key if isinstance(key, str) and key else None


def _is_private(parts: SplitResult, host: str) -> bool:
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _is_at(where: str, allowed: str) -> bool:
    return where.endswith(allowed[1:]) if allowed.startswith("*.") else where == allowed
