"""What an RMM says about a device. Producer: gateway; consumers: inventory, compliance. Topic: `rmm.events`."""

from typing import ClassVar

from pydantic import Field

from contracts.events.event import Confidence, Event, Method, Moment, Name, OsFamily, Severity, Text, Tier, Value


class RmmEvent(Event):
    """Every RMM event names its device and how the source knows. The tenant is the envelope's, not the vendor's."""

    device: Name
    organisation: Name | None = None
    site: Name | None = None
    method: Method = Method.WEBHOOK
    confidence: Confidence = Confidence.STATED


class DeviceFacts(Value):
    """What is known of a device; `None` means that this event does not say."""

    hostname: Name | None = None
    os_family: OsFamily | None = None
    os_name: Name | None = None
    os_version: Name | None = None
    os_build: Name | None = None
    tier: Tier | None = None
    owner: Name | None = None
    location: Name | None = None
    serial: Name | None = None
    ephi: bool | None = None
    tags: tuple[Name, ...] | None = None


class DeviceSeen(RmmEvent):
    """A device is enrolled, or was approved."""

    TYPE: ClassVar[str] = "device.seen.v1"
    facts: DeviceFacts = DeviceFacts()


class DeviceUpdated(RmmEvent):
    """Something about a device changed; only the facts that are given changed."""

    TYPE: ClassVar[str] = "device.updated.v1"
    facts: DeviceFacts = DeviceFacts()


class DeviceRemoved(RmmEvent):
    """The vendor deleted, rejected or unregistered the device. Absence from a listing is not this."""

    TYPE: ClassVar[str] = "device.removed.v1"
    reason: Name


class DeviceOnline(RmmEvent):
    """The device's agent answered again."""

    TYPE: ClassVar[str] = "device.online.v1"


class DeviceOffline(RmmEvent):
    """The device's agent stopped answering."""

    TYPE: ClassVar[str] = "device.offline.v1"


class DeviceBooted(RmmEvent):
    """The device started; a reading of its build after the start, where the source has one."""

    TYPE: ClassVar[str] = "device.booted.v1"
    booted_at: Moment
    os_build: Name | None = None


class Application(Value):
    """Something installed on a device, as its source lists it. `origin` is what keeps it there: `deb`, `registry`."""

    name: Name
    version: Name | None = None
    publisher: Name | None = None
    architecture: Name | None = None
    origin: Name | None = None


class ApplicationsListed(RmmEvent):
    """The device's applications were read. What a `complete` listing does not have is gone; any other only adds.

    A long listing travels in parts: events of one `listing`, to be taken together.
    """

    TYPE: ClassVar[str] = "device.applications_listed.v1"
    listing: Name
    complete: bool
    applications: tuple[Application, ...] = ()


class PatchRef(Value):
    """How the vendor names a patch. `patch` is the vendor's own id; a KB number is digits only, without the prefix."""

    patch: Name
    kb: str | None = Field(default=None, pattern=r"^[0-9]{5,9}$")
    product: Name | None = None
    title: Text | None = None
    severity: Severity = Severity.UNKNOWN


class PatchScanCompleted(RmmEvent):
    """The agent finished looking for missing patches. `listed` is how many it found, where the source says."""

    TYPE: ClassVar[str] = "patch.scan_completed.v1"
    scanned_at: Moment
    listed: int | None = Field(default=None, ge=0)


class PatchDetected(RmmEvent):
    """A scan lists the patch as missing."""

    TYPE: ClassVar[str] = "patch.detected.v1"
    patch: PatchRef
    scanned_at: Moment


class PatchNoLongerListed(RmmEvent):
    """A scan no longer lists a patch that an earlier scan listed. Half of a proof; never the deployer's word."""

    TYPE: ClassVar[str] = "patch.no_longer_listed.v1"
    patch: PatchRef
    scanned_at: Moment


class PatchApproved(RmmEvent):
    """A person or a policy approved the patch for the device."""

    TYPE: ClassVar[str] = "patch.approved.v1"
    patch: PatchRef


class PatchRejected(RmmEvent):
    """A person or a policy rejected the patch. The obligation stays: a rejection is no exception."""

    TYPE: ClassVar[str] = "patch.rejected.v1"
    patch: PatchRef


class PatchInstallReported(RmmEvent):
    """The deployer says that it installed the patch: a claim, never a proof."""

    TYPE: ClassVar[str] = "patch.install_reported.v1"
    patch: PatchRef


class PatchInstallFailed(RmmEvent):
    """The deployer says that the installation failed. `code` is the vendor's result code, verbatim."""

    TYPE: ClassVar[str] = "patch.install_failed.v1"
    patch: PatchRef
    code: Name | None = None


class PatchRolledBack(RmmEvent):
    """An installed patch was taken off again."""

    TYPE: ClassVar[str] = "patch.rolled_back.v1"
    patch: PatchRef


class PatchRebootPending(RmmEvent):
    """The device must restart before patches take effect. `patch` is `None` where the source names only the device."""

    TYPE: ClassVar[str] = "patch.reboot_pending.v1"
    patch: PatchRef | None = None
    reason: Name | None = None


class RebootNotified(RmmEvent):
    """The user was told that the device is to restart; `restarts_at` is by when at the latest, where they were told."""

    TYPE: ClassVar[str] = "reboot.notified.v1"
    restarts_at: Moment | None = None


class RebootDeferred(RmmEvent):
    """The user put the restart off, until `until` where the source says."""

    TYPE: ClassVar[str] = "reboot.deferred.v1"
    until: Moment | None = None


class RebootConsented(RmmEvent):
    """Somebody agreed that the device restarts: its user, or (`approved`) whoever may approve it for the client."""

    TYPE: ClassVar[str] = "reboot.consented.v1"
    by: Name | None = None
    approved: bool = False


class AlertRaised(RmmEvent):
    """A monitor's condition became true. `alert` ties it to its reset."""

    TYPE: ClassVar[str] = "alert.raised.v1"
    alert: Name
    kind: Name
    severity: Severity = Severity.UNKNOWN


class AlertReset(RmmEvent):
    """A monitor's condition is no longer true."""

    TYPE: ClassVar[str] = "alert.reset.v1"
    alert: Name
    kind: Name
