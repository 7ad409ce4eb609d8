"""What people say reaches the case: that they agree or not, and what becomes of its ticket."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.credential import CaseStep, Decision
from contracts.events.ticket import TicketEvent, TicketOpened, TicketReopened, TicketResolved
from services.credentials.cases import facts, ground, store_cases
from services.credentials.cases.records import Case
from services.credentials.guard import store_guard
from services.credentials.people.records import RequestState, Verdict
from services.credentials.records import Cause, Fact
from services.credentials.reset import advance, rules_steps, store_steps

KINDS = frozenset({"exposure", "exposure_foreign"})
"""The kinds of ticket whose subject is a case."""


async def settled(tx: Connection, verdicts: Sequence[Verdict], *, now: datetime) -> list[Fact]:
    """Let cases go on whose question has ended, and return what is to be told.

    What people agreed to is asked of the table again, now and right before the act.
    """
    cases = await store_cases.load_for_update(tx, [each.case for each in verdicts])
    told: list[Fact] = []
    for verdict in verdicts:
        case = cases.get(verdict.case)
        if case is None or case.closed_at is not None or case.verdict.decision is not Decision.ASK:
            continue
        granted = verdict.state is RequestState.GRANTED
        answered = replace(case, approved=granted, turned_down=not granted)
        cases[case.id], more = await decided_anew(tx, answered, now=now, cause=verdict.cause)
        told += more
    return told


async def decided_anew(
    tx: Connection, case: Case, *, now: datetime, cause: Cause | None = None
) -> tuple[Case, list[Fact]]:
    """Decide one case anew with what is known of its account, and return it with what is to be told.

    A case that has begun to act stays as it was decided. Lock the case first.
    """
    rows = (await store_steps.load_for_update(tx, [case.id]))[case.id]
    acted = any(row.acted_at is not None for row in rows.values())
    if not rules_steps.may_still_decide({step: row.state for step, row in rows.items()}, acted=acted):
        await store_cases.save(tx, [case])
        return case, []
    wanted = {(case.tenant, name) for name in (case.login, case.object_id) if name}
    known = await ground.load(tx, wanted, now=now)
    whose = known.whose(case.tenant, case.login, case.object_id)
    situation = known.situation(case.tenant, whose, case.evidence, case)
    return await advance.decide_anew(tx, case, situation, now=now, cause=cause)


def is_of_a_case(event: TicketEvent) -> bool:
    """Return whether a ticket is one of ours."""
    return event.kind in KINDS and case_of(event) is not None


def case_of(event: TicketEvent) -> UUID | None:
    """Return the case that a ticket is about; `None`: its subject is none."""
    try:
        return UUID(event.subject)
    except ValueError:
        return None


async def linked(tx: Connection, told: Sequence[Envelope], *, now: datetime) -> list[Fact]:
    """Note what became of cases' tickets, let go on who waited for one, and return what is to be told."""
    events = [(each, each.data, case_of(each.data)) for each in told if isinstance(each.data, TicketEvent)]
    cases = await store_cases.load_for_update(tx, [case for _, _, case in events if case is not None])
    facts_told: list[Fact] = []
    for envelope, event, id_ in events:
        case = cases.get(id_) if id_ is not None else None
        if case is None:
            continue
        cases[case.id] = _with_ticket(case, event, envelope)
        if isinstance(event, TicketOpened):
            facts_told += await _ticketed(tx, cases[case.id], envelope, now)
    await store_cases.save(tx, cases.values())
    told_of = {UUID(fact.key) for fact in facts_told}
    waiting = [case for case in cases.values() if case.closed_at is None]
    guarding = await store_guard.load(tx, sorted({case.tenant for case in waiting}), now=now)
    ticketed = [case for case in waiting if case.id in told_of]
    await advance.onward(tx, ticketed, {tenant: each.policy for tenant, each in guarding.items()}, now)
    await store_steps.hasten(tx, [case.id for case in waiting], CaseStep.VERIFIED, now)
    return facts_told


def _with_ticket(case: Case, event: TicketEvent, envelope: Envelope) -> Case:
    match event:
        case TicketOpened():
            return replace(case, ticket_key=event.ticket, ticket_number=event.external or case.ticket_number)
        case TicketResolved(by_person=True):
            return replace(case, ticket_closed_at=envelope.time)
        case TicketReopened():
            return replace(case, ticket_closed_at=None)
        case _:
            return replace(case, ticket_number=event.external or case.ticket_number)


async def _ticketed(tx: Connection, case: Case, envelope: Envelope, now: datetime) -> list[Fact]:
    """Note that the case has its ticket, also where it went on without waiting for one."""
    proof = f"ticket {case.ticket_number or case.ticket_key} was opened and read back"
    if not await store_steps.settle(tx, case.id, CaseStep.TICKETED, proof=proof, now=now):
        return []
    cause = Cause(
        id=envelope.id,
        received_at=envelope.received,
        traceparent=envelope.traceparent,
        correlation=envelope.correlation,
    )
    return [facts.step_done(case, CaseStep.TICKETED, proof, at=now, cause=cause)]
