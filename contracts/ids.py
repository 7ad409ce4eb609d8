"""Ids of everything that travels. Derived, never random (but the raw id), so that a repeat is the same thing.

Fixed by design section 3: none of these can change once tickets and history exist. Every name is hashed from a JSON
array, so that no separator inside a vendor's id can make two different things equal.
"""

import json
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1
from typing import Final, NewType
from uuid import UUID

import uuid_utils
import uuid_utils.compat
from pydantic import TypeAdapter
from pydantic_core import to_json

RawId = NewType("RawId", UUID)
EventId = NewType("EventId", UUID)
TenantId = NewType("TenantId", UUID)
AssetId = NewType("AssetId", UUID)
RequirementId = NewType("RequirementId", UUID)

NAMESPACE: Final = UUID("8c1d1f0e-6b1c-5f58-9f3f-6a3f0d0f5a11")
"""Root of every derived id. Never change it."""

EVERYONE: Final = TenantId(UUID(int=0))
"""Stands where a client's id would, for what holds for all clients together. No client ever has it."""

SUBJECT_CHARACTERS: Final = 512
"""The most that a name in an event takes."""


_ROOT: Final = NAMESPACE.bytes
_VERSION_5: Final = 0x5 << 76 | 0b10 << 62
"""Version and variant, where RFC 9562 section 5.5 has them. `UUID` would set them itself, in three times the time."""
_HASHED_BITS: Final = ~(0xF << 76 | 0b11 << 62)


_known: Final = TypeAdapter(UUID).validator.validate_python
"""Makes a UUID of its bytes in a third of the time that `UUID` takes."""


def _named(*parts: str | UUID) -> UUID:
    """Return the uuid5 of `parts` as a compact JSON array; written out, because every event needs several of them."""
    digest = sha1(_ROOT + to_json(parts), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big") & _HASHED_BITS | _VERSION_5
    return _known(number.to_bytes(16, "big"))  # type: ignore[no-any-return]  # a validator does not say what it makes


def spelled(number: UUID) -> str:
    """Return a UUID as `str` spells it, in half the time; a driver's own kind knows its spelling already."""
    return to_json(number)[1:-1].decode() if type(number) is UUID else str(number)


def new_raw_id() -> RawId:
    """Mint the id of one delivery: a UUIDv7, made once before the first attempt to store it.

    Source: RFC 9562 section 5.7 (time-ordered, so the spool and the raw topics sort by receipt).
    """
    return RawId(uuid_utils.compat.uuid7())


def new_raw_id_text() -> str:
    """Mint the id of one delivery as it is written: a fifth of the work where the id is only passed on."""
    return str(uuid_utils.uuid7())


def event_id_of_vendor(source: str, vendor_event_id: str) -> EventId:
    """Return the id of an event that its vendor numbered itself."""
    return EventId(_named("event", source, "vendor", vendor_event_id))


def event_id_of_fields(source: str, kind: str, occurred_at: datetime, *natural: str) -> EventId:
    """Return the id of an event known by its natural fields, the occurred time among them."""
    return EventId(_named("event", source, "fields", kind, moment(occurred_at), *natural))


def event_id_of_raw(raw_id: UUID, index: int) -> EventId:
    """Return the id of the `index`-th event of a delivery that has neither a vendor id nor natural fields.

    Such an event cannot be recognised when the vendor repeats it: mark it undeduplicable.
    """
    return EventId(_named("event", "raw", raw_id, str(index)))


def fact_id(cause_id: UUID, type_: str, subject: str) -> EventId:
    """Return the id of what we derive from one event."""
    return EventId(_named("fact", cause_id, type_, subject))


def timer_fact_id(subject: str, type_: str, deadline: datetime) -> EventId:
    """Return the id of what becomes true because a deadline passed."""
    return EventId(_named("timer", subject, type_, moment(deadline)))


def tenant_id(name: str) -> TenantId:
    """Return the id of a client by the name it was first added under."""
    return TenantId(_named("tenant", name))


@lru_cache(maxsize=32_768)
def asset_id(source: str, device: str) -> AssetId:
    """Return the id of the asset that one (source, device) pair makes. Merges later name the smallest."""
    return AssetId(_named("asset", source, device))


def requirement_id(product: str, train: str) -> RequirementId:
    """Return the id of one fix line of one product. Never the KB: a newer KB is the same requirement."""
    return RequirementId(_named("requirement", product, train))


def ticket_key(tenant: UUID, kind: str, subject: str, generation: int) -> str:
    """Return the external key under which a tracker knows one ticket.

    At most 80 characters (ConnectWise's `externalXRef` takes 100), and readable: kind and generation stay visible.
    """
    return f"pl-{kind}-{_named('ticket', tenant, kind, subject)}-g{generation}"


def case_id(tenant: UUID, identity: str, number: int) -> UUID:
    """Return the id of a client's `number`-th case of one identity: the key that credentials knows it by."""
    return _named("case", tenant, identity, str(number))


def uncatalogued_subject(product: str | None, patch: str) -> str:
    """Return the ticket subject of a patch that no catalog knows: the vendor's product and patch id.

    Readable where it fits the 512 characters of a name; else hashed, so that two long ones never meet.
    """
    subject = json.dumps([product or "", patch], ensure_ascii=False, separators=(",", ":"))
    return subject if len(subject) <= SUBJECT_CHARACTERS else str(_named("uncatalogued", product or "", patch))


def moment(at: datetime) -> str:
    """Return `at` as the one spelling used inside ids: UTC, microseconds, `Z`.

    Raises:
        ValueError: `at` has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError("a moment in an id must have a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
