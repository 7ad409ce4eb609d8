"""The steps at a directory: make the password invalid, end sessions, read back. Look up, ask again, act, record."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from chassis import points
from chassis.clock import Clock
from chassis.errors import NeverWorks
from chassis.http import Unavailable
from chassis.postgres import Pool, transaction
from contracts.events.credential import Decision
from services.credentials.adapters.directory import Directory, NoSuchAccount, NotAsWritten
from services.credentials.cases.records import Case
from services.credentials.directory import rules_identity, store_identity
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Account, Identity
from services.credentials.reset import rules_steps, store_steps
from services.credentials.reset.alone import alone
from services.credentials.reset.directories import Directories
from services.credentials.reset.ending import Endings
from services.credentials.reset.leave import Leave
from services.credentials.reset.puzzles import PAUSE_SECONDS, Puzzles
from services.credentials.reset.records import Around, NotYet, Patience
from services.credentials.reset.store_steps import Turn

OTHERS_READ: Final = 20
"""So many other accounts with power are read again, to see that one of them still lets people in."""

SHOW_AGAIN_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An account as the directory showed it just now, and others with power of the same directory."""

    identity: Identity
    others: tuple[Identity, ...]


class AtDirectory:
    """Carries out the steps that write to a directory or read it back."""

    def __init__(
        self,
        *,
        pool: Pool,
        directories: Directories,
        endings: Endings,
        leave: Leave,
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._directories = directories
        self._endings = endings
        self._leave = leave
        self._clock = clock
        self._patience = patience
        self._puzzles = Puzzles()

    async def invalidate(self, turn: Turn) -> None:
        """Make the exposed password invalid, if that is still what is to be done.

        Raises:
            NotYet, Unavailable: postpone it.
            LostLease: someone else has it.
        """
        around = await self._endings.load(turn)
        if around.case.verdict.decision is not Decision.RESET:
            await self._leave.answered(turn)
            return
        if turn.acted_at is None and around.guarding.held is None:
            await self._leave.awaited(around.case, around.guarding.policy)
        async with self._serialised(around.case):
            try:
                await self._invalidate(turn, around)
            except NeverWorks as error:
                if self._puzzles.is_worth_asking_again(turn, error):
                    raise NotYet(str(error), seconds=PAUSE_SECONDS) from error
                await self._leave.failed(turn, str(error))

    async def _invalidate(self, turn: Turn, around: Around) -> None:
        directory = await self._directories.of(_directory(around.case))
        seen = await self._seen(directory, around)
        account, before = seen.identity.account, around.case.password_before
        if turn.acted_at is not None:
            if rules_steps.shows_reset(before, account):
                await self._record(turn, account)
                return
            if self._clock() - turn.acted_at < self._patience.settle:
                raise NotYet("a write may have happened; looking until it must show", seconds=SHOW_AGAIN_SECONDS)
        permit = await self._leave.asked(turn, seen.identity, seen.others)
        if permit is None:
            return
        if self._clock() > permit.until:
            await store_steps.forget_act(self._pool, turn, before=turn.acted_at)
            raise NotYet("the leave to act has ended before the act", seconds=SHOW_AGAIN_SECONDS)
        await self._act(turn, directory, account)

    async def _act(self, turn: Turn, directory: Directory, account: Account) -> None:
        points.reached("step before invalidated")
        try:
            await directory.invalidate(account.object_id)
        except Unavailable as error:
            if not error.ambiguous:
                await store_steps.forget_act(self._pool, turn, before=turn.acted_at)
            raise
        points.reached("step after invalidated")
        await self._record(turn, account)

    async def _record(self, turn: Turn, account: Account) -> None:
        now = self._clock()
        proof = f"the password of {account.logins[0]} was replaced by a random one that nobody is told"
        await self._endings.done(turn, proof, lambda case: replace(case, reset_at=case.reset_at or now))

    async def revoke(self, turn: Turn) -> None:
        """End sessions and refresh tokens, here and in the directories that copy the account.

        Raises:
            NotYet, Unavailable: postpone it.
            NeverWorks: a person must look.
            LostLease: someone else has it.
        """
        around = await self._endings.load(turn)
        await self._leave.to_write(turn, around.case)
        async with transaction(self._pool) as tx:
            wanted = (around.case.tenant, around.case.login)
            copies = (await store_identity.find(tx, [wanted])).get(wanted, [])
            await store_steps.begin_act(tx, turn, self._clock())
        places = {_directory(around.case): _object(around.case)} | {
            each.directory: each.object_id for each in copies if each.directory != around.case.directory
        }
        points.reached("step before revoked")
        words = [await (await self._directories.of(name)).revoke(object_id) for name, object_id in places.items()]
        points.reached("step after revoked")
        await self._endings.done(turn, "; ".join(f"{name}: {said}" for name, said in zip(places, words, strict=True)))

    async def read_back(self, turn: Turn) -> None:
        """See that the directory shows the change.

        Raises:
            NotYet, Unavailable: postpone it.
            NoSuchAccount, NotAsWritten: a person must look.
            LostLease: someone else has it.
        """
        around = await self._endings.load(turn)
        directory = await self._directories.of(_directory(around.case))
        points.reached("step before read_back")
        account = (await self._seen(directory, around, alone=True)).identity.account
        points.reached("step after read_back")
        changed_at = account.password_changed_at
        proof = self._shown(around, account)
        await self._endings.done(turn, proof, lambda case: replace(case, password_after=changed_at), succeeded=True)

    def _shown(self, around: Around, account: Account) -> str:
        """Return in words what the directory shows of our reset."""
        reset_at = around.case.reset_at or self._clock()
        match rules_steps.shows_reset(around.case.password_before, account):
            case True:
                before = _moment(around.case.password_before)
                return f"the directory shows a change at {_moment(account.password_changed_at)}, before it was {before}"
            case None:
                return "the directory took the change; it never tells when a password was changed"
            case _ if self._clock() - reset_at < self._patience.settle:
                raise NotYet("the change does not show yet", seconds=SHOW_AGAIN_SECONDS)
            case _:
                raise NotAsWritten("the directory took the change and shows none: look whether the old password works")

    async def look(self, around: Around) -> Account:
        """Return a case's account as its directory shows it now, kept as read.

        Raises:
            NoSuchAccount: it is gone.
        """
        directory = await self._directories.of(_directory(around.case))
        return (await self._seen(directory, around, alone=True)).identity.account

    async def _seen(self, directory: Directory, around: Around, *, alone: bool = False) -> Seen:
        """Read the account now, and who else has power unless it is looked at `alone`; keep what was read."""
        case, policy = around.case, around.guarding.policy
        at, own_id = self._clock(), await directory.own_id()
        identity = await _read(directory, case, _object(case), policy, own_id=own_id, at=at)
        if identity is None:
            raise NoSuchAccount(f"{case.directory}: there is no account {case.object_id} any more")
        others: list[Identity] = []
        if identity.privileged and not alone:
            async with transaction(self._pool) as tx:
                known = await self._leave.others(tx, identity)
            for other in known[:OTHERS_READ]:
                fresh = await _read(directory, case, other, policy, own_id=own_id, at=at)
                others += [] if fresh is None else [fresh]
                if rules_identity.admin_paths(others):
                    break
        async with transaction(self._pool) as tx:
            for each in sorted((identity, *others), key=lambda one: one.object_id):
                await store_identity.save_fresh(tx, each)
        return Seen(identity=identity, others=tuple(others))

    @asynccontextmanager
    async def _serialised(self, case: Case) -> AsyncIterator[None]:
        """Let accounts with power of one client be acted upon one after the other."""
        if not case.privileged:
            yield
            return
        async with alone(self._pool, case.tenant):
            yield


async def _read(
    directory: Directory, case: Case, object_id: str, policy: GuardPolicy, *, own_id: str | None, at: datetime
) -> Identity | None:
    account = await directory.account(object_id)
    if account is None:
        return None
    found = rules_identity.classified(account, policy, own_id)
    return Identity(
        tenant=case.tenant,
        directory=_directory(case),
        account=account,
        kind=found.kind,
        kind_why=found.why,
        privileged=found.privileged,
        read_at=at,
    )


def _directory(case: Case) -> str:
    if case.directory is None:
        raise LookupError(f"{case.id} is about nobody's account")
    return case.directory


def _object(case: Case) -> str:
    if case.object_id is None:
        raise LookupError(f"{case.id} is about nobody's account")
    return case.object_id


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
