"""The fold: an asset is, field by field, the word of the newest fact, in whatever order the facts arrive."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final, NamedTuple, cast
from uuid import UUID

from services.inventory.rules_facts import Fact
from services.inventory.rules_fields import FIELDS, Field, Said
from services.inventory.rules_stamp import NEVER, Stamp

DAILY: Final[tuple[Field, ...]] = ("os_build", "online", "last_boot_at")
"""What moves from day to day, while the rest hardly ever does. No label is concluded from it."""

_rare: Final = itemgetter(*(field for field in FIELDS if field not in DAILY))


class Asset(NamedTuple):
    """The newest word on each field, the stamps of the facts that set them, and when its source spoke of it at all.

    `retired_at` is when a person last retired it: it is gone until something is heard of it from later than that.
    """

    asset_id: UUID
    source: str
    device: str
    said: Said
    stamps: Mapping[Field, Stamp]
    first_seen_at: datetime
    last_seen_at: datetime
    retired_at: datetime | None = None

    @property
    def is_removed(self) -> bool:
        """Return whether the vendor deleted the device and has not enrolled it again since."""
        return self.said["removed_at"] is not None


class Kept(NamedTuple):
    """An asset as it is stored: what `last_seen_at` was when it was last published, and how often it was written."""

    asset: Asset
    announced_seen_at: datetime
    revision: int


class Step(NamedTuple):
    """What some facts did to an asset. `why` is the fact that the news is about; `None`: there is no news."""

    before: Kept | None
    after: Asset
    why: Fact | None

    @property
    def is_small(self) -> bool:
        """Return whether nothing moved but what does so every day, or that it was seen: the most common step by far."""
        if self.before is None or self.after.first_seen_at != self.before.asset.first_seen_at:
            return False
        known, said = self.before.asset.said, self.after.said
        return said is known or _rare(said) == _rare(known)

    @property
    def is_repeat(self) -> bool:
        """Return whether all of it was known: there is nothing to write, not even that it was seen."""
        return (
            self.before is not None
            and self.after.stamps == self.before.asset.stamps
            and self.after.first_seen_at == self.before.asset.first_seen_at
            and self.after.last_seen_at == self.before.asset.last_seen_at
        )


def step(asset_id: UUID, before: Kept | None, facts: Sequence[Fact], *, quiet: timedelta) -> Step:
    """Return what `facts`, at least one, do to an asset. A device that was only seen again is news after `quiet`."""
    after = folded(asset_id, before.asset if before else None, facts)
    return Step(before, after, _why(before, after, facts, quiet))


def is_superseded(fact: Fact, before: Kept | None) -> bool:
    """Return whether everything that `fact` says was known already, from as new a fact or a newer one."""
    if before is None:
        return False
    known = before.asset
    if not known.first_seen_at <= fact.effective_at <= known.last_seen_at:
        return False
    return all(known.stamps.get(field, NEVER) >= fact.stamp for field in fact.said)


def folded(asset_id: UUID, before: Asset | None, facts: Sequence[Fact]) -> Asset:
    """Return the asset after `facts`, at least one, were heard too. Their order and repetition do not matter."""
    said, stamps = _said(before, facts)
    moments = [each.effective_at for each in facts]
    if before is not None:
        moments += (before.first_seen_at, before.last_seen_at)
        if before.retired_at is not None and said["removed_at"] == before.retired_at < max(moments):
            said = {**said, "removed_at": None}  # it reports again: a machine that is there is not hidden
    return Asset(
        asset_id=asset_id,
        source=facts[0].event.source,
        device=facts[0].device,
        said=said,
        stamps=stamps,
        first_seen_at=min(moments),
        last_seen_at=max(moments),
        retired_at=before.retired_at if before else None,
    )


def retired(asset: Asset, at: datetime, decision: Stamp) -> Asset:
    """Return the asset as a person retires it at `at`, which is not before anything that was heard of it.

    It comes back by itself with the first word from later than that, whatever the word is: the retirement keeps its
    place in the order of facts, so a removal by the vendor that came after it counts in whatever order they arrive.
    """
    said: Said = {**asset.said, "removed_at": at}
    return asset._replace(said=said, stamps={**asset.stamps, "removed_at": decision}, retired_at=at)


def _said(before: Asset | None, facts: Sequence[Fact]) -> tuple[Said, Mapping[Field, Stamp]]:
    """Return the newest words and their stamps; the very same words as before where none changed."""
    said = cast("dict[Field, object]", {**before.said} if before else {**dict.fromkeys(FIELDS), "tags": ()})
    stamps = {**before.stamps} if before else {}
    newest = max(stamps.values(), default=NEVER)
    for each in facts:
        if each.stamp > newest:  # the common case: newer than all that is known
            newer, newest = each.said, each.stamp
        else:
            newer = {field: word for field, word in each.said.items() if stamps.get(field, NEVER) < each.stamp}
        stamps.update(dict.fromkeys(newer, each.stamp))
        said.update(newer)
    return (before.said if before and said == before.said else cast("Said", said)), stamps


def _why(before: Kept | None, after: Asset, facts: Sequence[Fact], quiet: timedelta) -> Fact | None:
    """Return the newest fact that changed the record; if it was only seen again, the newest, once `quiet` has passed.

    A removed asset has no news: its record is gone from the topic, and stays so until the device is enrolled again.
    """
    if before is None:
        return max(facts, key=_stamp)
    known = before.asset
    if known.is_removed and after.is_removed:
        return None
    if after.said is not known.said:
        if len(facts) == 1:
            return facts[0]
        newest = max(after.stamps[field] for field in FIELDS if after.said[field] != known.said[field])
        return next((each for each in facts if each.stamp == newest), max(facts, key=_stamp))
    if after.first_seen_at != known.first_seen_at:
        return min(facts, key=_stamp)
    return max(facts, key=_stamp) if after.last_seen_at - before.announced_seen_at >= quiet else None


def _stamp(each: Fact) -> Stamp:
    return each.stamp
