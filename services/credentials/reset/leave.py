"""Leave to act: the table and the guard asked again, with what was just read, right before anything is written.

Everything that could say no is asked in the one transaction that notes that the act begins.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chassis.clock import Clock
from chassis.postgres import Connection, Pool, transaction
from chassis.relay import Relay
from contracts.events.credential import CaseStep, Decision
from services.credentials import telling
from services.credentials.cases import facts, ground, rules_decision, store_cases
from services.credentials.cases.records import Case
from services.credentials.cases.rules_decision import Situation
from services.credentials.directory import rules_identity, store_identity
from services.credentials.guard import breaker, store_guard
from services.credentials.guard.policy import GuardPolicy
from services.credentials.guard.records import Permit
from services.credentials.people import approvals
from services.credentials.people.records import RequestState
from services.credentials.records import Fact, Identity
from services.credentials.reset import advance, rules_steps, store_steps
from services.credentials.reset.records import NotYet, act_of
from services.credentials.reset.store_steps import LostLease, Turn

STALE_PAUSE_SECONDS: Final = 15.0
BATCH_PAUSE_SECONDS: Final = 2.0
HELD_PAUSE_SECONDS: Final = 5.0


class Leave:
    """Says whether an act may begin."""

    def __init__(self, *, pool: Pool, clock: Clock, relay: Relay) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._clock = clock
        self._relay = relay

    async def asked(self, turn: Turn, identity: Identity, others: Collection[Identity]) -> Permit | None:
        """Return the leave to make a password invalid, having noted that it begins; `None`: it was decided otherwise.

        `identity`, and `others` with power in the same directory, were read just now.

        Raises:
            NotYet: a directory is stale, or earlier resets of the client are not verified yet.
            LostLease: someone else has the step.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            await store_guard.lock(tx, [turn.tenant])
            case = await _still_approved(tx, await _locked(tx, turn), now)
            read = [identity, *others]
            situation = await _situation(tx, case, now, read)
            permit = await self._permit(tx, turn, case, situation, now=now)
            if permit is not None:
                await store_steps.begin_act(tx, turn, now)
                await store_cases.save(tx, [_with_before(case, turn, identity)])
            else:
                situation = await _situation(tx, case, now, read)  # the breaker may have tripped
                await telling.tell(tx, await _otherwise(tx, turn, case, situation, now=now))
        self._relay.wake()
        return permit

    async def _permit(
        self, tx: Connection, turn: Turn, case: Case, situation: Situation, *, now: datetime
    ) -> Permit | None:
        """Return the guard's leave, if the table says reset and the client is past its dry run."""
        verdict, policy = rules_decision.decided(situation), situation.policy
        if verdict.decision is not Decision.RESET or not advance.is_live(policy, case.source):
            return None
        await _wait(tx, case, policy, now)
        identity = situation.whose.identity
        privileged = identity is not None and identity.privileged
        answer = await breaker.may_act(tx, replace(act_of(turn, case), privileged=privileged), now)
        return answer if isinstance(answer, Permit) else None

    async def awaited(self, case: Case, policy: GuardPolicy) -> None:
        """Spare the directory a reading where the case has to wait all the same.

        Raises:
            NotYet: a directory is stale, or earlier resets of the client are not verified yet.
        """
        async with transaction(self._pool) as tx:
            await _wait(tx, case, policy, self._clock())

    async def answered(self, turn: Turn) -> None:
        """Decide anew a case that waits for people, and whose time is over or that was answered.

        Raises:
            LostLease: someone else has the step.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            case = await _locked(tx, turn)
            standing = (await approvals.standing(tx, [case.id], now=now)).get(case.id)
            if case.verdict.decision is Decision.ASK and standing is not None:
                granted = standing.state is RequestState.GRANTED
                over = standing.state is not RequestState.OPEN
                case = replace(case, approved=granted, turned_down=over and not granted)
            await telling.tell(tx, await _otherwise(tx, turn, case, await _situation(tx, case, now, ()), now=now))
        self._relay.wake()

    async def failed(self, turn: Turn, reason: str) -> None:
        """Leave a reset that the directory refuses to a person, tell why, and go on with telling the owner.

        Raises:
            LostLease: someone else has the step.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            case = replace(await _locked(tx, turn), failed=reason)
            told = [facts.parked(case, turn.step, reason, at=now)]
            told += await _otherwise(tx, turn, case, await _situation(tx, case, now, ()), now=now)
            await telling.tell(tx, told)
            await breaker.ended(tx, act_of(turn, case), now, succeeded=False)
        self._relay.wake()

    async def to_write(self, turn: Turn, case: Case) -> None:
        """Make sure that nobody has stopped all writing for the client.

        Raises:
            NotYet: somebody has.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            answer = await breaker.may_act(tx, act_of(turn, case), now)
        if not isinstance(answer, Permit):
            raise NotYet(answer.why, seconds=HELD_PAUSE_SECONDS)

    async def others(self, tx: Connection, identity: Identity) -> list[str]:
        """Return who else has power in the directory of `identity` and is not away, the likeliest way in first."""
        away = await store_cases.out_of_reach(tx, identity.tenant)
        known = [
            each
            for each in await store_identity.privileged(tx, identity.tenant)
            if each.directory == identity.directory and each.object_id != identity.object_id
        ]
        paths = rules_identity.admin_paths(known)
        first = sorted(known, key=lambda each: ((each.directory, each.object_id) not in paths, each.object_id))
        return [each.object_id for each in first if (each.directory, each.object_id) not in away]


async def _locked(tx: Connection, turn: Turn) -> Case:
    case = (await store_cases.load_for_update(tx, [turn.case])).get(turn.case)
    if case is None or case.closed_at is not None:
        raise LostLease(f"{turn.case} is over")
    await store_steps.still_mine(tx, turn)
    return case


async def _wait(tx: Connection, case: Case, policy: GuardPolicy, now: datetime) -> None:
    """Wait while a directory of the client is stale, or earlier resets of it are not verified.

    Raises:
        NotYet: says which.
    """
    if not await store_identity.fresh(tx, case.tenant, now, within=policy.fresh):
        raise NotYet("a directory of the client is stale: nothing is reset", seconds=STALE_PAUSE_SECONDS)
    begun, verified = await store_steps.wave(tx, case.tenant, since=now - policy.cooling, but=case.id)
    if rules_steps.batch_is_full(begun=begun, verified=verified, batches=policy.caps.batches):
        raise NotYet(f"waits until earlier resets are verified: {verified} of {begun}", seconds=BATCH_PAUSE_SECONDS)


async def _still_approved(tx: Connection, case: Case, now: datetime) -> Case:
    """Return the case with what people say now: what was granted ends, and so does an enrolment."""
    if not case.approved:
        return case
    standing = (await approvals.standing(tx, [case.id], now=now)).get(case.id)
    return replace(case, approved=standing is not None and standing.state is RequestState.GRANTED)


async def _situation(tx: Connection, case: Case, now: datetime, just_read: Collection[Identity]) -> Situation:
    """Return what the table looks at; what was just read is believed, and of who has power in a directory alone."""
    wanted = {(case.tenant, name) for name in (case.login, case.object_id) if name}
    known = (await ground.load(tx, wanted, now=now)).with_read(just_read)
    if powerful := [each for each in just_read if each.privileged]:
        read = {each.directory for each in powerful}
        elsewhere = [each for each in known.powerful[case.tenant] if each.directory not in read]
        known = replace(known, powerful={case.tenant: [*powerful, *elsewhere]})
    whose = known.whose(case.tenant, case.login, case.object_id)
    return known.situation(case.tenant, whose, case.evidence, case)


async def _otherwise(tx: Connection, turn: Turn, case: Case, situation: Situation, *, now: datetime) -> list[Fact]:
    """Decide a case anew whose reset was about to begin, and return what is to be told."""
    await store_steps.forget_act(tx, turn)
    changed, told = await advance.decide_anew(tx, case, situation, now=now)
    if CaseStep.INVALIDATED in rules_steps.route(changed):
        asked = changed.verdict.decision is Decision.ASK
        until = now + timedelta(hours=situation.policy.approval_hours) if asked else now
        await store_steps.postpone(tx, turn, until=until, reason=changed.verdict.why)
    return told


def _with_before(case: Case, turn: Turn, identity: Identity) -> Case:
    """Return the case with the last change of the password before ours; a second try keeps the first's."""
    if turn.acted_at is not None:
        return case
    return replace(case, password_before=identity.account.password_changed_at)
