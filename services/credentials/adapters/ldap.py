"""LDAP over TLS to one pinned server, for the adapters of directories: what is read, what is written, what goes wrong.

ldap3 does the protocol, in a thread; everything that it raises or answers becomes one of our errors here. No referral
is followed: only the server that was named is ever spoken to. Why ldap3: ADR 0036.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import ldap3
from ldap3.core.exceptions import LDAPCommunicationError, LDAPException, LDAPResponseTimeoutError
from pydantic import SecretStr

from chassis.errors import NeverWorks
from chassis.http import Breaker, OutOfTime, Unavailable
from chassis.telemetry import METERS, Count, Duration
from chassis.turns import Turns, caller, uptime
from services.credentials.adapters import ldap_wire
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotAsWritten
from services.credentials.adapters.ldap_wire import Changes, Result, Scope, Server
from services.credentials.adapters.rules_ldap import Entry, Meaning, meaning

IDLE_SECONDS: Final = 20.0
"""A connection that was idle longer is not trusted with another operation: servers close such without a word."""

_OPENING_PARTS: Final = 3
"""Connecting, the TLS handshake and the bind may each take a time-out of their own."""

_NO_ANSWER: Final = (LDAPCommunicationError, LDAPResponseTimeoutError, OSError, ValueError, LookupError, TypeError)
"""What ldap3 raises when the connection breaks, or when what comes over it is no LDAP."""


class LdapRefused(NeverWorks):
    """The server understood and said no, for a reason that a person must look at."""


class Ldap:
    """One connection to one server, opened when first needed and again after it broke. One operation at a time."""

    def __init__(self, server: Server, user: str, password: Callable[[], SecretStr]) -> None:
        """Check the address; nothing is sent yet. The password is asked for at each login, so that it can be renewed.

        Raises:
            WrongSetting: it is no `ldaps://` address, or the file with the authority's certificate cannot be used.
        """
        self.host = server.host
        self._limits = server
        self._server = ldap_wire.resolved(server)
        self._user = user
        self._password = password
        self._connection: ldap3.Connection | None = None
        self._used_at = 0.0
        self._lock = asyncio.Lock()
        self._turns = Turns(rate=server.calls_per_second, burst=server.calls_per_second)
        self._breaker = Breaker(server.breaker_failures, server.breaker_seconds)

    async def search(
        self, base: str, where: str, attributes: Sequence[str], *, scope: Scope = "SUBTREE"
    ) -> Sequence[Entry]:
        """Return what is found; nothing where `base` does not exist.

        Raises:
            NotAllowed, LdapRefused, Unavailable: see there.
        """
        result = await self._do(lambda on: ldap_wire.searched(on, base, where, attributes=attributes, scope=scope))
        return () if self._judged(result) is Meaning.GONE else result.entries

    async def one(self, base: str, where: str, attributes: Sequence[str], *, scope: Scope = "SUBTREE") -> Entry | None:
        """Return the only entry that is found; `None`: there is none.

        Raises:
            LdapRefused: there are several, so that nobody can say which is meant.
        """
        found = await self.search(base, where, attributes, scope=scope)
        if len(found) > 1:
            raise LdapRefused(f"{self.host}: {len(found)} entries where there can be one")
        return found[0] if found else None

    async def pages(self, base: str, where: str, attributes: Sequence[str]) -> AsyncIterator[Sequence[Entry]]:
        """Yield all that is found below `base`, page by page, on a connection of its own: its cookies end with it.

        Raises:
            LdapRefused: also where `base` does not exist, or the server shows a part alone.
            NotAllowed, Unavailable: see there.
        """
        own = Ldap(self._limits, self._user, self._password)
        try:
            cookie: bytes | None = None
            while True:
                result = await own._page(base, where, attributes, cookie)
                yield result.entries
                cookie = result.cookie
                if not cookie:
                    return
        finally:
            await own.close()

    async def replace(self, dn: str, changes: Changes) -> None:
        """Give attributes of one entry other values.

        Raises:
            NoSuchAccount, NotAllowed, LdapRefused: it did not happen.
            Unavailable: `ambiguous` tells whether it may have happened.
        """
        await self._write(lambda on: ldap_wire.replaced(on, dn, changes))

    async def set_password(self, dn: str, password: str) -> None:
        """Set a password, which the server hashes.

        Raises:
            As `replace`.
        """
        await self._write(lambda on: ldap_wire.password_set(on, dn, password))

    async def whoami(self) -> str:
        """Return who the server takes us for, such as `dn:cn=x`; empty where it does not tell."""
        result = await self._do(ldap_wire.asked_who)
        return result.said if result.code == 0 else ""

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.to_thread(ldap_wire.dropped, connection)

    async def _page(self, base: str, where: str, attributes: Sequence[str], cookie: bytes | None) -> Result:
        if cookie is not None and self._connection is None:
            raise Unavailable(f"{self.host}: the connection was lost between two pages")
        size = self._limits.page_size
        result = await self._do(
            lambda on: ldap_wire.page(on, base, where, attributes=attributes, size=size, cookie=cookie),
            idle_seconds=None,
        )
        if self._judged(result) is Meaning.GONE:
            raise LdapRefused(f"{self.host}: there is no {base}; is the base right?")
        return result

    async def _write(self, act: Callable[[ldap3.Connection], Result]) -> None:
        result = await self._do(act, writes=True)
        if self._judged(result) is Meaning.GONE:
            raise NoSuchAccount(f"{self.host}: {result.words}")

    async def _do(
        self,
        act: Callable[[ldap3.Connection], Result],
        *,
        writes: bool = False,
        idle_seconds: float | None = IDLE_SECONDS,
    ) -> Result:
        """Run one operation in a thread, on the connection that stands or on a new one; keep it if all went well."""
        await self._turns.wait(caller().name)
        async with self._lock:
            self._breaker.check()
            connection = await self._fresh(idle_seconds)
            _check_time()
            started = time.monotonic()
            try:
                answer = await self._in_thread(act, connection, seconds=self._limits.timeout_seconds)
            except _NO_ANSWER as error:
                self._note("no answer", started)
                raise Unavailable(f"{self.host}: {type(error).__name__}", ambiguous=writes) from error
            except LDAPException as error:
                raise LdapRefused(f"{self.host}: not sent: {type(error).__name__}") from error
            self._connection, self._used_at = connection, time.monotonic()
            self._note("ok", started)
            return answer

    async def _fresh(self, idle_seconds: float | None) -> ldap3.Connection:
        """Take the connection that stands, or open one. It is kept again when its operation has ended well."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if idle_seconds is None or time.monotonic() - self._used_at <= idle_seconds:
                return connection
            await asyncio.to_thread(ldap_wire.dropped, connection)
        return await self._opened()

    async def _opened(self) -> ldap3.Connection:
        """Return a new connection, bound as our account.

        Raises:
            LdapRefused: the server does not take our own login.
            Unavailable: nothing was sent that changes anything.
        """
        password, seconds = self._password().get_secret_value(), self._limits.timeout_seconds
        connection = ldap_wire.connection_to(self._server, self._user, password, timeout_seconds=seconds)
        started = time.monotonic()
        try:
            result = await self._in_thread(ldap_wire.bound, connection, seconds=seconds * _OPENING_PARTS)
        except (LDAPException, *_NO_ANSWER) as error:
            self._note("no answer", started)
            raise Unavailable(f"{self.host}: {ldap_wire.why_not_opened(error)}") from error
        if result.code == 0:
            return connection
        await asyncio.to_thread(ldap_wire.dropped, connection)
        self._note("refused", started)
        if meaning(result.code) is Meaning.LATER:
            raise Unavailable(f"{self.host}: our own login: {result.words}")
        raise LdapRefused(f"{self.host} does not take our own login: {result.words}; renew its secret")

    async def _in_thread(
        self, act: Callable[[ldap3.Connection], Result], connection: ldap3.Connection, *, seconds: float
    ) -> Result:
        """Run `act` in a thread; when time is over or we are cancelled, break its connection, so that it ends too."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.to_thread(act, connection)
        except BaseException:
            ldap_wire.broken(connection)
            raise

    def _judged(self, result: Result) -> Meaning:
        """Return whether it was done or there is nothing there; everything else is an error.

        Raises:
            NotAllowed, LdapRefused, Unavailable: see there.
        """
        match meant := meaning(result.code):
            case Meaning.DONE | Meaning.GONE:
                return meant
            case Meaning.FORBIDDEN:
                raise NotAllowed(f"{self.host} forbids it: {result.words}")
            case Meaning.LATER:
                raise Unavailable(f"{self.host}: {result.words}")
            case _:
                raise LdapRefused(f"{self.host}: {result.words}")

    def _note(self, outcome: str, started: float) -> None:
        if outcome == "no answer":
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        METERS.add(Count.OUTBOUND, host=self.host, outcome=outcome)
        METERS.record(Duration.OUTBOUND, time.monotonic() - started, host=self.host)


@contextmanager
def after_a_write() -> Iterator[None]:
    """Tell of whatever goes wrong from here on that something was written already.

    Raises:
        Unavailable: always `ambiguous`.
        NotAsWritten: what follows will never work; a person must look at what the first write left.
    """
    try:
        yield
    except Unavailable as error:
        raise Unavailable(str(error), retry_after_seconds=error.retry_after_seconds, ambiguous=True) from error
    except (NotAllowed, LdapRefused) as error:
        raise NotAsWritten(f"the password was written, and then: {error}") from error


def _check_time() -> None:
    """Raise `OutOfTime` after the moment until which the caller may act: its lease may be another's by then."""
    if (late := uptime() - caller().until) >= 0:
        raise OutOfTime(f"out of time since {late:.1f} s: not sent")
