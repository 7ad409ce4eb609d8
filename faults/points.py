"""Every labelled point, by the program that passes it; `tests/faults` compares this with the code."""

from collections.abc import Mapping
from typing import Final

CONSUMER: Final = ("consumer before the commit", "consumer after the commit", "consumer after the offset commit")
RELAY: Final = ("relay after the acknowledgement", "relay after the delete")
POLL: Final = ("poll after reading", "poll after the commit")
ACCEPT: Final = ("accept after the acknowledgement",)
SPOOL: Final = ("spool after the produce", "spool after the delete")
ACTS: Final = ("reserve", "open", "append", "resolve", "reopen")
EFFECT: Final = (
    *(f"effect {when} {act}" for act in ACTS for when in ("before", "after")),
    "effect after the record",
)

POINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway-accept": ACCEPT,
    "gateway-translate": CONSUMER + SPOOL + RELAY,
    "gateway-poll": POLL,
    "inventory": CONSUMER + RELAY,
    "compliance": CONSUMER + RELAY,
    "ticketing": EFFECT + CONSUMER + RELAY,
}
"""What each program is aimed at while webhooks come in."""

STEPS: Final = ("ticketed", "invalidated", "revoked", "read_back", "notified", "verified", "closed")
BY_TESTS_ALONE: Final = frozenset(
    {
        *(f"effect {when} merge" for when in ("before", "within", "after")),
        *(f"step {when} {step}" for step in STEPS for when in ("before", "after")),
        "step after the record",
        "notice after the mail",
        "invitation before the mail",
        "invitation after the mail",
        "directory read",
        "hygiene told",
    }
)
"""Points on ways that a day's load does not take: a breach (faults/saga.py) and tests go there."""
