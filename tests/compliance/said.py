"""What the handler's tests have told of the reader and of its machines."""

from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import Tier
from tests.builders import of_device
from tests.compliance.house import asset_changed
from tests.compliance.stories import (
    A,
    booted,
    gone,
    hour,
    listed,
    reported,
)

PROVEN = (listed(0), reported(1), booted(2), gone(3))
READER = rmm.PatchRef(patch="7.4.2", product="Brightwater Dispatch", title="Brightwater Dispatch Client 7.4.2")


def reader_failed(at: float, code: str = "1603") -> Envelope:
    return of_device(rmm.PatchInstallFailed(device="dc01", patch=READER, code=code), at=hour(at), source=A)


def reader_reported(at: float) -> Envelope:
    return of_device(rmm.PatchInstallReported(device="dc01", patch=READER), at=hour(at), source=A)


def windows_11(build: str, *, sequence: int = 1) -> Envelope:
    return asset_changed(build=build, sequence=sequence, os_name="Windows 11 Pro", tier=Tier.WORKSTATION)
