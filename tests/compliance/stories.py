"""Stories of one server and one update, told in the RMM's events, and what the rules make of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import Method, OsFamily, Severity, Tier
from services.compliance.catalog.model import Product, Reads, Release, Requirement, Selector, requirement
from services.compliance.policy import DEFAULT_1, Policy
from services.compliance.rules import Decision, decide
from services.compliance.rules_case import AssetView, Basis, Case, Signs, SourceDevice
from services.compliance.rules_fold import NO_SIGN, NO_WORD, DeviceRegisters, PatchRegisters, fold_device, fold_patch
from services.compliance.rules_names import patch_of
from services.compliance.rules_views import SourcePatch
from tests.builders import ACME, of_device

A, B = "rmm/ninjaone/main", "rmm/patchline/scanner"
DECEMBER_AT = datetime(2024, 12, 10, 18, tzinfo=UTC)
JANUARY_AT = datetime(2025, 1, 14, 18, tzinfo=UTC)
T0 = JANUARY_AT + timedelta(hours=2)
ENROLLED = datetime(2024, 6, 1, tzinfo=UTC)
OLD, DEC_BUILD, JAN_BUILD = "20348.2849", "20348.2966", "20348.3091"
DEC, JAN = "5048654", "5049983"

SERVER_2022 = Product(
    name="Windows Server 2022",
    os_family=OsFamily.WINDOWS,
    reads=Reads.BUILD,
    line="20348",
    selectors=(Selector(build="20348"),),
)


def release(
    name: str,
    released_at: datetime,
    *,
    fixed: str | None = None,
    supersedes: Iterable[str] = (),
    severity: Severity = Severity.CRITICAL,
    reboot: bool = True,
) -> Release:
    numbers = tuple(int(part) for part in fixed.split(".")) if fixed else None
    return Release(
        name=name,
        released_at=released_at,
        catalogued_at=released_at,
        severity=severity,
        fixed=numbers,
        reboot=reboot,
        supersedes=frozenset(supersedes),
    )


DECEMBER = release(DEC, DECEMBER_AT, fixed=DEC_BUILD)
JANUARY = release(JAN, JANUARY_AT, fixed=JAN_BUILD, supersedes=[DEC])


def needed(*releases: Release, product: Product = SERVER_2022, train: str = "cumulative") -> Requirement:
    return requirement(ids.requirement_id(product.name, train), product, train, releases)


CUMULATIVE = needed(DECEMBER, JANUARY)
APP = Product(name="Example Reader", os_family=OsFamily.WINDOWS)
APP_UPDATE = needed(release("4.2", JANUARY_AT, severity=Severity.HIGH, reboot=False), product=APP, train="stable")


def hour(number: float) -> datetime:
    """Return so many hours after the January release was seen by anyone."""
    return T0 + timedelta(hours=number)


def ref(patch: str = JAN) -> rmm.PatchRef:
    return rmm.PatchRef(patch=f"KB{patch}", kb=patch) if patch.isdigit() else rmm.PatchRef(patch=patch)


def listed(at: float, patch: str = JAN, *, source: str = A, method: Method = Method.POLL) -> Envelope:
    told = rmm.PatchDetected(device="dc01", patch=ref(patch), scanned_at=hour(at), method=method)
    return of_device(told, at=hour(at), source=source)


def gone(at: float, patch: str = JAN, *, source: str = A) -> Envelope:
    told = rmm.PatchNoLongerListed(device="dc01", patch=ref(patch), scanned_at=hour(at), method=Method.POLL)
    return of_device(told, at=hour(at), source=source)


def scanned(at: float, *, source: str = A, method: Method = Method.WEBHOOK) -> Envelope:
    return of_device(
        rmm.PatchScanCompleted(device="dc01", scanned_at=hour(at), method=method), at=hour(at), source=source
    )


def reported(at: float, patch: str = JAN, *, source: str = A) -> Envelope:
    return of_device(rmm.PatchInstallReported(device="dc01", patch=ref(patch)), at=hour(at), source=source)


def failed(
    at: float,
    patch: str = JAN,
    *,
    source: str = A,
    code: str | None = "0x800f0922",
    method: Method = Method.WEBHOOK,
) -> Envelope:
    told = rmm.PatchInstallFailed(device="dc01", patch=ref(patch), code=code, method=method)
    return of_device(told, at=hour(at), source=source)


def taken_off(at: float, patch: str = JAN, *, source: str = A) -> Envelope:
    return of_device(rmm.PatchRolledBack(device="dc01", patch=ref(patch)), at=hour(at), source=source)


def approved(at: float, patch: str = JAN) -> Envelope:
    return of_device(rmm.PatchApproved(device="dc01", patch=ref(patch)), at=hour(at), source=A)


def rejected(at: float, patch: str = JAN) -> Envelope:
    return of_device(rmm.PatchRejected(device="dc01", patch=ref(patch)), at=hour(at), source=A)


def booted(at: float, build: str | None = None, *, source: str = A) -> Envelope:
    return of_device(rmm.DeviceBooted(device="dc01", booted_at=hour(at), os_build=build), at=hour(at), source=source)


def read(at: float, build: str, *, source: str = A, version: str | None = None) -> Envelope:
    facts = rmm.DeviceFacts(os_build=build, os_version=version)
    return of_device(rmm.DeviceUpdated(device="dc01", facts=facts, method=Method.POLL), at=hour(at), source=source)


def restart_pending(at: float, patch: str | None = None) -> Envelope:
    told = rmm.PatchRebootPending(device="dc01", patch=ref(patch) if patch else None)
    return of_device(told, at=hour(at), source=A)


def folded(events: Iterable[Envelope]) -> tuple[list[SourceDevice], list[SourcePatch]]:
    """Return the registers of each source, each event folded once."""
    devices: dict[str, DeviceRegisters] = {}
    patches: dict[tuple[str, str], PatchRegisters] = {}
    for event in {each.id: each for each in events}.values():
        devices[event.source] = fold_device(devices.get(event.source, NO_SIGN), event, ACME)
        assert isinstance(event.data, rmm.RmmEvent)
        about = patch_of(event.data)
        if about is not None:
            key = event.source, about.kb or about.patch
            patches[key] = fold_patch(patches.get(key, NO_WORD), event, about)
    return (
        [SourceDevice(source, registers) for source, registers in devices.items()],
        [SourcePatch(source, patch, registers) for (source, patch), registers in patches.items()],
    )


def judged(
    *events: Envelope,
    now: float = 10,
    of: Requirement = CUMULATIVE,
    tier: Tier = Tier.SERVER,
    product: str | None = SERVER_2022.name,
    removed_at: datetime | None = None,
    policy: Policy = DEFAULT_1,
    zone: tzinfo = UTC,
) -> Decision:
    """Return what the rules make of the story so many hours after the January release was seen."""
    asset = AssetView(tier=tier, first_seen_at=ENROLLED, removed_at=removed_at, product=product)
    return judged_by(*events, basis=Basis(policy, zone), at=hour(now), of=of, asset=asset)


A_SERVER = AssetView(tier=Tier.SERVER, first_seen_at=ENROLLED, product=SERVER_2022.name)


def judged_by(
    *events: Envelope, basis: Basis, at: datetime, of: Requirement = CUMULATIVE, asset: AssetView = A_SERVER
) -> Decision:
    """Return what the rules make of the story at a moment, by whatever else is known."""
    devices, patches = folded(events)
    return decide(Case(asset=asset, requirement=of, basis=basis, signs=Signs(devices), patches=patches), at)


Story = Sequence[Envelope]


LIST_IT = listed(0)
