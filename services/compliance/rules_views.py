"""What all sources say of one release, put together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from services.compliance.catalog.model import Release
from services.compliance.rules_fold import CLAIMS, PatchRegisters, Stamped

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


class ReleaseView(NamedTuple):
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
    listed, unlisted, claims, failures, taken, decisions = [], [], [], [], [], []
    for patch in patches:
        source, kept = patch.source, patch.registers
        if kept.listed is not None:
            listed.append(said(source, kept.listed, f"listed {name}"))
        if kept.unlisted is not None:
            unlisted.append(said(source, kept.unlisted, f"no longer listed {name}"))
        claims += [(said(source, each, f"reported installed {name}"), each.kind == "pending") for each in kept.claims]
        if kept.failed is not None:
            failures.append((said(source, kept.failed, f"failed {name}"), kept.failed.code))
        if kept.rolled_back is not None:
            taken.append(said(source, kept.rolled_back, f"took off {name}"))
        if kept.approval is not None:
            word = "approved" if kept.approval.is_approved else "rejected"
            decisions.append((said(source, kept.approval, word), kept.approval.is_approved))
    claims.sort()
    failed, code = max(failures, default=(None, None))
    decision, is_approved = max(decisions, default=(None, False))
    return ReleaseView(
        release=release,
        listed=max(listed, default=None),
        first_listed_at=_first_listed_at(patches),
        listing_sources=frozenset(each.source for each in patches if each.registers.is_listed),
        unlisted=tuple(sorted(unlisted)),
        claims=tuple(claim for claim, _ in claims),
        claims_known_from=_known_from(patches),
        claim_awaits_boot=bool(claims) and claims[-1][1],
        failed=failed,
        failures=sum(each.registers.attempts_failed for each in patches),
        code=code,
        rolled_back=max(taken, default=None),
        approved=decision if is_approved else None,
        rejected=None if is_approved else decision,
    )


def _first_listed_at(patches: Sequence[SourcePatch]) -> datetime | None:
    first = (each.registers.first_listed for each in patches)
    return min((mark.at for mark in first if mark is not None), default=None)


def _known_from(patches: Sequence[SourcePatch]) -> datetime | None:
    full = (each.registers.claims[0].at for each in patches if len(each.registers.claims) == CLAIMS)
    return max(full, default=None)
