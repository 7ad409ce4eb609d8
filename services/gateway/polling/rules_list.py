"""How one device's list of missing patches differs from the one before. Pure.

NinjaOne takes a patch off the list when it *tries* it, whatever comes of it. So what is no longer listed is gone only
at a scan later than the last known one, if no attempt to install it failed since, and none is newer than that scan. An
attempt stands for a listing that we missed: a failed one says that the patch is missing, an installed one that it was.
What is listed still after an attempt that is said to have installed it is told as listed again: that contradicts it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, assert_never

from contracts.events.rmm import PatchRef
from services.gateway.polling.rules_collect import DeviceReading, Listed, PatchList
from services.gateway.polling.rules_snapshot import NEVER_EQUAL, Facts, Snapshot, digest_of
from services.gateway.vendors.ninjaone_reading import Scan
from services.gateway.vendors.ninjaone_rows import APPROVED, FAILED, INSTALLED, REJECTED, AttemptRow, ListKind

HEARTBEAT: Final = timedelta(hours=12)
"""A list that stays the same is worth saying so often: that it was looked at is a fact too."""

Attempts = Mapping[str, AttemptRow]
"""The newest attempt of each patch."""


@dataclass(frozen=True, slots=True)
class ListChange:
    """What becomes of one list: its snapshot, its scan if a later one is known, what was approved and rejected."""

    snapshot: Snapshot
    scan: Scan | None
    approved: tuple[PatchRef, ...]
    rejected: tuple[PatchRef, ...]


class Verdict(Enum):
    """What is to be thought of a patch that is not listed."""

    GONE = auto()
    STILL_MISSING = auto()
    NOT_YET_KNOWN = auto()


def verdict(before: Listed | None, attempt: AttemptRow | None, scanned_at: datetime | None) -> Verdict:
    """Return whether a patch that is not on the list is missing no more. `scanned_at`: `None` without a later scan."""
    if attempt is not None and attempt.outcome == FAILED:
        return Verdict.STILL_MISSING
    if attempt is None and before is not None and before.status == FAILED:
        return Verdict.STILL_MISSING  # the failed attempt is older than what we asked for, and none came since
    if scanned_at is None or (attempt is not None and attempt.at >= scanned_at):
        return Verdict.NOT_YET_KNOWN
    return Verdict.GONE


def newest_attempts(kind: ListKind, attempts: Iterable[AttemptRow]) -> dict[str, AttemptRow]:
    """Return the newest attempt of each patch of one kind of list; of two at once the installed one."""
    newest: dict[str, AttemptRow] = {}
    for each in attempts:
        standing = newest.get(each.patch.patch)
        rank = (each.at, each.outcome == INSTALLED)
        if each.kind == kind and (standing is None or rank >= (standing.at, standing.outcome == INSTALLED)):
            newest[each.patch.patch] = each
    return newest


def list_digest(kind: ListKind, reading: DeviceReading) -> bytes:
    """Return what tells two readings of one list apart, the moment of the scan aside."""
    listed = {patch: each.status for patch, each in reading.lists[kind].by_patch.items()}
    newest = newest_attempts(kind, reading.attempts)
    tried = {patch: [each.outcome, each.at.isoformat()] for patch, each in newest.items()}
    return digest_of({"listed": listed, "tried": tried})


def is_worth_telling(now: PatchList, collected_at: datetime | None, scanned_at: datetime) -> bool:
    """Return whether an unchanged list was scanned again, as far as its rows say, or not spoken of for long."""
    if now.rows_at is not None and now.rows_at > scanned_at:
        return True
    return collected_at is not None and collected_at - scanned_at >= HEARTBEAT


def scan_moment(rows_at: datetime | None, collected_at: datetime | None, before: datetime | None) -> datetime | None:
    """Return when the list was last scanned, if that is later than `before`; `None` if nothing says so.

    The rows' own moment where they have a later one; else when the device last sent anything: an empty list has no row.
    """
    for at in (rows_at, collected_at):
        if at is not None and (before is None or at > before):
            return at
    return None


def list_change(kind: ListKind, before: Snapshot | None, reading: DeviceReading) -> ListChange:
    """Return what becomes of the list of this kind."""
    now = reading.lists[kind]
    old = _kept_before(before)
    newest = newest_attempts(kind, reading.attempts)
    scanned_before = before.scanned_at if before else None
    at = scan_moment(now.rows_at, reading.row.collected_at, scanned_before)
    verdicts = _verdicts(old, now, newest, at)
    again = _listed_again(old, now, newest) if at is not None else {}
    kept = _kept(old, now, newest, verdicts, knows_scan=at is not None)
    appeared = tuple(
        each.patch
        for patch, each in kept.listed.items()
        if each.is_missing and (patch not in old.listed or patch in again)
    )
    gone = tuple(
        old.listed[patch].patch if patch in old.listed else newest[patch].patch
        for patch, each in verdicts.items()
        if each is Verdict.GONE
    )
    scan = None
    if at is not None and (gone or appeared or scanned_before is None or is_worth_telling(now, at, scanned_before)):
        missing = sum(each.is_missing for each in kept.listed.values())
        scan = Scan(kind=kind, scanned_at=at, listed=missing, appeared=appeared, gone=gone)
    settled = at is not None and now.is_whole and Verdict.NOT_YET_KNOWN not in verdicts.values()
    digest = list_digest(kind, reading) if settled else NEVER_EQUAL
    scanned_at = scan.scanned_at if scan else scanned_before
    return ListChange(
        Snapshot(kind, reading.row.device, digest, scanned_at, _facts(kept, again)),
        scan,
        approved=_decided(APPROVED, old, kept),
        rejected=_decided(REJECTED, old, kept),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered of a list: its patches, and after which attempt the fate of one was told, to tell it once."""

    listed: Mapping[str, Listed]
    told_by: Mapping[str, str]


def _verdicts(old: _Kept, now: PatchList, newest: Attempts, at: datetime | None) -> dict[str, Verdict]:
    """Return what is to be thought of each patch that is not listed but was, or was tried."""
    tried = {patch for patch, each in newest.items() if old.told_by.get(patch) != each.at.isoformat()}
    return {
        patch: verdict(old.listed.get(patch), newest.get(patch), at if now.is_whole else None)
        for patch in sorted((old.listed.keys() | tried) - now.by_patch.keys())
    }


def _listed_again(old: _Kept, now: PatchList, newest: Attempts) -> dict[str, str]:
    """Return what a row newer than an attempt that is said to have installed it still lists, with that attempt."""
    return {
        patch: attempt.at.isoformat()
        for patch, each in now.by_patch.items()
        if (attempt := newest.get(patch)) is not None
        and attempt.outcome == INSTALLED
        and each.at is not None
        and each.at > attempt.at
        and old.told_by.get(patch) != attempt.at.isoformat()
    }


def _kept(old: _Kept, now: PatchList, newest: Attempts, verdicts: Mapping[str, Verdict], *, knows_scan: bool) -> _Kept:
    listed = {patch: each for patch, each in now.by_patch.items() if knows_scan or patch in old.listed}
    told_by = {patch: by for patch, by in old.told_by.items() if patch in newest}
    for patch, each in verdicts.items():
        attempt = newest.get(patch)
        standing = old.listed.get(patch) or Listed(newest[patch].patch, newest[patch].outcome)
        match each:
            case Verdict.GONE:
                told_by |= {patch: attempt.at.isoformat()} if attempt else {}
            case Verdict.STILL_MISSING:
                listed[patch] = Listed(standing.patch, FAILED)
            case Verdict.NOT_YET_KNOWN:
                listed[patch] = standing
            case _:
                assert_never(each)
    return _Kept(listed, told_by)


def _decided(status: str, old: _Kept, kept: _Kept) -> tuple[PatchRef, ...]:
    """Return what has this status now and had it not."""
    return tuple(
        each.patch
        for patch, each in kept.listed.items()
        if each.status == status and (patch not in old.listed or old.listed[patch].status != status)
    )


def _kept_before(before: Snapshot | None) -> _Kept:
    facts = before.facts if before else {"listed": {}, "told_by": {}}
    listed = {patch: Listed(PatchRef.model_validate(ref), status) for patch, (status, ref) in facts["listed"].items()}
    return _Kept(listed, facts["told_by"])


def _facts(kept: _Kept, again: Mapping[str, str]) -> Facts:
    refs = {patch: [each.status, each.patch.model_dump(mode="json")] for patch, each in kept.listed.items()}
    return {"listed": refs, "told_by": {**kept.told_by, **again}}
