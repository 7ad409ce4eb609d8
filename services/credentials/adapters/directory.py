"""What a directory must be able to do, and the ways in which it can say no."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from chassis.errors import MayWorkLater, NeverWorks
from services.credentials.records import Account


class NotAllowed(NeverWorks):
    """The directory forbids it to our connector: a guard that is never widened by us. A person must act."""


class NoSuchAccount(NeverWorks):
    """There is no account of this id any more."""


class NotHere(NeverWorks):
    """The password of this account is decided elsewhere: changing it here would be undone or would change its owner."""


class NotAsWritten(NeverWorks):
    """The directory accepted a write and shows that nothing changed: a person must look."""


class TooEarly(MayWorkLater):
    """A write was accepted and does not show yet."""


class Directory(Protocol):
    """An identity provider.

    All calls raise `chassis.http.Refused` (or a `NeverWorks` above) for what will never work and
    `chassis.http.Unavailable` for what may work later; `ambiguous` tells that a write may have happened all the same.
    Adapters hold no state that matters, keep no secret in a field that is shown, and log none.
    """

    def accounts(self) -> AsyncIterator[Sequence[Account]]:
        """Yield all accounts in pages. An iteration that ends without an error has shown every account."""
        ...

    async def account(self, object_id: str) -> Account | None:
        """Return one account as it is now, read from the source of authority; `None`: it is gone."""
        ...

    async def domains(self) -> frozenset[str]:
        """Return the domains that the directory has verified as its own, lower case."""
        ...

    async def own_id(self) -> str | None:
        """Return the immutable id of the account that we act with; `None` where it is no account of the directory."""
        ...

    async def invalidate(self, object_id: str) -> None:
        """Make the account's password invalid: a long random one that nobody is told, never the flag alone.

        Raises:
            NotAllowed, NoSuchAccount, NotHere, NotAsWritten: see there.
        """
        ...

    async def revoke(self, object_id: str) -> str:
        """End sessions and refresh tokens, and return in words what stays alive, and for how long."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
