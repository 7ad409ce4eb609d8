"""Exposures become cases: each is kept, belongs to a case that is there or begins one, and is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.credential import CaseStep, Decision
from services.credentials.cases import facts, ground, rules_decision, rules_evidence, rules_fold, store_cases
from services.credentials.cases.ground import Ground
from services.credentials.cases.records import Case, Rule, Sighting, Strength, Whose
from services.credentials.cases.rules_decision import Situation
from services.credentials.cases.rules_fold import Append, Known
from services.credentials.cases.store_cases import Key
from services.credentials.guard import breaker, store_guard
from services.credentials.guard.records import Arrival
from services.credentials.records import Fact
from services.credentials.reset import advance, store_steps


@dataclass(slots=True)
class _Desk:
    """What a batch has come to so far."""

    ground: Ground
    now: datetime
    cases: dict[Key, dict[int, Case]]
    known: dict[Key, Known]
    begun: dict[UUID, Situation] = field(default_factory=dict)
    placed: list[tuple[Sighting, str, UUID | None]] = field(default_factory=list)
    told: list[Fact] = field(default_factory=list)


async def taken(tx: Connection, sightings: Sequence[Sighting], *, now: datetime, released: bool = False) -> list[Fact]:
    """Keep exposures in their order, open and append to cases, and return what is to be told.

    A delivery that names more logins than the client's cap is held: kept, and no case of it opens, until a person has
    `released` it.
    """
    if not sightings:
        return []
    await store_cases.lock_clients(tx, {each.tenant for each in sightings})
    wanted = {(each.tenant, name) for each in sightings for name in (each.found.login, each.found.user) if name}
    before = await ground.load(tx, wanted, now=now)
    whose = {id(each): before.whose(each.tenant, each.found.login, each.found.user) for each in sightings}
    named = [] if released else [_arrival(each, whose[id(each)]) for each in sightings]
    tripped = await breaker.arrived(tx, named, now=now)
    guarding = await store_guard.load(tx, sorted(before.guarding), now=now)
    known = replace(before, guarding=guarding)  # the breakers as they stand now
    keys = {id(each): (each.tenant, rules_fold.identity_key(whose[id(each)])) for each in sightings}
    kept = await store_cases.load_known(tx, set(keys.values()))
    cases, exposures = {key: each for key, (each, _) in kept.items()}, {key: each for key, (_, each) in kept.items()}
    desk = _Desk(known, now, cases, exposures, told=tripped)
    for each in sightings:
        if each.found.named > known.guarding[each.tenant].policy.caps.per_delivery and not released:
            desk.placed.append((each, keys[id(each)][1], None))
        else:
            _place(desk, each, whose[id(each)])
    return await _saved(tx, desk)


def _arrival(sighting: Sighting, whose: Whose) -> Arrival:
    return Arrival(
        tenant=sighting.tenant,
        source=sighting.source,
        account=rules_fold.identity_key(whose),
        privileged=whose.identity is not None and whose.identity.privileged,
        named=sighting.found.named,
        received_at=sighting.cause.received_at,
        cause=sighting.cause,
    )


def _place(desk: _Desk, sighting: Sighting, whose: Whose) -> None:
    """Put one exposure where it belongs."""
    key = sighting.tenant, rules_fold.identity_key(whose)
    policy = desk.ground.guarding[sighting.tenant].policy
    place = rules_fold.place(sighting, desk.known[key], cooling=policy.cooling, now=desk.now)
    if isinstance(place, Append):
        case = rules_fold.grown(desk.cases[key][place.number], sighting)
        desk.told.append(facts.appended(case, sighting, why=place.why, at=desk.now))
    else:
        case = _begun(desk, sighting, whose, place.number)
    _note(desk, key, case, sighting)


def _begun(desk: _Desk, sighting: Sighting, whose: Whose, number: int) -> Case:
    tenant = sighting.tenant
    evidence = rules_evidence.evidence_of(sighting.found, received_at=sighting.cause.received_at)
    newest = desk.known[tenant, rules_fold.identity_key(whose)].newest
    policy = desk.ground.guarding[tenant].policy
    cooling = rules_fold.is_cooling(newest, cooling=policy.cooling, now=desk.now)
    was_reset = newest is not None and newest.reset_at is not None
    situation = replace(desk.ground.situation(tenant, whose, evidence), cooling=cooling and was_reset)
    verdict = rules_decision.decided(situation)
    dry_run = not advance.is_live(situation.policy, sighting.source)
    case = rules_fold.begun(sighting, whose, number=number, verdict=verdict, dry_run=dry_run, now=desk.now)
    desk.told.append(facts.opened(case, sighting.found))
    if verdict.decision is Decision.REMEDIATED:
        desk.told.append(facts.closed(case, verdict.why, at=desk.now))
        return replace(case, closed_at=desk.now, proof=verdict.why)
    desk.begun[case.id] = situation
    return case


def _note(desk: _Desk, key: Key, case: Case, sighting: Sighting) -> None:
    desk.cases[key][case.number] = case
    newest = desk.cases[key][max(desk.cases[key])]
    exposures = (*desk.known[key].exposures, (case.number, sighting.found))
    desk.known[key] = Known(newest=newest, exposures=exposures)
    desk.placed.append((sighting, key[1], case.id))


async def _saved(tx: Connection, desk: _Desk) -> list[Fact]:
    """Save what changed, give the first step of what is new its turn, and ask people where they must be asked."""
    now, known = desk.now, desk.ground
    cases = {case.id: case for cases in desk.cases.values() for case in cases.values()}
    touched = [cases[each] for each in sorted({case for _, _, case in desk.placed if case is not None})]
    await store_cases.save(tx, touched)
    await store_cases.keep_exposures(tx, desk.placed, now)
    begun = [case for case in touched if case.id in desk.begun]
    await advance.onward(tx, begun, {tenant: each.policy for tenant, each in known.guarding.items()}, now)
    await store_steps.hasten(tx, [case.id for case in touched if _is_stronger(case)], CaseStep.VERIFIED, now)
    told = desk.told
    for case in begun:
        if case.verdict.decision is Decision.ASK and not case.dry_run:
            told += await advance.ask(tx, case, desk.begun[case.id], now=now)
    return told


def _is_stronger(case: Case) -> bool:
    return case.verdict.rule is Rule.WEAK and case.evidence.strength is Strength.REAL
