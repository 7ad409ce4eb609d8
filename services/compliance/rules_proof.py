"""A claim is not a proof: what shows that a release is really there, and since when. Pure.

Three proofs, each of witnesses later than the last listing, failure and removal of the patch:
- by build: a scan that does not list it, and a reading of its build or a newer one;
- by boot: a scan that no longer lists it, and a boot, both after the deployer's claim (or, without one, the listing);
- by a second source: after the claim, another than the deployer saw it gone from its own list, or read the build.
Apart from these a person may attest it: a class of its own, which counts only where no reading proves it.
Which of them count on an operating system, and how many sources must agree, is the policy's to say.
Source: design section 1, promise 4.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from services.compliance.policy import ALL_PROOFS, USUAL_EVIDENCE, EvidenceRule, ProofClass
from services.compliance.rules_case import Case
from services.compliance.rules_views import ReleaseView, Saying

NEVER: Final = datetime.min.replace(tzinfo=UTC)
FOREVER: Final = datetime.max.replace(tzinfo=UTC)


_ATTESTED: Final = ProofClass.ATTESTED
_BUILD: Final = ProofClass.BUILD
_BOOT: Final = ProofClass.BOOT
_SECOND_SOURCE: Final = ProofClass.SECOND_SOURCE
"""Named once: Python 3.11 looks a member of an enum up each time."""


class Proof(NamedTuple):
    """The witnesses that together show it, the moment at which the last of them looked, and what kind they are."""

    at: datetime
    witnesses: tuple[Saying, ...]
    kind: ProofClass


def proofs(case: Case, views: Iterable[ReleaseView]) -> Mapping[str, Proof]:
    """Return the earliest proof of each release that is proven, by itself or by one that supersedes it."""
    rule = case.policy.evidence_on(case.requirement.product.os_family)
    own: dict[str, Sequence[Proof]] = {}
    found: dict[str, Proof] = {}
    for view in views:
        shown = own_proofs(case, view)
        if shown:
            is_usual = rule is USUAL_EVIDENCE or rule == USUAL_EVIDENCE
            own[view.release.name] = [min(shown, key=_words_last)] if is_usual else shown
    if not own:
        return found
    for view in case.views:
        name = view.release.name
        newer = case.requirement.superseders[name]
        together = [proof for other, each in own.items() if other == name or other in newer for proof in each]
        if together and (proof := enough(together, rule)) is not None:
            found[name] = proof
    return found


def enough(shown: Sequence[Proof], rule: EvidenceRule) -> Proof | None:
    """Return the earliest moment at which so many sources as `rule` asks for have shown it by what it accepts.

    A person's word is taken last: whatever is proven by readings alone is never called attested.
    """
    if rule.quorum <= 1 and rule.accepts >= ALL_PROOFS:
        return min(shown, key=_words_last)
    sources: set[str] = set()
    witnesses: list[Saying] = []
    kind: ProofClass | None = None
    at = NEVER
    for proof in sorted((each for each in shown if each.kind in rule.accepts), key=_words_last):
        if sources.issuperset(each.source for each in proof.witnesses):
            continue
        sources |= {each.source for each in proof.witnesses}
        witnesses += [each for each in proof.witnesses if each not in witnesses]
        at, kind = max(at, proof.at), proof.kind
        if len(sources) >= rule.quorum:
            return Proof(at, tuple(witnesses), kind)
    return None


def _words_last(proof: Proof) -> tuple[bool, Proof]:
    return proof.kind is _ATTESTED, proof


def own_proofs(case: Case, view: ReleaseView) -> list[Proof]:
    """Return what proves one release by evidence on it alone."""
    attested = case.attested.get(view.release.name, ())
    if not view.is_evident and not case.readings and not attested:
        return []
    lacking_at = _last(view.listed, view.rolled_back)
    tried_at = max(lacking_at, view.failed.at) if view.failed else lacking_at
    readings = [each for each in case.readings_at_least(view.release) if each.at > lacking_at] if case.readings else []
    shown = [*_by_build(case, view, readings, tried_at)] if readings else []
    if view.is_evident and (view.unlisted or readings or case.signs.polls):
        gone_from, gone_until = tried_at, _explained_from(case, view)
        gone = [scan for scan in view.unlisted if gone_from < scan.at < gone_until]
        polls = [
            poll
            for poll in case.signs.polls
            if gone_from < poll.at < gone_until and poll.source not in view.listing_sources
        ]
        if gone or polls:
            shown += _by_boot(case, view, gone, polls, tried_at=tried_at)
        shown += _by_second_source(view, gone, [each for each in readings if each.at > tried_at])
    return [*shown, *_by_word(case, view, attested, tried_at)] if attested else shown


def _last(one: Saying | None, other: Saying | None) -> datetime:
    if one is None:
        return NEVER if other is None else other.at
    return one.at if other is None else max(one.at, other.at)


def _explained_from(case: Case, view: ReleaseView) -> datetime:
    """Return from when on a list may lack it for another reason: it was rejected, or a newer one is there instead."""
    claim, rejected = view.claim, view.rejected
    moments = [rejected.at] if rejected is not None and (claim is None or claim < rejected) else []
    newer = case.requirement.superseders[view.release.name]
    if newer:
        moments += [each.first_listed_at for each in case.views if each.release.name in newer and each.first_listed_at]
    return min(moments, default=FOREVER)


def _by_word(case: Case, view: ReleaseView, attested: Sequence[Saying], tried_at: datetime) -> Iterator[Proof]:
    """A person's word stands until a list, a failure, a removal or a build below says otherwise."""
    below = case.reading_below(view.release)
    for word in attested:
        if word.at > tried_at and (below is None or below.at < word.at):
            yield Proof(word.at, (word,), _ATTESTED)


def _by_build(case: Case, view: ReleaseView, readings: Sequence[Saying], tried_at: datetime) -> Iterator[Proof]:
    """A failure does not take a build away, so only the scan must be later than one."""
    for scan in (*view.unlisted, *case.signs.first_scans, *case.signs.scans):
        if scan.at > tried_at and (scan.source not in view.listing_sources or scan in view.unlisted):
            yield from _joint(view, scan, readings, _BUILD)


def _by_boot(
    case: Case, view: ReleaseView, gone: Sequence[Saying], polls: Sequence[Saying], *, tried_at: datetime
) -> Iterator[Proof]:
    """What a poll's list does not have tells nothing of a patch that nobody ever spoke of: it needs a claim."""
    below = case.reading_below(view.release)
    from_at = tried_at if below is None else max(tried_at, below.at)
    boots = [boot for boot in case.signs.boots if boot.at > from_at]
    for scan in gone:
        yield from _joint(view, scan, boots, _BOOT)
    for scan in polls:
        yield from _joint(view, scan, boots, _BOOT, needs_claim=True)


def _joint(
    view: ReleaseView, scan: Saying, others: Iterable[Saying], kind: ProofClass, *, needs_claim: bool = False
) -> Iterator[Proof]:
    """Yield the proof that `scan` makes with each of `others`, if every claim made by then was made before both.

    A claim that comes after a whole proof is only repeated, and takes nothing away.
    """
    for other in others:
        first_at, at = (scan.at, other.at) if scan.at < other.at else (other.at, scan.at)
        claims = [claim for claim in view.claims if claim.at < at]
        if claims:
            if claims[-1].at < first_at:
                yield Proof(at, (scan, other), kind)
        elif not needs_claim and view.claims_known_from is None:
            yield Proof(at, (scan, other), kind)


def _by_second_source(view: ReleaseView, gone: Sequence[Saying], readings: Sequence[Saying]) -> Iterator[Proof]:
    for witness in (*gone, *readings):
        deployers = {claim.source for claim in view.claims if claim.at < witness.at}
        if deployers and witness.source not in deployers:
            yield Proof(witness.at, (witness,), _SECOND_SOURCE)
    for scan in gone:
        others = [each for each in gone if each.source != scan.source and each.at <= scan.at]
        if others and not any(claim.at < scan.at for claim in view.claims):
            yield Proof(scan.at, (others[0], scan), _SECOND_SOURCE)
