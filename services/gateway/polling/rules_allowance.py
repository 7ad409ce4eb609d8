"""How much of its allowance of calls an account has used, and how long to leave it alone. Pure.

Source: Datto RMM API 2.0.0, schema of `system/request_rate`: all users of an account share one sliding window.
"""

from dataclasses import dataclass
from typing import Final

ROOM: Final = 0.15
"""So much below the share at which the vendor slows everybody down we stop: others of the account need it more."""

_USUAL_CUT_OFF: Final = 0.9
_USUAL_WINDOW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Calls of an account in the window that slides with the time. `cut_off`: the share at which it is slowed down."""

    used: float
    limit: float
    cut_off: float
    window_seconds: float


def allowance_in(answer: object) -> Allowance | None:
    """Return the numbers in an answer of `system/request_rate`; `None` where it says nothing usable."""
    if not isinstance(answer, dict):
        return None
    used, limit = _number(answer.get("accountCount")), _number(answer.get("accountRateLimit"))
    if used is None or not limit:
        return None
    cut_off = _number(answer.get("accountCutOffRatio"))
    window = _number(answer.get("slidingTimeWindowSizeSeconds"))
    return Allowance(
        used=used,
        limit=limit,
        cut_off=cut_off if cut_off is not None and 0 < cut_off <= 1 else _USUAL_CUT_OFF,
        window_seconds=window if window is not None and 0 < window <= 3600 else _USUAL_WINDOW_SECONDS,
    )


def pause_seconds(allowance: Allowance | None) -> float:
    """Return how long to wait before looking again: a quarter of the window, or not at all."""
    if allowance is None or allowance.used / allowance.limit < allowance.cut_off - ROOM:
        return 0.0
    return allowance.window_seconds / 4


def _number(value: object) -> float | None:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12 else None
    )
