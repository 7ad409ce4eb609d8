"""How long to leave the tracker alone: for everyone when it asks for it, for one client when only its calls fail."""

import time
from collections.abc import Mapping
from uuid import UUID

from chassis.http import BreakerOpen, Unavailable
from services.ticketing import rules_effects


class Patience:
    """Remembers who is left alone until when, and who may try one act at a time until one succeeds."""

    def __init__(self) -> None:
        """Start with no reason to wait."""
        self._held_until = 0.0
        self._is_probing = False
        self._limits_in_a_row = 0
        self._tenant_held_until: dict[UUID, float] = {}

    @property
    def is_over(self) -> bool:
        """Return whether anything may be tried at all."""
        return time.monotonic() >= self._held_until

    def slots(self, most: int) -> int:
        """Return how many acts may run at once: after a pause one alone, until one succeeds."""
        return 1 if self._is_probing else most

    def fewer(self) -> Mapping[UUID, int]:
        """Return the tenants that may not have as many acts as the others: none for now, or one at a time."""
        now = time.monotonic()
        return {tenant: int(now >= until) for tenant, until in self._tenant_held_until.items()}

    def hold(self, seconds: float) -> None:
        """Take nothing for a while, then one alone: what is in trouble is the same for all."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)
        self._is_probing = True

    def met(self, error: Exception, tenant: UUID, seconds: float) -> None:
        """Draw conclusions from what an act of `tenant` ended with, which is tried again in `seconds`.

        Asked to wait, everyone waits: the tracker knows one login, not our clients. Anything else, such as a 500, may
        lie in what this client asks for.
        """
        now = time.monotonic()
        match error:
            case BreakerOpen():
                self._tenant_held_until[tenant] = max(self._tenant_held_until.get(tenant, 0.0), now + seconds)
            case Unavailable(retry_after_seconds=float(), limited=is_limited):
                if is_limited and self.is_over:
                    self._limits_in_a_row += 1  # there must be room for a whole act in the end: the wait doubles
                self.hold(rules_effects.hold_seconds(seconds, self._limits_in_a_row))
            case Unavailable() | TimeoutError():
                self._tenant_held_until.setdefault(tenant, now)
            case _:
                return

    def succeeded(self, tenant: UUID) -> None:
        """Forget the trouble that is over."""
        self._is_probing, self._limits_in_a_row = False, 0
        self._tenant_held_until.pop(tenant, None)
