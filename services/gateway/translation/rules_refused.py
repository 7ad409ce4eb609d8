"""Which refused deliveries are copies of one that was refused before: the raw id says so. Pure."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from services.gateway.translation.rules_translate import Read


def refused(reads: Sequence[Read], again: AbstractSet[int]) -> dict[int, UUID]:
    """Return, by place, the raw ids of what is refused; what was replayed, at the places in `again`, counts anew."""
    return {
        place: each.delivery.raw_id
        for place, each in enumerate(reads)
        if place not in again and (each.translation is None or each.translation.problems)
    }


def copies(refused_by_place: Mapping[int, UUID], fresh: AbstractSet[UUID]) -> set[int]:
    """Return the places of copies: of those that were refused before, so not `fresh`, and of those earlier in here."""
    first = {raw_id: place for place, raw_id in reversed(list(refused_by_place.items())) if raw_id in fresh}
    return {place for place, raw_id in refused_by_place.items() if first.get(raw_id) != place}
