"""How a step ends: done, passed by, parked, or overtaken by another decision; each in one transaction with its fact."""

from collections.abc import Callable
from datetime import datetime

from chassis import points
from chassis.clock import Clock
from chassis.postgres import Connection, Pool, transaction
from chassis.relay import Relay
from chassis.telemetry import METERS, Count
from contracts.events.credential import CaseStep
from services.credentials import telling
from services.credentials.cases import facts, store_cases
from services.credentials.cases.records import Case
from services.credentials.directory import rules_identity, store_identity
from services.credentials.guard import breaker, store_guard
from services.credentials.records import Identity
from services.credentials.reset import advance, store_steps
from services.credentials.reset.records import Around, act_of
from services.credentials.reset.store_steps import LostLease, Turn

Change = Callable[[Case], Case]


def unchanged(case: Case) -> Case:
    """Return the case as it is."""
    return case


class Endings:
    """Records what became of steps."""

    def __init__(self, *, pool: Pool, clock: Clock, relay: Relay) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._clock = clock
        self._relay = relay

    async def load(self, turn: Turn) -> Around:
        """Return everything about a leased step.

        Raises:
            LostLease: someone else has it.
        """
        async with transaction(self._pool) as tx:
            case = await self._locked(tx, turn)
            await store_steps.still_mine(tx, turn)
            guarding = (await store_guard.load(tx, [turn.tenant], now=self._clock()))[turn.tenant]
            rows = (await store_steps.load_for_update(tx, [turn.case]))[turn.case]
            identity = await _identity(tx, case)
        weighed = None if identity is None else rules_identity.weighed(identity, guarding.policy)
        return Around(case=case, rows=rows, guarding=guarding, identity=weighed)

    async def done(self, turn: Turn, proof: str, change: Change = unchanged, *, succeeded: bool | None = None) -> None:
        """Note that a step is done, tell it, and give the next its turn. `succeeded`: how the act ended, for breakers.

        Raises:
            LostLease: someone else has it.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            case = change(await self._locked(tx, turn))
            await store_steps.finish(tx, turn, proof, now)
            await store_cases.save(tx, [case])
            told = [facts.step_done(case, turn.step, proof, at=now)]
            if turn.step is CaseStep.CLOSED:
                told = [facts.closed(case, proof, at=now)]
            await self._onward(tx, case, now)
            await telling.tell(tx, told)
            if succeeded is not None:
                await breaker.ended(tx, act_of(turn, case), now, succeeded=succeeded)
        points.reached("step after the record")
        self._relay.wake()
        METERS.add(Count.EFFECTS, kind=turn.step, outcome="done")

    async def passed(self, turn: Turn, reason: str) -> None:
        """Go on without a step.

        Raises:
            LostLease: someone else has it.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            case = await self._locked(tx, turn)
            await store_steps.pass_by(tx, turn, reason, now)
            await self._onward(tx, case, now)
        METERS.add(Count.EFFECTS, kind=turn.step, outcome="passed")

    async def parked(self, turn: Turn, reason: str) -> None:
        """Leave a step to a person, and tell it. A reset that was begun and cannot be shown counts as failed.

        Raises:
            LostLease: someone else has it.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            case = await self._locked(tx, turn)
            await store_steps.park(tx, turn, reason)
            await telling.tell(tx, [facts.parked(case, turn.step, reason, at=now)])
            if turn.step in {CaseStep.REVOKED, CaseStep.READ_BACK}:
                await breaker.ended(tx, act_of(turn, case), now, succeeded=False)
        self._relay.wake()
        METERS.add(Count.EFFECTS, kind=turn.step, outcome="parked")

    async def _onward(self, tx: Connection, case: Case, now: datetime) -> None:
        guarding = await store_guard.load(tx, [case.tenant], now=now)
        await advance.onward(tx, [case], {case.tenant: guarding[case.tenant].policy}, now)

    async def _locked(self, tx: Connection, turn: Turn) -> Case:
        case = (await store_cases.load_for_update(tx, [turn.case])).get(turn.case)
        if case is None or case.closed_at is not None:
            raise LostLease(f"{turn.case} is over")
        return case


async def _identity(tx: Connection, case: Case) -> Identity | None:
    if case.directory is None or case.object_id is None:
        return None
    return await store_identity.load(tx, case.directory, case.object_id)
