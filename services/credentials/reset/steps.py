"""What each step of a case is: look up, act, read back, record."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from chassis import points
from chassis.clock import Clock
from chassis.postgres import Pool, transaction
from contracts.events.credential import CaseStep, Decision
from contracts.events.exposure import ExposureFound
from services.credentials import telling
from services.credentials.adapters.directory import NotAsWritten
from services.credentials.adapters.mail import Mail
from services.credentials.cases import ground, rules_evidence, store_cases, store_history
from services.credentials.cases.records import Strength
from services.credentials.directory import store_identity
from services.credentials.guard.policy import Owner
from services.credentials.people import approvals, notice
from services.credentials.people.notice import Telling
from services.credentials.people.rules_notice import Story
from services.credentials.reset import advance, rules_steps, store_steps
from services.credentials.reset.at_directory import AtDirectory
from services.credentials.reset.ending import Endings
from services.credentials.reset.records import Around, NotYet, Patience
from services.credentials.reset.store_steps import Turn


class Steps:
    """Carries out leased steps."""

    def __init__(
        self,
        *,
        pool: Pool,
        at_directory: AtDirectory,
        endings: Endings,
        mail: Mail | None,
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Share the process's parts; without `mail` people tell owners."""
        self._pool = pool
        self._at_directory = at_directory
        self._endings = endings
        self._mail = mail
        self._clock = clock
        self._patience = patience

    async def carry_out(self, turn: Turn) -> None:
        """Bring one leased step as far as it goes now.

        Raises:
            LostLease: someone else has it.
            NeverWorks: park it.
            MayWorkLater: postpone it.
        """
        match turn.step:
            case CaseStep.TICKETED:
                await self._ticketed(turn)
            case CaseStep.INVALIDATED:
                await self._at_directory.invalidate(turn)
            case CaseStep.REVOKED:
                await self._at_directory.revoke(turn)
            case CaseStep.READ_BACK:
                await self._at_directory.read_back(turn)
            case CaseStep.NOTIFIED:
                await self._notified(turn)
            case CaseStep.VERIFIED:
                await self._verified(turn)
            case CaseStep.CLOSED:
                await self._closed(turn)
            case CaseStep.OPENED:
                raise LookupError(f"{turn.case}: a case is opened by its exposure")
            case _:
                assert_never(turn.step)

    async def _ticketed(self, turn: Turn) -> None:
        """Go on: the ticket is there, or was waited for long enough. It is linked when it comes."""
        points.reached("step before ticketed")
        around = await self._endings.load(turn)
        points.reached("step after ticketed")
        if around.case.ticket_key is None:
            await self._endings.passed(turn, "the ticket was not there in time; it is linked when it comes")
        else:
            number = around.case.ticket_number or around.case.ticket_key
            await self._endings.done(turn, f"ticket {number} was opened and read back")

    async def _notified(self, turn: Turn) -> None:
        """Tell the client's designated owner: by mail, at least once with a stable Message-ID, or a person did."""
        around = await self._endings.load(turn)
        if around.case.told_by_hand is not None:
            await self._endings.done(turn, f"a person told the owner: {around.case.told_by_hand}")
            return
        telling_ = await self._telling(around)
        points.reached("step before notified")
        proof = await notice.send(self._pool, self._mail, telling_, now=self._clock())
        points.reached("step after notified")
        await self._endings.done(turn, proof)

    async def _telling(self, around: Around) -> Telling:
        async with transaction(self._pool) as tx:
            exposures = await store_cases.load_exposures(tx, around.case.id)
            client = await store_history.client(tx, around.case.tenant)
            wanted = (around.case.tenant, around.case.login)
            accounts = [around.identity, *(await store_identity.find(tx, [wanted])).get(wanted, [])]
        owner = around.guarding.policy.owner
        if owner.mail is None and client is not None and client.owner_contact and "@" in client.owner_contact:
            owner = Owner.model_validate(owner.model_dump() | {"mail": client.owner_contact})
        return Telling(
            tenant=around.case.tenant,
            case=around.case.id,
            owner=owner,
            names=frozenset({around.case.login}).union(*map(advance.names_of, accounts)),
            story=_story(around, exposures, client.name if client else "your company"),
        )

    async def _verified(self, turn: Turn) -> None:
        """See that the directory shows, later on, that the exposed password is no longer in use.

        Raises:
            NotYet: it does not show yet, or a person has to do something first.
        """
        around = await self._endings.load(turn)
        points.reached("step before verified")
        if around.case.reset_at is not None:
            proof = await self._reset_verified(around)
        elif rules_steps.is_to_be_decided_anew(around.case) and await self._decided_anew(turn):
            return
        else:
            proof = await self._person_verified(around)
        points.reached("step after verified")
        await self._endings.done(turn, proof)

    async def _reset_verified(self, around: Around) -> str:
        """Return what a later reading shows of our reset: one of the schedule, else one of our own.

        One that is later than now was read by a clock that ran ahead, before the reset perhaps.
        """
        read_back_at = around.done_at(CaseStep.READ_BACK) or self._clock()
        stored = around.identity
        if stored is not None and read_back_at < stored.read_at <= self._clock():
            account, read_at = stored.account, stored.read_at
        elif self._clock() < read_back_at + self._patience.verify:
            wait = read_back_at + self._patience.verify - self._clock()
            raise NotYet("waits for a later reading of the directory", seconds=min(wait.total_seconds(), 5.0))
        else:
            account, read_at = await self._at_directory.look(around), self._clock()
        if rules_steps.shows_reset(around.case.password_before, account) is False:
            raise NotAsWritten("a later reading of the directory shows the old password again: look into it now")
        changed = account.password_changed_at
        shown = "the account as it was read back" if changed is None else f"a change at {_moment(changed)}"
        return f"the directory, read at {_moment(read_at)}, shows {shown}"

    async def _person_verified(self, around: Around) -> str:
        """Return what shows that people have done their part.

        Raises:
            NotYet: nothing does so far.
        """
        case, identity, now = around.case, around.identity, self._clock()
        if case.ticket_closed_at is not None and case.verdict.rule in rules_steps.ENDED_BY_TICKET:
            return f"a person closed the ticket at {_moment(case.ticket_closed_at)}"
        changed = rules_steps.shown_change(case, identity.account) if identity is not None else None
        if changed is not None:
            return f"the directory shows that the password was changed at {_moment(changed)}"
        if case.object_id is not None and identity is None:
            return "the directory does not have the account any more"
        pause = rules_steps.watch_again(case.opened_at, now)
        raise NotYet(f"waits for a person: {case.verdict.why}", seconds=pause.total_seconds())

    async def _decided_anew(self, turn: Turn) -> bool:
        """Decide a waiting case anew; return whether it goes another way now."""
        now = self._clock()
        async with transaction(self._pool) as tx:
            case = (await store_cases.load_for_update(tx, [turn.case]))[turn.case]
            await store_steps.still_mine(tx, turn)
            if case.retry_at is not None:
                case = replace(case, failed=None, turned_down=False, approved=False)
            wanted = {(case.tenant, name) for name in (case.login, case.object_id) if name}
            known = await ground.load(tx, wanted, now=now)
            whose = known.whose(case.tenant, case.login, case.object_id)
            situation = known.situation(case.tenant, whose, case.evidence, case)
            _, told = await advance.decide_anew(tx, case, situation, now=now)
            await telling.tell(tx, told)
            rows = (await store_steps.load_for_update(tx, [case.id]))[case.id]
        return CaseStep.VERIFIED not in rows

    async def _closed(self, turn: Turn) -> None:
        """End the case, with all that shows why."""
        around = await self._endings.load(turn)
        case, now = around.case, self._clock()
        proof = _proof(around)
        points.reached("step before closed")
        async with transaction(self._pool) as tx:
            await approvals.withdraw(tx, [case.id], now=now)
        await self._endings.done(turn, proof, lambda each: replace(each, closed_at=now, proof=proof))
        points.reached("step after closed")


def _story(around: Around, exposures: Sequence[ExposureFound], client: str) -> Story:
    """Return what the owner is told: the strongest exposure, and what was really done."""
    case = around.case
    strong = [each for each in exposures if rules_evidence.strength_of(each) is Strength.REAL]
    found = next(iter(strong or exposures), None)
    story = Story(
        case=str(case.id),
        client=client,
        login=case.login,
        decision=case.verdict.decision,
        breach=case.breach,
        invalidated_at=around.done_at(CaseStep.INVALIDATED),
        revoked_at=around.done_at(CaseStep.REVOKED),
        tail=around.proof(CaseStep.REVOKED),
        waits_for=None if case.verdict.decision is Decision.RESET else case.verdict.why,
        ticket=case.ticket_number,
        dry_run=case.dry_run,
    )
    if found is None:
        return story
    return replace(story, origin=found.origin, form=found.form, breach=found.breach, exposed_at=found.exposed_at)


def _proof(around: Around) -> str:
    """Return in one sentence why the case can be believed to be over."""
    case = around.case
    if case.verdict.decision is Decision.REMEDIATED:
        return case.verdict.why
    parts = [around.proof(step) for step in (CaseStep.READ_BACK, CaseStep.VERIFIED)]
    return "; ".join(part for part in parts if part) or case.verdict.why


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
