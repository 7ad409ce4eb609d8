"""The loops of the monitors: machines that are looked at, sources that are listened to, windows that are judged."""

from chassis.platform import Platform
from services.compliance.loops import Loop
from services.compliance.monitors.agreements import Agreements
from services.compliance.monitors.looks import Looks
from services.compliance.monitors.passing import Passing
from services.compliance.monitors.silence import Silence
from services.compliance.policies.store_policies import PolicyShelf


def monitors(on: Platform, policies: PolicyShelf) -> list[Loop]:
    """Return the loops. With nothing to do each is a few small queries a second."""
    agreements = Agreements(policies)
    return [
        Loop("monitors", Looks(on, agreements).look, on.progress, seconds=1),
        Loop("silence", Silence(on, agreements).listen, on.progress, seconds=1),
        Loop("windows", Passing(on, agreements).judge, on.progress, seconds=1),
    ]
