"""Whether something that fails is asked at all: after failures in a row only now and then, until it works. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Opens after `failures_allowed` failures in a row; lets one try through every `pause_seconds` until one succeeds.

    Moments are seconds of a clock that never goes back.
    """

    failures_allowed: int = 5
    pause_seconds: float = 1.0
    failures: int = 0
    open_until: float = 0.0

    @property
    def is_open(self) -> bool:
        """Return whether it is left alone."""
        return self.failures >= self.failures_allowed

    def admits(self, now: float) -> bool:
        """Return whether to ask now. While open, who is admitted is the only one until the pause has passed again."""
        if not self.is_open:
            return True
        if now < self.open_until:
            return False
        self.open_until = now + self.pause_seconds
        return True

    def succeeded(self) -> bool:
        """Note a success and return whether it closed the breaker."""
        was_open = self.is_open
        self.failures = 0
        return was_open

    def failed(self, now: float) -> bool:
        """Note a failure and return whether it opened the breaker."""
        self.failures += 1
        if not self.is_open:
            return False
        self.open_until = now + self.pause_seconds
        return self.failures == self.failures_allowed
