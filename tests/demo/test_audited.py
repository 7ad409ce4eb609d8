"""What the audit found, as one line of the demo's check."""

from datetime import UTC, datetime

from patchline.audit.barrier import Audit
from patchline.audit.rules import Balance, Proof
from patchline.demo.audited import checked

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def balance(*, missing: int = 0, extra: int = 0, in_flight: int = 0) -> Balance:
    return Balance(
        equation="events",
        group="inventory",
        source="rmm/a/b",
        hour=NOON,
        expected=5,
        fates={"applied": 5},
        missing=missing,
        extra=extra,
        in_flight=in_flight,
        is_final=not in_flight,
    )


def test_what_balances_is_good() -> None:
    check = checked(Audit([balance(), balance(extra=1)], [], frozenset({"inventory"})))

    assert (check.is_good, check.expected, check.found) == (True, 10, 10)


def test_a_gap_is_lost_and_named() -> None:
    stepped = Proof(group="inventory", topic="rmm.events", partition=1, counted=9, missing=1, why="1 stepped over")

    check = checked(Audit([balance(missing=2)], [stepped], frozenset({"inventory"})))

    assert (check.lost, check.found) == (3, 2)
    assert check.examples == ("rmm/a/b 12h, inventory: GAP of 2", "inventory, rmm.events: 1 stepped over")


def test_what_cannot_be_judged_is_not_good() -> None:
    check = checked(Audit([balance(in_flight=1)], [], frozenset()))

    assert (check.is_good, check.wrong) == (False, 1)
