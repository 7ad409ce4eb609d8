"""By which serial numbers machines may be the same, and which assets they suggest to be one. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contracts.events.event import OsFamily
from services.inventory.rules_labels import Basis
from services.inventory.rules_merges import Memberships, survivor_of

SHORTEST: Final = 4
PLACEHOLDERS: Final = frozenset(
    {
        "to be filled by o.e.m.", "to be filled by o.e.m", "default string", "system serial number", "serial number",
        "chassis serial number", "base board serial number", "not specified", "not applicable", "not available",
        "none", "null", "unknown", "invalid", "empty", "n/a", "o.e.m.", "oem", "tbd", "todo", "test", "virtual",
        "0123456789", "123456789", "1234567890", "12345678", "1234567", "123456", "12345", "1234", "0123456789abcdef",
    }
)  # fmt: skip
"""What makers leave where a serial number should stand, in small letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A live asset whose serial number no other live device of its source has. `serial` is in small letters."""

    asset_id: UUID
    tenant_id: UUID
    serial: str
    source: str
    device: str
    hostname: str | None
    os_family: OsFamily
    os_family_from: Basis


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Assets of one client, at least two and of as many sources, that have the same serial number."""

    serial: str
    assets: tuple[Candidate, ...]


def is_telling(serial: str) -> bool:
    """Return whether a serial number in small letters may tell one machine from every other."""
    signs = [sign for sign in serial if sign.isalnum()]
    return len(signs) >= SHORTEST and len(set(signs)) > 1 and serial.strip() not in PLACEHOLDERS


def suggestions(
    candidates: Iterable[Candidate], memberships: Memberships, apart: Collection[tuple[UUID, UUID]]
) -> list[Suggestion]:
    """Return which assets seem to be one machine and are not one yet, in one order.

    `apart` are pairs (the smaller id first) that a person took apart: whatever has one of them is left alone.
    """
    by_serial: dict[tuple[UUID, str], list[Candidate]] = {}
    for each in candidates:
        if is_telling(each.serial):
            by_serial.setdefault((each.tenant_id, each.serial), []).append(each)
    found = (
        Suggestion(serial, tuple(sorted(alike, key=_asset_id))) for (_, serial), alike in sorted(by_serial.items())
    )
    return [each for each in found if _is_one_machine(each.assets) and _is_news(each.assets, memberships, apart)]


def _is_one_machine(alike: Sequence[Candidate]) -> bool:
    """Return whether each is of a source of its own, and no two run what one machine cannot run at once."""
    sources = {each.source for each in alike}
    families = {each.os_family for each in alike if each.os_family_from is not Basis.DEFAULT}
    return len(alike) == len(sources) > 1 >= len(families)


def _is_news(alike: Sequence[Candidate], memberships: Memberships, apart: Collection[tuple[UUID, UUID]]) -> bool:
    ids = [each.asset_id for each in alike]
    if len({survivor_of(each, memberships) for each in ids}) == 1:
        return False
    return not any((one, other) in apart for one in ids for other in ids)


def _asset_id(candidate: Candidate) -> UUID:
    return candidate.asset_id
