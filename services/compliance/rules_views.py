"""What all sources say of one release, put together. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from services.compliance.catalog.model import Release
from services.compliance.rules_fold import WINDOW, PatchRegisters, Stamped

LONGEST_SAW: Final = 300


class Saying(NamedTuple):
    """A witness's word: when it was so, the fact that says it, who, how, and what they saw. Sorts as facts do."""

    at: datetime
    event: str
    source: str
    method: str
    saw: str


def said(source: str, mark: Stamped, saw: str) -> Saying:
    """Return a register of `source` as a witness's word."""
    return Saying(mark.at, mark.event, source, mark.method, saw[:LONGEST_SAW])


@dataclass(frozen=True, slots=True)
class SourcePatch:
    """One source's registers of a patch that is `release`."""

    source: str
    release: str
    registers: PatchRegisters


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """What all sources say of one release: the newest of each kind; `unlisted` and `claims` in order.

    `claims_known_from` is set where older claims may have been forgotten: of the time before, nothing is known.
    `claim_awaits_boot`: the last claim itself says that a restart is due.
    """

    release: Release
    listed: Saying | None = None
    first_listed_at: datetime | None = None
    listing_sources: frozenset[str] = frozenset()
    unlisted: tuple[Saying, ...] = ()
    claims: tuple[Saying, ...] = ()
    claims_known_from: datetime | None = None
    claim_awaits_boot: bool = False
    failed: Saying | None = None
    failures: int = 0
    code: str | None = None
    rolled_back: Saying | None = None
    approved: Saying | None = None
    rejected: Saying | None = None

    @property
    def is_evident(self) -> bool:
        """Return whether anything at all was said of it."""
        return bool(self.listed or self.unlisted or self.is_worded or self.approved or self.rejected)

    @property
    def is_worded(self) -> bool:
        """Return whether a deployer had a word on it."""
        return bool(self.claims or self.failed or self.rolled_back)

    @property
    def claim(self) -> Saying | None:
        """Return the last claim."""
        return self.claims[-1] if self.claims else None

    @property
    def has_failed(self) -> bool:
        """Return whether a failure is later than every claim. That it was taken off afterwards heals nothing."""
        return self.failed is not None and (self.claim is None or self.claim < self.failed)

    @property
    def standing_claim(self) -> Saying | None:
        """Return the last claim, unless the patch failed or was taken off since."""
        claim = self.claim
        if claim is None or self.has_failed or (self.rolled_back is not None and claim < self.rolled_back):
            return None
        return claim

    @property
    def taken_off(self) -> Saying | None:
        """Return the word that it was taken off, if it is the last word and no failure stands."""
        return None if self.has_failed or self.standing_claim else self.rolled_back

    @property
    def absent(self) -> Saying | None:
        """Return the scan that no longer listed it, if none has listed it since."""
        last = self.unlisted[-1] if self.unlisted else None
        return last if last and (self.listed is None or self.listed.at < last.at) else None


def release_view(release: Release, patches: Sequence[SourcePatch]) -> ReleaseView:
    """Return what `patches`, all of this release, say together."""
    if not patches:
        return ReleaseView(release=release)
    name = release.name
    firsts = _sayings(patches, lambda kept: (kept.first_listed,), f"listed {name}")
    failures = [
        (said(each.source, failure, f"failed {name}"), failure.code)
        for each in patches
        if (failure := each.registers.failed)
    ]
    failed, code = max(failures, default=(None, None))
    decisions = [
        (said(each.source, given, "approved" if given.is_approved else "rejected"), given.is_approved)
        for each in patches
        if (given := each.registers.approval)
    ]
    decision, is_approved = max(decisions, default=(None, False))
    return ReleaseView(
        release=release,
        listed=_last(_sayings(patches, lambda kept: (kept.listed,), f"listed {name}")),
        first_listed_at=firsts[0].at if firsts else None,
        listing_sources=frozenset(each.source for each in patches if each.registers.is_listed),
        unlisted=_sayings(patches, lambda kept: (kept.unlisted,), f"no longer listed {name}"),
        claims=_sayings(patches, lambda kept: kept.claims, f"reported installed {name}"),
        claims_known_from=_known_from(patches),
        claim_awaits_boot=_awaits_boot(patches),
        failed=failed,
        failures=sum(each.registers.failures for each in patches),
        code=code,
        rolled_back=_last(_sayings(patches, lambda kept: (kept.rolled_back,), f"took off {name}")),
        approved=decision if is_approved else None,
        rejected=None if is_approved else decision,
    )


def _sayings(
    patches: Sequence[SourcePatch], kept: Callable[[PatchRegisters], Iterable[Stamped | None]], saw: str
) -> tuple[Saying, ...]:
    marks = ((each.source, mark) for each in patches for mark in kept(each.registers))
    return tuple(sorted(said(source, mark, saw) for source, mark in marks if mark is not None))


def _last(sayings: Sequence[Saying]) -> Saying | None:
    return sayings[-1] if sayings else None


def _awaits_boot(patches: Sequence[SourcePatch]) -> bool:
    claims = (claim for each in patches for claim in each.registers.claims)
    return max(((claim.at, claim.event, claim.kind == "pending") for claim in claims), default=(None, "", False))[2]


def _known_from(patches: Sequence[SourcePatch]) -> datetime | None:
    full = (each.registers.claims[0].at for each in patches if len(each.registers.claims) == WINDOW)
    return max(full, default=None)
