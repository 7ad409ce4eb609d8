"""Registers: what one source has said of a device and of a patch on it, folded so that order does not matter. Pure.

Each register keeps the fact with the largest order key of its kind, or the few largest. An event id is kept as text:
the canonical spelling of a UUID sorts as its bytes do, so this is the one order of facts (contracts/order.py).
"""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeVar
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import Method
from contracts.ids import spelled
from contracts.order import effective_at

WINDOW: Final = 8
"""How many of the newest boots and readings are kept: enough to tell what came between two of them."""

CLAIMS: Final = 16
"""How many of the newest claims: when more came than are kept, a proof older than all of them is forgotten."""


SAME_ATTEMPT: Final = timedelta(minutes=5)
"""How far a webhook and the API may differ about one attempt. Unconfirmed: no vendor says; two attempts are farther."""


class Mark(NamedTuple):
    """When something was so, which fact says it, and how its source knew. Larger wins."""

    at: datetime
    event: str
    method: str


class Claim(NamedTuple):
    """The deployer's word that the patch is on its way: installed, or installed but for a restart."""

    at: datetime
    event: str
    method: str
    kind: Literal["reported", "pending"]


class Failure(NamedTuple):
    """The deployer's word that it is not, with the vendor's result code."""

    at: datetime
    event: str
    method: str
    code: str | None


class Approval(NamedTuple):
    """A person's or a policy's decision."""

    at: datetime
    event: str
    method: str
    is_approved: bool


class Naming(NamedTuple):
    """How the newest fact describes the patch."""

    at: datetime
    event: str
    method: str
    title: str | None
    severity: str


class Reading(NamedTuple):
    """What a device was read to run."""

    at: datetime
    event: str
    method: str
    build: str | None
    version: str | None


class Belonging(NamedTuple):
    """Whose device it is, or which asset's, by the newest fact."""

    at: datetime
    event: str
    method: str
    id: str


Stamped = Mark | Claim | Failure | Approval | Naming | Reading | Belonging
M = TypeVar("M", Mark, Claim, Failure, Approval, Naming, Reading, Belonging)


class PatchRegisters(NamedTuple):
    """What one source has said of one patch on one device.

    `failures` counts distinct facts that were stated, `polled_failures` those found by polling: fold each once. Both
    may tell of the same attempts; the newest moments of each (`stated_at`, `polled_at`) tell which.
    """

    naming: Naming | None = None
    first_listed: Mark | None = None
    listed: Mark | None = None
    unlisted: Mark | None = None
    approval: Approval | None = None
    claims: tuple[Claim, ...] = ()
    failed: Failure | None = None
    failures: int = 0
    polled_failures: int = 0
    rolled_back: Mark | None = None
    stated_at: tuple[Mark, ...] = ()
    polled_at: tuple[Mark, ...] = ()

    @property
    def attempts_failed(self) -> int:
        """Return how often it failed: what was stated, and what only a poll found.

        A polled attempt that is older than all stated moments that are kept, while more were stated, counts as told.
        """
        untold = sum(not self._was_stated(each.at) for each in self.polled_at)
        return max(self.failures + untold, self.polled_failures)

    def _was_stated(self, at: datetime) -> bool:
        if any(abs(each.at - at) <= SAME_ATTEMPT for each in self.stated_at):
            return True
        return self.failures > len(self.stated_at) and (not self.stated_at or at < self.stated_at[0].at)

    @property
    def is_listed(self) -> bool:
        """Return whether this source's newest word is that the patch is missing."""
        return self.listed is not None and (self.unlisted is None or self.unlisted < self.listed)


class DeviceRegisters(NamedTuple):
    """What one source has said of one device. `polled` is the last scan whose whole list was read.

    `tenant` is whose it is by the source's word; `asset` is inventory's word, not the source's.
    """

    tenant: Belonging | None = None
    asset: Belonging | None = None
    first_scanned: Mark | None = None
    scanned: Mark | None = None
    polled: Mark | None = None
    boots: tuple[Mark, ...] = ()
    readings: tuple[Reading, ...] = ()
    pending: Mark | None = None

    @property
    def signs(self) -> tuple[object, ...]:
        """Return what obligations depend on: all but whose it is."""
        return self[2:]


NO_WORD: Final = PatchRegisters()
NO_SIGN: Final = DeviceRegisters()
"""Registers before the first fact."""


def later(kept: M | None, new: M) -> M:
    """Return the one with the larger order key."""
    return new if kept is None or kept[:2] < new[:2] else kept


def earlier(kept: Mark | None, new: Mark) -> Mark:
    """Return the one with the smaller order key."""
    return new if kept is None or new[:2] < kept[:2] else kept


def newest(kept: tuple[M, ...], new: M, most: int = WINDOW) -> tuple[M, ...]:
    """Return the `most` largest, in order; a repeated fact is kept once."""
    if not kept:
        return (new,)
    if any(each.event == new.event for each in kept):
        return kept
    together = list(kept)
    together.append(new)
    together.sort(key=lambda each: each[:2])
    return tuple(together[-most:])


_WORDS: Final = {each: each.value for each in Method}
_POLL: Final = Method.POLL.value
_WEBHOOK: Final = Method.WEBHOOK.value
"""As they are stored and read: writing an enum as JSON takes ten times as long as its word."""


def fold_device(kept: DeviceRegisters, event: Envelope, tenant: UUID) -> DeviceRegisters:
    """Return the device's registers after `event`, which may also be about a patch."""
    told = event.data
    at, id_ = effective_at(event.time, event.received), spelled(event.id)
    method = _WORDS[told.method] if isinstance(told, rmm.RmmEvent) else _WEBHOOK
    owner = later(kept.tenant, Belonging(at, id_, method, spelled(tenant)))
    match told:
        case rmm.PatchDetected() | rmm.PatchNoLongerListed() | rmm.PatchScanCompleted():
            seen = Mark(effective_at(told.scanned_at, event.received), id_, method)
            is_whole = method == _POLL and isinstance(told, rmm.PatchScanCompleted)
            return kept._replace(
                tenant=owner,
                first_scanned=earlier(kept.first_scanned, seen),
                scanned=later(kept.scanned, seen),
                polled=later(kept.polled, seen) if is_whole else kept.polled,
            )
        case rmm.DeviceBooted():
            boots = newest(kept.boots, Mark(effective_at(told.booted_at, event.received), id_, method))
            readings = _read(kept, Reading(at, id_, method, told.os_build, None))
            return kept._replace(tenant=owner, boots=boots, readings=readings)
        case rmm.DeviceSeen() | rmm.DeviceUpdated():
            readings = _read(kept, Reading(at, id_, method, told.facts.os_build, told.facts.os_version))
            return kept._replace(tenant=owner, readings=readings)
        case rmm.PatchRebootPending(patch=None):
            return kept._replace(tenant=owner, pending=later(kept.pending, Mark(at, id_, method)))
        case _:
            return kept._replace(tenant=owner)


def fold_link(kept: DeviceRegisters, event: Envelope, asset_id: str, since: datetime | None = None) -> DeviceRegisters:
    """Return the device's registers after inventory told, in `event`, which asset it is.

    `since` is the merge or unmerge that made it so; without one it always was the asset of its own. A merge is told in
    two events, of which one may come before the device is known: so the asset stands for the event that names it.
    """
    at = effective_at(event.time, event.received) if since is None else since
    return kept._replace(asset=later(kept.asset, Belonging(at, asset_id, "inventory", asset_id)))


def _read(kept: DeviceRegisters, reading: Reading) -> tuple[Reading, ...]:
    """Return the readings with one more, if it tells anything."""
    if reading.build is None and reading.version is None:
        return kept.readings
    return newest(kept.readings, reading)


def fold_patch(kept: PatchRegisters, event: Envelope, ref: rmm.PatchRef) -> PatchRegisters:
    """Return the patch's registers after `event`."""
    told = event.data
    at, id_ = effective_at(event.time, event.received), spelled(event.id)
    method = _WORDS[told.method] if isinstance(told, rmm.RmmEvent) else _WEBHOOK
    naming = _named(kept.naming, Naming(at, id_, method, ref.title, ref.severity))
    match told:
        case rmm.PatchDetected():
            seen = Mark(effective_at(told.scanned_at, event.received), id_, method)
            first_listed = earlier(kept.first_listed, seen)
            return kept._replace(naming=naming, listed=later(kept.listed, seen), first_listed=first_listed)
        case rmm.PatchNoLongerListed():
            seen = Mark(effective_at(told.scanned_at, event.received), id_, method)
            return kept._replace(naming=naming, unlisted=later(kept.unlisted, seen))
        case rmm.PatchApproved() | rmm.PatchRejected():
            approval = Approval(at, id_, method, isinstance(told, rmm.PatchApproved))
            return kept._replace(naming=naming, approval=later(kept.approval, approval))
        case rmm.PatchInstallReported():
            return kept._replace(naming=naming, claims=newest(kept.claims, Claim(at, id_, method, "reported"), CLAIMS))
        case rmm.PatchRebootPending():
            return kept._replace(naming=naming, claims=newest(kept.claims, Claim(at, id_, method, "pending"), CLAIMS))
        case rmm.PatchInstallFailed(code=code):
            return _failed(kept, naming, Failure(at, id_, method, code))
        case rmm.PatchRolledBack():
            return kept._replace(naming=naming, rolled_back=later(kept.rolled_back, Mark(at, id_, method)))
        case _:
            return kept._replace(naming=naming)


def _failed(kept: PatchRegisters, naming: Naming, new: Failure) -> PatchRegisters:
    """Return the registers with one more failure, counted where it was said or where it was found by polling."""
    failed, mark = later(kept.failed, new), Mark(new.at, new.event, new.method)
    if new.method == _POLL:
        count, polled_at = kept.polled_failures + 1, newest(kept.polled_at, mark)
        return kept._replace(naming=naming, failed=failed, polled_failures=count, polled_at=polled_at)
    count, stated_at = kept.failures + 1, newest(kept.stated_at, mark)
    return kept._replace(naming=naming, failed=failed, failures=count, stated_at=stated_at)


def _named(kept: Naming | None, new: Naming) -> Naming:
    """Return the newest description; one that has a title is better than any that has none."""
    if kept is None:
        return new
    if (new.title is None) != (kept.title is None):
        return kept if new.title is None else new
    return later(kept, new)
