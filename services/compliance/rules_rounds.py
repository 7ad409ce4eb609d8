"""In how many rounds a batch is decided, so that a failure is not swallowed by what came after it. Pure.

Folding a batch decides where everything stands at its end. A failure that is followed by a success in the same batch
would never be told, though it would have been, had the two come in batches of their own: and how records fall into
batches is chance. So a round ends, for its device, where a failure is followed by something that may end it. Failures
in a row need no round each: they are counted.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from contracts.events import rmm
from services.compliance.news import FactNews

MOST: Final = 8
"""A device that fails and succeeds in turns for a whole batch costs no more rounds than this; every fact is folded."""

ENDING: Final = (
    rmm.PatchInstallReported,
    rmm.PatchRebootPending,
    rmm.PatchNoLongerListed,
    rmm.PatchScanCompleted,
    rmm.DeviceBooted,
    rmm.DeviceSeen,
    rmm.DeviceUpdated,
)
"""What may end a failure: a claim, or any part of a proof."""


def rounds(facts: Sequence[FactNews]) -> list[list[FactNews]]:
    """Return the facts, in the order of acceptance, in as few rounds as it takes; at least one, which may be empty."""
    found: list[list[FactNews]] = [[]]
    round_of: dict[UUID, int] = {}
    failing: set[UUID] = set()
    for fact in facts:
        device_id = fact.device_id
        number = round_of.get(device_id, 0)
        if device_id in failing and isinstance(fact.told, ENDING) and number + 1 < MOST:
            failing.discard(device_id)
            number = round_of[device_id] = number + 1
        if number == len(found):
            found.append([])
        found[number].append(fact)
        if isinstance(fact.told, rmm.PatchInstallFailed):
            failing.add(device_id)
    return found
