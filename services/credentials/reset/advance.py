"""A case goes on: the next step gets its turn, or something else is decided. Inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.credential import CaseStep, Decision
from services.credentials.cases import facts, rules_decision, store_cases
from services.credentials.cases.records import Case
from services.credentials.cases.rules_decision import Situation
from services.credentials.guard.policy import GuardPolicy
from services.credentials.people import approvals
from services.credentials.records import Cause, Fact, Identity
from services.credentials.reset import rules_steps, store_steps
from services.credentials.reset.store_steps import Row


async def onward(tx: Connection, cases: Sequence[Case], policies: Mapping[UUID, GuardPolicy], now: datetime) -> None:
    """Give each case's next step its turn. Save the cases first; `policies` are those of their clients."""
    rows = await store_steps.load_for_update(tx, [case.id for case in cases])
    for case in cases:
        steps = {step: row.state for step, row in rows[case.id].items()}
        await store_steps.drop(tx, [(case.id, step) for step in rules_steps.overtaken(case, steps)])
    turns = [_turn(case, rows[case.id], policies[case.tenant], now) for case in cases if case.closed_at is None]
    await store_steps.add(tx, [turn for turn in turns if turn is not None])


def _turn(case: Case, rows: Mapping[CaseStep, Row], policy: GuardPolicy, now: datetime) -> store_steps.Added | None:
    step = rules_steps.next_step(case, {step: row.state for step, row in rows.items()})
    if step is None:
        return None
    due_at, reason = now, None
    if step is CaseStep.TICKETED and case.ticket_key is None:
        due_at, reason = case.opened_at + timedelta(seconds=policy.ticket_wait_seconds), "waits for the ticket"
    if step is CaseStep.INVALIDATED and case.verdict.decision is Decision.ASK:
        due_at, reason = now + timedelta(hours=policy.approval_hours), "waits for people to agree"
    return case.id, step, case.tenant, due_at, reason


async def decide_anew(
    tx: Connection, case: Case, situation: Situation, *, now: datetime, cause: Cause | None = None
) -> tuple[Case, list[Fact]]:
    """Decide a case anew, save it and give its next step its turn; return it with what is to be told.

    A case of which nothing was done at its directory only; lock it first.
    """
    verdict = rules_decision.decided(situation)
    changed = reweighed(replace(case, verdict=verdict, retry_at=None), situation)
    await store_cases.save(tx, [changed])
    told: list[Fact] = []
    if verdict.decision is not case.verdict.decision or verdict.rule is not case.verdict.rule:
        told.append(facts.decided(case.verdict, changed, at=now, cause=cause))
    if case.verdict.decision is Decision.ASK and verdict.decision is not Decision.ASK:
        await approvals.withdraw(tx, [case.id], now=now)
    if verdict.decision is Decision.ASK and not changed.dry_run:
        told += await ask(tx, changed, situation, now=now, cause=cause)
    await onward(tx, [changed], {case.tenant: situation.policy}, now)
    return changed, told


def reweighed(case: Case, situation: Situation) -> Case:
    """Return the case with what is known of its account now."""
    identity = situation.whose.identity
    live = is_live(situation.policy, case.source)
    if identity is None:
        return replace(case, dry_run=not live)
    return replace(case, dry_run=not live, kind=identity.kind, privileged=identity.privileged)


def is_live(policy: GuardPolicy, source: str) -> bool:
    """Return whether a client's cases from this feed are acted upon: both are past their dry run."""
    return policy.mode == "live" and source in policy.live_feeds


async def ask(
    tx: Connection, case: Case, situation: Situation, *, now: datetime, cause: Cause | None = None
) -> list[Fact]:
    """Ask people about a case, and return what is to be told."""
    question = approvals.asking(
        tenant=case.tenant,
        case=case.id,
        login=case.login,
        names=frozenset().union(*map(names_of, situation.whose.accounts)),
        why=case.verdict.why,
        needed=situation.policy.approvals_needed,
        hours=situation.policy.approval_hours,
        cause=cause or case.cause,
        now=now,
        identity=case.object_id,
    )
    return await approvals.ask(tx, [question], now=now)


def names_of(identity: Identity | None) -> frozenset[str]:
    """Return every name by which an account is known."""
    if identity is None:
        return frozenset()
    account = identity.account
    return frozenset({account.object_id, *account.logins, *([account.mail] if account.mail else [])})
