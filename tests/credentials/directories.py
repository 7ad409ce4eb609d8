"""A directory in memory, which does what the protocol promises and fails where a test says so."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.events.credential import AccountKind
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed
from services.credentials.records import Account, Authority, Identity
from tests.builders import ACME, NOON


def account(object_id: str, *logins: str, **changes: object) -> Account:
    """Return an ordinary person's account; `changes` are what a test is about."""
    login = logins[0] if logins else f"{object_id}@acme.example"
    plain = Account(
        object_id=object_id,
        logins=logins or (login,),
        name=object_id.title(),
        authority=Authority.ON_PREM,
        enabled=True,
        mail=login,
        password_changed_at=NOON.replace(year=2025),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test says only what exists


def identity(shown: Account, **changes: object) -> Identity:
    """Return an ordinary person as we know them."""
    plain = Identity(
        tenant=ACME,
        directory="acme-ad",
        account=shown,
        kind=AccountKind.PERSON,
        kind_why="it has a mailbox, and nothing says otherwise",
        privileged=False,
        read_at=NOON,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test says only what exists


@dataclass
class KeptDirectory:
    """Accounts by their immutable id. `invalidated` and `revoked` are whom it was done to, in order.

    `failure` is raised by every call while it is set, and by `accounts` only after its first page; `forbidden` are
    accounts whose passwords our connector may not change.
    """

    accounts_by_id: dict[str, Account]
    clock: Callable[[], datetime] = lambda: NOON
    own: str | None = None
    verified: frozenset[str] = frozenset({"acme.example"})
    page_size: int = 2
    failure: Exception | None = None
    forbidden: frozenset[str] = frozenset()
    invalidated: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    closed: int = 0

    @classmethod
    def of(cls, *accounts: Account, **said: object) -> "KeptDirectory":
        """Return a directory that shows these accounts."""
        return cls({each.object_id: each for each in accounts}, **said)  # type: ignore[arg-type]

    async def accounts(self) -> AsyncIterator[Sequence[Account]]:
        """Yield the accounts in pages."""
        ordered = list(self.accounts_by_id.values())
        for start in range(0, len(ordered), self.page_size):
            yield ordered[start : start + self.page_size]
            self._fail_if_told()

    async def account(self, object_id: str) -> Account | None:
        """Return one account."""
        self._fail_if_told()
        return self.accounts_by_id.get(object_id)

    async def domains(self) -> frozenset[str]:
        """Return the verified domains."""
        return self.verified

    async def own_id(self) -> str | None:
        """Return who we are."""
        return self.own

    async def invalidate(self, object_id: str) -> None:
        """Change the password to one that nobody knows."""
        self._fail_if_told()
        if object_id in self.forbidden:
            raise NotAllowed(f"{object_id}: the directory forbids it")
        if object_id not in self.accounts_by_id:
            raise NoSuchAccount(object_id)
        self.invalidated.append(object_id)
        before = self.accounts_by_id[object_id]
        self.accounts_by_id[object_id] = replace(before, password_changed_at=self.clock())

    async def revoke(self, object_id: str) -> str:
        """End what is open."""
        self._fail_if_told()
        self.revoked.append(object_id)
        return "nothing stays alive"

    async def close(self) -> None:
        """Count."""
        self.closed += 1

    def _fail_if_told(self) -> None:
        if self.failure is not None:
            raise self.failure
