"""Microsoft Entra ID, over Microsoft Graph v1.0, as an application of the client's own tenant.

What is written is `passwordProfile` of cloud accounts alone and `revokeSignInSessions`. What decides elsewhere (Active
Directory behind a synchronisation, a federated domain, a guest's own company) is left to whoever decides there.
Source: Microsoft Graph v1.0; docs/directories/entra.md says which permissions, and what no tenant has confirmed.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

import httpx
from pydantic import Field, SecretStr

from chassis.http import Outbound, Policy, Refused
from services.credentials.adapters.cloud import (
    Cloud,
    Names,
    Params,
    Patience,
    RefusedByCode,
    Sleep,
    code_of,
    decoded,
    once,
    row_of,
)
from services.credentials.adapters.cloud_memory import Briefly
from services.credentials.adapters.cloud_tokens import GrantedTokens, is_pem, signer, thumbprint
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotAsWritten, NotHere
from services.credentials.adapters.entra_powers import PowerReading, pages, rows
from services.credentials.adapters.entra_rows import (
    FIELDS,
    Domain,
    MailboxSettings,
    Method,
    Named,
    Powers,
    Registration,
    Seen,
    User,
    account_of,
    authority,
    is_guest,
    is_second_factor,
)
from services.credentials.adapters.link import Link, Options, Secrets, options_of
from services.credentials.adapters.random_password import random_password
from services.credentials.records import Account, Authority

USERS: Final = "/v1.0/users"
REGISTRATIONS: Final = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
PAGE_USERS: Final = 500
SCOPE: Final = "/.default"
POLICY: Final = Policy(calls_per_second=20, burst=40, timeout_seconds=10)
"""Far below Graph's limit for an application; its reports allow less and say `Retry-After`."""

_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOT_PREMIUM: Final = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_STAYS: Final = (
    "refresh tokens and browser sessions are ended; access tokens that were issued before stay valid for up to about "
    "an hour, where an application does not evaluate access continuously, and an application's own session for as "
    "long as it decides; registered passkeys and devices stay registered"
)
_STAYS_FOR_GUESTS: Final = "a guest's sessions are ended in the guest's own directory, not here"

Guid = Annotated[str, Field(pattern=rf"^{_ID.pattern}$")]


class EntraOptions(Options):
    """How a tenant is reached. `groups` are names of groups that the client says give power: their members are read.

    The addresses are those of the worldwide cloud; national clouds have others.
    """

    tenant_id: Guid
    client_id: Guid
    login_url: str = "https://login.microsoftonline.com"
    graph_url: str = "https://graph.microsoft.com"
    groups: Names = ()
    sign_in_activity: bool = False
    """Needs a premium licence and `AuditLog.Read.All`."""
    mailbox_purpose: bool = False
    """Needs `MailboxSettings.Read`."""


def connect(link: Link, secrets: Secrets) -> "Entra":
    """Return the tenant of that link. The secret is a client secret, or a private key and its certificate in PEM.

    Raises:
        WrongSetting: an option or the secret is wrong.
    """
    return made(options_of(link, EntraOptions), secrets.text(link.secret))


def made(
    options: EntraOptions,
    secret: SecretStr,
    *,
    policy: Policy = POLICY,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Sleep = asyncio.sleep,
) -> "Entra":
    """Return the tenant of these options.

    Raises:
        WrongSetting: an address or the secret is wrong.
    """
    login = Outbound(options.login_url, once(policy), transport=transport)
    path = f"/{options.tenant_id}/oauth2/v2.0/token"
    audience = f"{options.login_url.rstrip('/')}{path}"
    fixed = {
        "grant_type": "client_credentials",
        "client_id": options.client_id,
        "scope": options.graph_url.rstrip("/") + SCOPE,
    }
    assertions = signer(secret, {"x5t#S256": thumbprint(secret)}) if is_pem(secret) else None

    def grant() -> Mapping[str, str]:
        if assertions is None:
            return {**fixed, "client_secret": secret.get_secret_value()}
        claims = {"iss": options.client_id, "sub": options.client_id, "aud": audience}
        return {**fixed, "client_assertion_type": _ASSERTION, "client_assertion": assertions.signed(claims)}

    graph, silent = (Outbound(options.graph_url, each, transport=transport) for each in (policy, once(policy)))
    return Entra(Cloud(graph, silent, GrantedTokens(login, path, grant), sleep=sleep), options)


class Entra:
    """One tenant as a `Directory`."""

    def __init__(self, graph: Cloud, options: EntraOptions) -> None:
        """Call `graph`."""
        self._graph = graph
        self._options = options
        self._powers = Briefly(lambda: PowerReading(graph, (), Patience()).read())
        self._domains = Briefly(lambda: rows(graph, Domain, "/v1.0/domains", patience=Patience()))

    async def close(self) -> None:
        """Close the connections."""
        await self._graph.close()

    async def accounts(self) -> AsyncIterator[Sequence[Account]]:
        """Yield all users in pages; who has power and what is registered is read before."""
        patience = Patience()
        powers = await PowerReading(self._graph, self._options.groups, patience).read()
        federated = await self._federated()
        registered = await self._registrations(patience)
        asked = {**self._asked(), "$top": PAGE_USERS}
        async for page in pages(self._graph, User, USERS, asked, patience=patience):
            yield [
                account_of(each, Seen(powers=powers, federated=federated, registration=registered.get(each.id)))
                for each in page
            ]

    async def account(self, object_id: str) -> Account | None:
        """Return one user as they are now, with what gives them power; `None`: gone."""
        user = await self._user(object_id)
        if user is None:
            return None
        patience = Patience()
        powers = await self._powers.value()
        path = f"{USERS}/{object_id}/transitiveMemberOf"
        groups = await rows(self._graph, Named, path, {"$select": "id,displayName"}, patience=patience)
        names = tuple(sorted(each.display_name for each in groups if each.display_name))
        return account_of(
            user,
            Seen(
                powers=Powers(powers.has, powers.can_take, {object_id: names}),
                federated=await self._federated(),
                registration=await self._registration(object_id),
                mfa=await self._has_second_factor(object_id, patience),
                purpose=await self._purpose(object_id),
            ),
        )

    async def domains(self) -> frozenset[str]:
        """Return the tenant's verified domains."""
        return frozenset(each.id.lower() for each in await self._domains.value() if each.is_verified)

    async def own_id(self) -> str | None:
        """Return `None`: we act as an application, which is no user."""
        return None

    async def invalidate(self, object_id: str) -> None:
        """Set a random password, without asking for a new one at the next sign-in: nobody knows it, so nobody can.

        A person comes back by self-service password reset or through the help desk.
        """
        before = await self._user_here(object_id)
        profile = {"password": random_password().get_secret_value(), "forceChangePasswordNextSignIn": False}
        try:
            await self._graph.write_secret("PATCH", f"{USERS}/{object_id}", {"passwordProfile": profile})
        except Refused as error:
            raise _judged(error, "set a password") from None
        await self._graph.settled(lambda: self._later(before, lambda user: user.last_password_change_date_time))

    async def revoke(self, object_id: str) -> str:
        """End refresh tokens and browser sessions, and say what stays alive."""
        before = await self._user(object_id)
        if before is None:
            raise NoSuchAccount("Entra ID has no such user any more")
        if is_guest(before):
            return _STAYS_FOR_GUESTS
        try:
            answer = decoded(await self._graph.write("POST", f"{USERS}/{object_id}/revokeSignInSessions"))
        except Refused as error:
            raise _judged(error, "end sessions") from error
        if isinstance(answer, dict) and answer.get("value") is False:
            raise NotAsWritten("Entra ID answered that no session was ended")
        await self._graph.settled(lambda: self._later(before, lambda user: user.sign_in_sessions_valid_from_date_time))
        return _STAYS

    async def _user_here(self, object_id: str) -> User:
        """Return a user whose password is decided here."""
        user = await self._user(object_id)
        if user is None:
            raise NoSuchAccount("Entra ID has no such user any more")
        match authority(user, await self._federated()):
            case Authority.SYNCED:
                raise NotHere("the account is synchronised: its password is changed in Active Directory")
            case Authority.FEDERATED:
                raise NotHere("the account signs in elsewhere: its password is another identity provider's")
            case _:
                return user

    async def _later(self, before: User, moment: Callable[[User], datetime | None]) -> User | None:
        """Return the user once a moment of theirs is later than it was."""
        user = await self._user(before.id)
        if user is None:
            raise NoSuchAccount("the user is gone since it was written")
        now, then = moment(user), moment(before)
        return user if now is not None and (then is None or now > then) else None

    async def _user(self, object_id: str) -> User | None:
        if _ID.fullmatch(object_id) is None:
            return None  # a login is no id: who has it can change
        asked = await self._found(f"{USERS}/{object_id}", self._asked())
        user = row_of(User, asked) if asked is not None else None
        return user if user is not None and user.id.lower() == object_id.lower() else None

    async def _found(self, path: str, params: Params | None = None) -> object | None:
        """Return an answer; `None` where there is no such thing."""
        try:
            found: object = decoded(await self._graph.get(path, params))
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return found

    def _asked(self) -> dict[str, str | int]:
        activity = ",signInActivity" if self._options.sign_in_activity else ""
        return {"$select": FIELDS + activity, "$expand": "manager($select=id)"}

    async def _federated(self) -> frozenset[str]:
        found = await self._domains.value()
        return frozenset(each.id.lower() for each in found if each.authentication_type == "Federated")

    async def _registrations(self, patience: Patience) -> dict[str, Registration]:
        try:
            return {each.id: each for each in await rows(self._graph, Registration, REGISTRATIONS, patience=patience)}
        except Refused as error:
            if code_of(error) != _NOT_PREMIUM:
                raise
            return {}

    async def _registration(self, object_id: str) -> Registration | None:
        try:
            found = await self._found(f"{REGISTRATIONS}/{object_id}")
        except Refused as error:
            if code_of(error) != _NOT_PREMIUM:
                raise
            return None
        return row_of(Registration, found) if found is not None else None

    async def _has_second_factor(self, object_id: str, patience: Patience) -> bool:
        methods = await rows(self._graph, Method, f"{USERS}/{object_id}/authentication/methods", patience=patience)
        return any(is_second_factor(each) for each in methods)

    async def _purpose(self, object_id: str) -> str | None:
        if not self._options.mailbox_purpose:
            return None
        found = await self._found(f"{USERS}/{object_id}/mailboxSettings")
        return row_of(MailboxSettings, found).user_purpose if found is not None else None


def _judged(error: Refused, what: str) -> Exception:
    """Return what a refusal means; the vendor's code alone is told."""
    code = code_of(error)
    match error.status:
        case 403:
            return NotAllowed(f"Entra ID does not let our application {what} for this account ({code})")
        case 404:
            return NoSuchAccount("Entra ID has no such user any more")
        case _:
            return RefusedByCode(error.status, code)
