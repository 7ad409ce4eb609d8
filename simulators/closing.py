"""After the day: a technician closes a ticket by hand too early, and one of its devices fails once more."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from contracts import ids
from simulators.deliveries import Delivery
from simulators.fleet import NINJAONE_MAIN, PATCHLINE_SCRIPTS
from simulators.ledger import PATCH_FAILED
from simulators.plan import Plan, delivery_of
from simulators.script import EVENING, Happening, What

LATER: Final = timedelta(minutes=7)
FIRST_NUMBER: Final = 90_000
"""The failure's delivery is numbered beyond all others of the day."""

_WORDS: Final = frozenset({What.INSTALLED, What.FAILED, What.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class Closing:
    """`failure` is what is sent once the ticket of the very device and update is closed by hand."""

    failure: Delivery

    @property
    def happening(self) -> Happening:
        """Return the failure itself."""
        if self.failure.happening is None:
            raise ValueError("the delivery tells of nothing")
        return self.failure.happening

    @property
    def key(self) -> str:
        """Return the key of the ticket that is closed by hand."""
        device, release = self.happening.device, self.happening.release
        if release is None or release.fix_line is None:
            raise ValueError("the failure is of nothing that the catalog knows")
        subject = str(ids.requirement_id(release.fix_line.product, release.fix_line.train))
        return ids.ticket_key(ids.tenant_id(device.client.name), PATCH_FAILED, subject, 1)


def closing(plan: Plan) -> Closing | None:
    """Return whose ticket is closed by hand on this day; `None`: no device fails to the end, so there is none.

    The device fails again after the day's last poll: only its webhook tells of it.
    """
    last: dict[object, Happening] = {}
    for each in plan.day.happenings:
        if each.what in _WORDS:
            last[each.device, each.release] = each
    failing = [
        each
        for each in last.values()
        if each.what is What.FAILED
        and each.told
        and each.device.source in {NINJAONE_MAIN, PATCHLINE_SCRIPTS}
        and each.release is not None
        and each.release.fix_line is not None
    ]
    if not failing:
        return None
    again = replace(failing[0], at=EVENING + LATER)
    return Closing(delivery_of(plan.day, again, FIRST_NUMBER))


def with_failure(plan: Plan, after: Closing) -> Plan:
    """Return the day with the failure that comes after its ticket was closed."""
    day = replace(plan.day, happenings=(*plan.day.happenings, after.happening))
    return replace(plan, day=day, deliveries=(*plan.deliveries, after.failure))
