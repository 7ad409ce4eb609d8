"""What inventory's tags say of a machine, in the words of the client's policy. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from services.compliance.policy import Level, TagWords


class Tagged(NamedTuple):
    """What tags say. `exposed`: reachable from the internet; `None`, and no business or ring: no tag says so."""

    exposed: bool | None = None
    isolated: bool = False
    business: Level | None = None
    ring: str | None = None


UNTAGGED: Final = Tagged()
_LEVELS: Final = tuple(Level)


def tagged(tags: Sequence[str], words: TagWords) -> Tagged:
    """Return what `tags` say. Of words that contradict one another the more careful one counts.

    So a machine that is tagged both as exposed and as internal is exposed, and the highest impact and the last ring
    in the alphabet count, whatever the order of the tags.
    """
    if not tags:
        return UNTAGGED
    said = {tag.casefold() for tag in tags}
    exposed = True if said & _folded(words.exposed) else False if said & _folded(words.not_exposed) else None
    business = [level for word, level in words.business.items() if word.casefold() in said]
    rings = [ring for word, ring in words.rings.items() if word.casefold() in said]
    return Tagged(
        exposed=exposed,
        isolated=bool(said & _folded(words.isolated)),
        business=max(business, key=_LEVELS.index, default=None),
        ring=max(rings, default=None),
    )


def _folded(words: frozenset[str]) -> set[str]:
    return {word.casefold() for word in words}
