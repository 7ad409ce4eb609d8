"""Compares what came of a client's policy with what must: the linter, breaches' tickets, an exception's end. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from contracts import ids
from contracts.events.obligation import State
from patchline.demo.agreement import CLIENT, Agreement
from patchline.demo.check import Check, compared, some, with_wrong
from patchline.demo.tracker import Issue
from simulators.ledger import Ledger

BREACH: Final = "patch_overdue"
KINDS: Final = ("pl-patch_overdue-", "pl-exception-", "pl-policy-", "pl-monitor")
SHORTFALL_HOURS: Final = 85.0
"""From a Patch Tuesday, 10:00 Pacific, to the next Sunday, 02:00 in New York, less the promised 24 hours."""


def is_of_the_agreement(issue: Issue) -> bool:
    """Return whether a ticket follows from the client's policy, and so is none of the day's."""
    return issue.key.startswith(KINDS)


def judged(after: Agreement, ledger: Ledger, issues: Sequence[Issue]) -> list[Check]:
    """Return every comparison; `issues` are those of the agreement."""
    return [_lint(after), *_breaches(after, ledger, issues), _exception(after), _story(after, issues)]


def _lint(after: Agreement) -> Check:
    """The linter names the one cell that servers' Sunday restart makes impossible, and by how much."""
    expected = Counter({("server", "verification", SHORTFALL_HOURS): 1})
    found = Counter((each["tier"], each["measure"], each["shortfall_hours"]) for each in after.lint["infeasible"])
    return compared("policy: cells that cannot be met, with their shortfall", expected, found, str)


def _breaches(after: Agreement, ledger: Ledger, issues: Sequence[Issue]) -> list[Check]:
    """Each overdue update of the client has one ticket that lists each machine which owes it.

    The machine that was excepted left the list for that time, and came back: it is listed once or twice.
    """
    expected: Counter[tuple[str, str]] = Counter()
    for owed, standing in ledger.standings.items():
        if standing.cell.client == CLIENT and standing.is_late:
            key = _key(str(ids.requirement_id(owed.product, owed.train)))
            expected[key, ledger.devices[owed.source, owed.device].hostname] += 1
    own = [issue for issue in issues if issue.key.startswith(KINDS[0])]
    keys = Counter({key for key, _ in expected})
    wrong = [f"ticket {issue.number}, {issue.title}: is resolved" for issue in own if not issue.is_open]
    tickets = compared("breaches: tickets, one for each overdue update", keys, Counter(each.key for each in own), str)
    hostnames = {device.vendor_id: device.hostname for device in ledger.devices.values()}
    listed = Counter(
        {(each.key, hostnames.get(name, name)): times for each in own for name, times in each.devices.items()}
    )
    if after.target and (came_back := (_key(after.target["requirement"]), after.target["hostname"])) in listed:
        listed[came_back] = max(1, listed[came_back] - 1)
    machines = compared("breaches: machines on those tickets", expected, listed, lambda pair: pair[1])
    return [with_wrong(tickets, wrong), machines]


def _key(requirement: str) -> str:
    return ids.ticket_key(ids.tenant_id(CLIENT), BREACH, requirement, 1)


def _exception(after: Agreement) -> Check:
    """While it held the obligation was excepted; since its end it is overdue by the deadline that it always had."""
    wrong = [after.hindrance] if after.hindrance else []
    if after.target and not after.hindrance:
        moments = {_due(each) for each in (after.target, after.during, after.after)}
        wrong += [f"its deadline moved: {moments}"] if len(moments) != 1 else []
        wrong += _unless(after.during, State.EXCEPTED) + _unless(after.after, State.MISSING_OVERDUE)
    return Check(
        name="exception: in force, ended, and overdue by the same deadline",
        expected=int(bool(after.target)),
        found=int(bool(after.target)) - int(bool(wrong)),
        wrong=len(wrong),
        examples=some(wrong),
    )


def _due(obligation: dict[str, Any]) -> datetime | None:
    said = obligation["due_at"]
    return None if said is None else datetime.fromisoformat(said)


def _unless(obligation: dict[str, Any], state: State) -> list[str]:
    return [] if obligation["state"] == state else [f"it was {obligation['state']}, not {state}"]


def _story(after: Agreement, issues: Sequence[Issue]) -> Check:
    """The exception has one ticket of its own, the one that the owner's signature names."""
    own = [issue for issue in issues if issue.key.startswith(KINDS[1])]
    expected = Counter([after.exception["ticket"]] if after.exception else [])
    return compared("exception: its ticket", expected, Counter(each.number for each in own), str)
