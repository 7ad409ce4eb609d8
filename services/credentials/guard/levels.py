"""The service level: begins with a case, is kept by its steps, and tells what is missing when its moment passed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.credential import (
    CaseClosed,
    CaseDecided,
    CaseEvent,
    CaseOpened,
    CaseStepDone,
    Promise,
    PromiseBroken,
)
from services.credentials.guard import rules_levels, store_levels
from services.credentials.guard.policy import Levels
from services.credentials.guard.store_levels import Broken, Owed, Owing
from services.credentials.records import Fact

_DEFAULT: Final = Levels()


async def follow(tx: Connection, facts: Sequence[Fact]) -> None:
    """Let the promises of cases follow what is told about them; `telling.tell` calls it with all of it.

    An opened case begins them, a decision says which are owed, a step that is done keeps one.
    """
    about_cases = [fact for fact in facts if isinstance(fact.event, CaseEvent)]
    await _begin(tx, [fact for fact in about_cases if isinstance(fact.event, CaseOpened)])
    owing: dict[tuple[UUID, UUID], Owing] = {}
    kept_at: dict[tuple[UUID, UUID, Promise], datetime] = {}
    for fact in about_cases:
        match fact.event:
            case CaseDecided() | CaseClosed() as event:
                promises = rules_levels.owed(event.decision, dry_run=False, foreign=event.foreign)
                owing[fact.tenant, UUID(event.case)] = Owing(promises=promises, at=fact.at)
            case CaseStepDone(step=step) as event if step in rules_levels.KEPT_BY:
                key = fact.tenant, UUID(event.case), rules_levels.KEPT_BY[step]
                kept_at[key] = min(event.done_at, kept_at.get(key, event.done_at))
            case _:
                continue
    if kept_at:
        await store_levels.keep(tx, kept_at)
    if owing:
        await store_levels.owe(tx, owing)


async def _begin(tx: Connection, facts: Sequence[Fact]) -> None:
    if not facts:
        return
    levels = await store_levels.levels(tx, {fact.tenant for fact in facts})
    owed = [
        each
        for fact in facts
        if isinstance(fact.event, CaseOpened)
        for each in _promises(fact, fact.event, levels.get(fact.tenant, _DEFAULT))
    ]
    await store_levels.begin(tx, owed)


def _promises(fact: Fact, opened: CaseOpened, levels: Levels) -> list[Owed]:
    owed = rules_levels.owed(opened.decision, dry_run=opened.dry_run, foreign=opened.foreign)
    return [
        Owed(
            tenant=fact.tenant,
            case=UUID(opened.case),
            promise=promise,
            login=opened.login,
            identity=opened.identity,
            foreign=opened.foreign,
            dry_run=opened.dry_run,
            began_at=opened.arrived_at,
            due_at=rules_levels.due_at(promise, levels, opened.arrived_at),
            waived_at=None if promise in owed else fact.at,
            cause=fact.cause,
        )
        for promise in Promise
    ]


async def broken(tx: Connection, *, now: datetime, most: int) -> list[Fact]:
    """Return at most `most` facts about promises whose moment passed, each once; the caller tells them with `tx`."""
    return [_fact(each) for each in await store_levels.take_broken(tx, now, most)]


def _fact(each: Broken) -> Fact:
    event = PromiseBroken(
        case=str(each.case),
        login=each.login,
        identity=each.identity,
        foreign=each.foreign,
        promise=each.promise,
        due_at=each.due_at,
    )
    return Fact(tenant=each.tenant, key=str(each.case), event=event, at=each.due_at, cause=each.cause)
