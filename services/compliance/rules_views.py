"""What all sources say of one release, put together. Pure."""

from collections.abc import Sequence
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


class SourcePatch(NamedTuple):
    """One source's registers of a patch that is `release`."""

    source: str
    release: str
    registers: PatchRegisters


NO_SOURCE: Final[frozenset[str]] = frozenset()


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
        return bool(
            self.listed
            or self.unlisted
            or self.claims
            or self.failed
            or self.rolled_back
            or self.approved
            or self.rejected
        )

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
        if not self.claims:
            return None
        claim = self.claims[-1]
        if self.has_failed or (self.rolled_back is not None and claim < self.rolled_back):
            return None
        return claim

    @property
    def taken_off(self) -> Saying | None:
        """Return the word that it was taken off, if it is the last word and no failure stands."""
        return None if self.rolled_back is None or self.has_failed or self.standing_claim else self.rolled_back

    @property
    def absent(self) -> Saying | None:
        """Return the scan that no longer listed it, if none has listed it since."""
        last = self.unlisted[-1] if self.unlisted else None
        return last if last and (self.listed is None or self.listed.at < last.at) else None


def release_view(release: Release, patches: Sequence[SourcePatch]) -> ReleaseView:
    """Return what `patches`, all of this release, say together."""
    if not patches:
        return ReleaseView(release)
    return _of_one(release, patches[0]) if len(patches) == 1 else _of_many(release, patches)


def _of_many(release: Release, patches: Sequence[SourcePatch]) -> ReleaseView:
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


def _of_one(release: Release, patch: SourcePatch) -> ReleaseView:
    """Return the same of one source, as most machines have: there is nothing to put in order."""
    source, _, kept = patch
    name, approval, failed, listed, claims = release.name, kept.approval, kept.failed, kept.listed, kept.claims
    reported = f"reported installed {name}"
    decision = said(source, approval, "approved" if approval.is_approved else "rejected") if approval else None
    is_approved = approval is not None and approval.is_approved
    return ReleaseView(
        release,
        said(source, listed, f"listed {name}") if listed else None,
        kept.first_listed.at if kept.first_listed else None,
        frozenset((source,)) if kept.is_listed else NO_SOURCE,
        (said(source, kept.unlisted, f"no longer listed {name}"),) if kept.unlisted else (),
        tuple([said(source, each, reported) for each in claims]) if claims else (),
        claims[0].at if len(claims) == CLAIMS else None,
        bool(claims) and claims[-1].kind == "pending",
        said(source, failed, f"failed {name}") if failed else None,
        kept.attempts_failed if kept.failures or kept.polled_failures or kept.polled_at else 0,
        failed.code if failed else None,
        said(source, kept.rolled_back, f"took off {name}") if kept.rolled_back else None,
        decision if is_approved else None,
        None if is_approved else decision,
    )


def _first_listed_at(patches: Sequence[SourcePatch]) -> datetime | None:
    first = (each.registers.first_listed for each in patches)
    return min((mark.at for mark in first if mark is not None), default=None)


def _known_from(patches: Sequence[SourcePatch]) -> datetime | None:
    full = (each.registers.claims[0].at for each in patches if len(each.registers.claims) == CLAIMS)
    return max(full, default=None)
