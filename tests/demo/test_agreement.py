"""What is said of a client's policy in the demo: each thing that goes wrong is seen, and only that."""

import io
import json
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from rich.console import Console

from contracts import ids
from contracts.events.event import Severity, Tier
from patchline.demo import agreement_report
from patchline.demo.agreement import CLIENT, POLICY, Agreement, until
from patchline.demo.agreement_judgement import SHORTFALL_HOURS, is_of_the_agreement, judged
from patchline.demo.tracker import Issue
from patchline.demo.typed import CommandFailed
from services.compliance.policies.compile import compiled
from services.compliance.policies.lint import lint_of
from services.compliance.policies.reading import policy_of
from services.compliance.policy import DEFAULT_1, Policy, Subject, Term
from simulators import releases
from simulators.fleet import CLIENTS, PATCHLINE_SCRIPTS, Device
from simulators.ledger import Cell, Ledger, Owed, Standing

PRODUCT, TRAIN = "Windows 11 24H2", "cumulative"
REQUIREMENT: Final = str(ids.requirement_id(PRODUCT, TRAIN))
DUE_AT: Final = "2025-01-15T18:00:00+00:00"
NEW_YEAR: Final = datetime(2025, 1, 1, tzinfo=UTC)
NAMES: Final = ("HDG-SRV-01", "HDG-SRV-02")
Change = Callable[[Agreement, list[Issue]], None]


def device(number: int, client: int = 0) -> Device:
    return Device(
        source=PATCHLINE_SCRIPTS,
        number=number,
        client=CLIENTS[client],
        hostname=NAMES[number] if client == 0 else "OTHER-01",
        system=releases.WINDOWS_11_24H2,
        tier="server",
        serial=f"S{number}",
        booted_at=NEW_YEAR,
    )


MACHINES: Final = (device(0), device(1), replace(device(1, client=1), number=7))


def book(*, late: tuple[bool, ...] = (True, True, True)) -> Ledger:
    standings = {
        Owed(each.source.full_name, each.vendor_id, PRODUCT, TRAIN): Standing(
            cell=Cell(each.client.name, "windows", "server", "critical"),
            state="MISSING_OVERDUE",
            failures=0,
            is_late=is_late,
        )
        for each, is_late in zip(MACHINES, late, strict=True)
    }
    return Ledger(
        standings=standings,
        tickets=(),
        told={},
        devices={(each.source.full_name, each.vendor_id): each for each in MACHINES},
        dead_letters=(),
        parked=0,
        unknown_codes={},
    )


def obligation(state: str, due_at: str | None = DUE_AT) -> dict[str, Any]:
    return {"state": state, "due_at": due_at, "hostname": NAMES[0], "product": PRODUCT, "train": TRAIN,
            "requirement": REQUIREMENT, "tier": "server", "severity": "critical"}  # fmt: skip


def good() -> Agreement:
    infeasible = {"tier": "server", "severities": ["critical"], "within": "PT24H", "measure": "verification",
                  "shortfall_hours": SHORTFALL_HOURS, "worst_released_at": "2025-01-14T18:00:00+00:00",
                  "due_at": DUE_AT, "met_at": None}  # fmt: skip
    return Agreement(
        lint={"infeasible": [infeasible]},
        applied={"version": 1},
        fell_due=[obligation("MISSING_OVERDUE"), obligation("VERIFIED")],
        late=[obligation("MISSING_OVERDUE")],
        target=obligation("MISSING_OVERDUE"),
        during=obligation("EXCEPTED"),
        after=obligation("MISSING_OVERDUE"),
        exception={"exception": "e", "ticket": "9", "owner": "Ruth Alder", "until": "2025-01-15T20:01:00+00:00"},
    )


def issues() -> list[Issue]:
    breach = ids.ticket_key(ids.tenant_id(CLIENT), "patch_overdue", REQUIREMENT, 1)
    listed = Counter({NAMES[0]: 2, NAMES[1]: 1})
    return [
        Issue(number="8", key=breach, title="Overdue", client=CLIENT, is_open=True, devices=listed, notes=()),
        Issue(number="9", key="pl-exception-x-g1", title="E", client=CLIENT, is_open=True, devices=Counter(), notes=()),
    ]


def wrongs(after: Agreement, tickets: list[Issue], ledger: Ledger | None = None) -> list[str]:
    return [each.name for each in judged(after, ledger or book(), tickets) if not each.is_good]


def test_a_good_agreement_is_good_whether_or_not_the_ticket_tells_twice_of_the_machine_that_came_back() -> None:
    once = [replace(issues()[0], devices=Counter(NAMES)), issues()[1]]

    assert wrongs(good(), issues()) == []
    assert wrongs(good(), once) == []


def _without_lint(after: Agreement, _tickets: list[Issue]) -> None:
    after.lint["infeasible"] = []


def _other_shortfall(after: Agreement, _tickets: list[Issue]) -> None:
    after.lint["infeasible"][0]["shortfall_hours"] = 84.0


def _no_ticket(_after: Agreement, tickets: list[Issue]) -> None:
    del tickets[0]


def _two_tickets(_after: Agreement, tickets: list[Issue]) -> None:
    tickets.append(tickets[0])


def _resolved(_after: Agreement, tickets: list[Issue]) -> None:
    tickets[0] = replace(tickets[0], is_open=False)


def _without_a_machine(_after: Agreement, tickets: list[Issue]) -> None:
    tickets[0] = replace(tickets[0], devices=Counter({NAMES[0]: 2}))


def _another_twice(_after: Agreement, tickets: list[Issue]) -> None:
    tickets[0] = replace(tickets[0], devices=Counter({NAMES[0]: 1, NAMES[1]: 2}))


def _three_times(_after: Agreement, tickets: list[Issue]) -> None:
    tickets[0] = replace(tickets[0], devices=Counter({NAMES[0]: 3, NAMES[1]: 1}))


def _deadline_moved(after: Agreement, _tickets: list[Issue]) -> None:
    after.after["due_at"] = "2025-01-15T18:00:01+00:00"


def _never_excepted(after: Agreement, _tickets: list[Issue]) -> None:
    after.during["state"] = "MISSING_OVERDUE"


def _never_ended(after: Agreement, _tickets: list[Issue]) -> None:
    after.after["state"] = "EXCEPTED"


def _hindered(after: Agreement, _tickets: list[Issue]) -> None:
    after.hindrance = "the exception's ticket did not come in time"


def _nothing_to_except(after: Agreement, _tickets: list[Issue]) -> None:
    after.target, after.exception, after.hindrance = {}, {}, "nothing is overdue that could be excepted"


def _ticket_of_another(_after: Agreement, tickets: list[Issue]) -> None:
    tickets[1] = replace(tickets[1], number="10")


LINT: Final = "policy: cells that cannot be met, with their shortfall"
TICKETS: Final = "breaches: tickets, one for each overdue update"
LISTED: Final = "breaches: machines on those tickets"
ENDED: Final = "exception: in force, ended, and overdue by the same deadline"
STORY: Final = "exception: its ticket"
CASES: Final[list[tuple[Change, list[str]]]] = [
    (_without_lint, [LINT]),
    (_other_shortfall, [LINT]),
    (_no_ticket, [TICKETS, LISTED]),
    (_two_tickets, [TICKETS]),
    (_resolved, [TICKETS]),
    (_without_a_machine, [LISTED]),
    (_another_twice, [LISTED]),
    (_three_times, [LISTED]),
    (_deadline_moved, [ENDED]),
    (_never_excepted, [ENDED]),
    (_never_ended, [ENDED]),
    (_hindered, [ENDED]),
    (_nothing_to_except, [LISTED, ENDED, STORY]),
    (_ticket_of_another, [STORY]),
]


@pytest.mark.parametrize(
    ("change", "expected"), [pytest.param(*each, id=each[0].__name__.strip("_")) for each in CASES]
)
def test_what_goes_wrong_is_seen(change: Change, expected: list[str]) -> None:
    after, tickets = deepcopy(good()), issues()

    change(after, tickets)

    assert [name for name in dict.fromkeys(wrongs(after, tickets)) if name in expected] == expected
    assert set(wrongs(after, tickets)) <= {*expected, LISTED}


def test_what_is_not_late_and_what_another_client_owes_have_no_ticket() -> None:
    assert wrongs(good(), issues(), book(late=(True, True, False))) == []
    assert wrongs(good(), issues(), book(late=(True, False, True))) == [LISTED]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("pl-patch_overdue-x-g1", True),
        ("pl-exception-x-g1", True),
        ("pl-policy-x-g1", True),
        ("pl-patch_failed-x-g1", False),
        ("pl-exposure-x-g1", False),
    ],
)
def test_whose_a_ticket_is_is_seen_by_its_key(key: str, *, expected: bool) -> None:
    assert is_of_the_agreement(replace(issues()[0], key=key)) is expected


def _table(policy: Policy) -> dict[tuple[Tier, Severity], set[Term | None]]:
    cells = [(tier, severity) for tier in Tier for severity in Severity]
    return {
        cell: {rule.within for _, rule in policy.rules_for(Subject(tier=cell[0], severity=cell[1]))} for cell in cells
    }


def test_the_policy_gives_the_deadlines_of_the_built_in_one_which_the_ledger_of_the_day_relies_on() -> None:
    document, presets = policy_of(POLICY.read_bytes())

    policy = compiled(document, presets)

    assert _table(policy) == _table(DEFAULT_1)
    assert (policy.stale_after, dict(policy.out_of_scope)) == (DEFAULT_1.stale_after, dict(DEFAULT_1.out_of_scope))
    assert (document.client, document.zone, policy.breach_tickets) == (CLIENT, CLIENTS[0].zone, True)


def test_the_policy_promises_one_thing_that_cannot_be_kept() -> None:
    document, presets = policy_of(POLICY.read_bytes())

    found = lint_of(document, presets, now=NEW_YEAR, install=None)

    late = [
        (proof.cell.tier, proof.measure, proof.worst.late.total_seconds() / 3600)
        for proof in found.infeasible
        if proof.worst.late is not None
    ]
    assert late == [(Tier.SERVER, "verification", SHORTFALL_HOURS)]
    assert len(found.infeasible) == 1


def shown(after: Agreement) -> str:
    console = Console(file=io.StringIO(), width=200)
    agreement_report.show(console, after)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_is_shown_tells_the_shortfall_what_fell_due_and_the_exceptions_way() -> None:
    text = shown(good())

    assert "1 of its promises cannot be kept" in text
    assert "85 h" in text
    assert "2, of them kept 1" in text
    assert "MISSING_OVERDUE 1 · VERIFIED 1" in text
    assert "signed by Ruth Alder, until 2025-01-15 20:01:00Z" in text
    assert "before: MISSING_OVERDUE; while it held: EXCEPTED; since its end: MISSING_OVERDUE, due 2025-01-15" in text


def test_what_hindered_an_exception_is_shown() -> None:
    never, stuck = good(), good()
    _nothing_to_except(never, [])
    _hindered(stuck, [])

    assert "No exception: nothing is overdue" in shown(never)
    assert "It did not go to its end: the exception's ticket" in shown(stuck)


def test_the_same_is_written_for_machines() -> None:
    written = json.loads(json.dumps(agreement_report.written(good())))

    assert (written["fell_due"], written["fell_due_and_kept"], written["overdue"]) == (2, 1, 1)
    assert written["excepted"] == {"target": "MISSING_OVERDUE", "during": "EXCEPTED", "after": "MISSING_OVERDUE"}


async def test_what_is_waited_for_is_asked_again_though_a_command_failed_and_is_named_if_it_never_comes() -> None:
    asked: list[int] = []

    async def at_last() -> bool:
        asked.append(1)
        if len(asked) == 1:
            raise CommandFailed("not yet")
        return True

    async def never() -> bool:
        return False

    async def broken() -> bool:
        raise CommandFailed("patchline obligation show: no such machine")

    await until(at_last, "it did not come", 5)
    assert len(asked) == 2
    with pytest.raises(TimeoutError, match="it did not come"):
        await until(never, "it did not come", 0.01)
    with pytest.raises(TimeoutError, match="no such machine"):
        await until(broken, "it did not come", 0.01)
