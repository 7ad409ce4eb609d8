"""How fast each client's acts follow one another: one that storms leaves the tracker to the others now and then.

So does bulk to what is live, where cores are scarce.
"""

import math
import time
from collections import deque
from collections.abc import Collection, Mapping
from uuid import UUID

from chassis.cores import Cores
from services.ticketing import rules_effects


class Pace:
    """Remembers whose the last turns were, and who rests until when."""

    def __init__(self, cores: Cores) -> None:
        """Start with nobody having had a turn; where `cores` are scarce, who storms rests longer."""
        self._cores = cores
        self._lately: deque[UUID] = deque(maxlen=rules_effects.LATELY)
        self._crowds: Collection[UUID] = ()
        self._rests_until: dict[UUID, float] = {}
        self._ended_at: dict[UUID, float] = {}
        self._live_at = self._bulk_until = -math.inf

    def began(self, tenant: UUID) -> None:
        """Note a turn of `tenant`."""
        self._lately.append(tenant)

    def crowded(self, tenants: Collection[UUID]) -> None:
        """Note for whom so many intents wait that they need not have had their turns to be known as who storms."""
        self._crowds = tenants

    @property
    def _seen(self) -> rules_effects.Seen:
        return rules_effects.Seen(self._lately, self._crowds)

    def ended(self, tenant: UUID, took_seconds: float) -> float:
        """Return how many seconds `tenant` rests after an act that took so long."""
        scarce, now = self._cores.are_scarce, time.monotonic()
        seconds = rules_effects.rest_seconds(tenant, self._seen, took_seconds, cores_are_scarce=scarce)
        if seconds:
            self._rests_until[tenant] = now + seconds
            self._ended_at[tenant] = now
        return seconds

    def live_ended(self) -> None:
        """Note the end of an act that was not of bulk."""
        self._live_at = time.monotonic()

    def bulk_ended(self, took_seconds: float) -> float:
        """Return how many seconds bulk rests after an act that took so long."""
        now = time.monotonic()
        seconds = rules_effects.bulk_rest_seconds(
            took_seconds, live_seconds_ago=now - self._live_at, cores_are_scarce=self._cores.are_scarce
        )
        if seconds:
            self._bulk_until = now + seconds
        return seconds

    def bulk_rests(self, live_under_way: int) -> bool:
        """Return whether bulk may have no act now: it rests, or gives way to a live one for a while after its rest."""
        patience = rules_effects.GIVES_WAY_SECONDS if live_under_way else 0.0
        return time.monotonic() < self._bulk_until + patience

    def most(self, most: int) -> int:
        """Return how many of `most` acts one tenant may have under way."""
        return rules_effects.most_beside_others(most, self._lately)

    def resting(self, among: Collection[UUID], busy: Mapping[UUID, int]) -> Mapping[UUID, int]:
        """Return those of the tenants that may have no act now: who rests, and who gives way to an act under way."""
        now = time.monotonic()
        self._rests_until = {tenant: until for tenant, until in self._rests_until.items() if until > now}
        self._ended_at = {
            tenant: at for tenant, at in self._ended_at.items() if now - at < rules_effects.GIVES_WAY_SECONDS
        }
        giving = {each for each in self._ended_at if rules_effects.gives_way(each, self._seen, busy)}
        return dict.fromkeys(giving.union(self._rests_until).intersection(among), 0)
