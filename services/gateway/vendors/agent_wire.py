"""How agents of the GLPI, FusionInventory and OCS family speak: packed or not, XML or JSON, handshake or report. Pure.

Source: the GLPI agent's and server's code, and what the agents of Debian 12 really send. What a message is packed with
is seen from its first bytes: the agents of this family disagree about `Content-Type`.
"""

import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.gateway.vendors import fields
from services.gateway.vendors.fields import Unreadable

HANDSHAKE_BYTES: Final = 65_536
"""A handshake is a few hundred bytes, unpacked. What is longer is none, and is not looked into at the door."""


class Packing(StrEnum):
    """What a message is packed with."""

    PLAIN = "plain"
    ZLIB = "zlib"
    GZIP = "gzip"


class Form(StrEnum):
    """What a message is written in."""

    XML = "xml"
    JSON = "json"


class Handshake(StrEnum):
    """What an agent asks before it reports. It wants an answer, and nothing is to be kept."""

    PROLOG = "prolog"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The beginning of a message in clear. `is_whole`: nothing is missing, neither cut off nor too much."""

    text: bytes
    packing: Packing
    is_whole: bool


_WINDOW_BITS: Final = {Packing.ZLIB: zlib.MAX_WBITS, Packing.GZIP: zlib.MAX_WBITS | 16}
_QUERY: Final = re.compile(rb"<QUERY>\s*PROLOG\s*</QUERY>")


def packing_of(body: bytes) -> Packing:
    """Return what `body` is packed with. Source: RFC 1950 section 2.2, RFC 1952 section 2.3.1."""
    if body[:2] == b"\x1f\x8b":
        return Packing.GZIP
    if body[:1] == b"\x78" and int.from_bytes(body[:2], "big") % 31 == 0:
        return Packing.ZLIB
    return Packing.PLAIN


def unpacked(body: bytes, most_bytes: int) -> Unpacked:
    """Return at most `most_bytes` of what was packed: however much it would be, no more is ever made of it."""
    packing = packing_of(body)
    if packing is Packing.PLAIN:
        return Unpacked(body[:most_bytes], packing, len(body) <= most_bytes)
    unpacking = zlib.decompressobj(_WINDOW_BITS[packing])
    try:
        text = unpacking.decompress(body, most_bytes)
    except zlib.error:
        return Unpacked(b"", packing, False)
    return Unpacked(text, packing, unpacking.eof)


def form_of(text: bytes) -> Form:
    """Return what a message is written in: JSON is always an object. Source: the GLPI server's own test."""
    return Form.JSON if text.lstrip()[:1] == b"{" else Form.XML


def handshake_in(message: Unpacked) -> Handshake | None:
    """Return what is asked; `None`: it is no handshake."""
    if not message.is_whole:
        return None
    match form_of(message.text):
        case Form.XML:
            is_prolog = _QUERY.search(message.text) is not None and b"<CONTENT" not in message.text
            return Handshake.PROLOG if is_prolog else None
        case Form.JSON:
            try:
                action = fields.object_in(message.text).get("action")
            except Unreadable:
                return None
            return Handshake.CONTACT if action == "contact" else None
