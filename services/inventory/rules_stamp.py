"""The order of facts as bytes: quick to compare, small to keep beside each field of an asset."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NewType

from contracts.order import OrderKey
from services.inventory.rules_fields import FIELDS, Field

Stamp = NewType("Stamp", bytes)
"""Where a fact stands among the facts of its field: 24 bytes that sort as its `OrderKey` does."""

NEVER: Final = Stamp(b"")
"""Sorts before every stamp: nobody said anything yet."""

_ZERO: Final = datetime(1, 1, 1, tzinfo=UTC)
_BIAS: Final = 1 << 63  # the first day of the year 1 in another zone lies before `_ZERO`
_DAY_MICROSECONDS: Final = 86_400_000_000
_BYTES: Final = 24
_UNSET: Final = 255


def stamp(order: OrderKey) -> Stamp:
    """Return the bytes of `order`: its moment in microseconds, then the event's id."""
    since = order.effective_at - _ZERO
    microseconds = since.days * _DAY_MICROSECONDS + since.seconds * 1_000_000 + since.microseconds
    return Stamp((microseconds + _BIAS).to_bytes(8, "big") + order.event_id.bytes)


def packed(stamps: Mapping[Field, Stamp]) -> bytes:
    """Return the stamps of an asset's fields as one value: few facts set many fields, so each stamp is kept once.

    Layout: the number of fields, one byte per field that says which of the stamps is its own, the stamps.
    """
    distinct = sorted(set(stamps.values()))
    place = {each: number for number, each in enumerate(distinct)} | {NEVER: _UNSET}
    places = bytes([place[stamps.get(field, NEVER)] for field in FIELDS])
    return b"".join((bytes((len(FIELDS),)), places, *distinct))


def unpacked(value: bytes) -> dict[Field, Stamp]:
    """Return what `packed` packed, also by an earlier release with fewer fields."""
    start = 1 + value[0]
    distinct = [Stamp(value[at : at + _BYTES]) for at in range(start, len(value), _BYTES)]
    return {field: distinct[place] for field, place in zip(FIELDS, value[1:start], strict=False) if place != _UNSET}
