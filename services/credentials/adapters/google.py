"""Google Workspace, over the Admin SDK, as a service account with domain-wide delegation.

What is written is a random password with the wish for a new one (the only thing about it that Google shows), and the
end of sessions, application passwords and tokens.
Source: Admin SDK, Directory API v1 and Reports API v1; docs/directories/google.md says which scopes and privileges, and
what no tenant has confirmed.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from chassis.errors import WrongSetting
from chassis.http import Outbound, Policy, Refused
from services.credentials.adapters.cloud import (
    Cloud,
    InHttpsWords,
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
from services.credentials.adapters.cloud_emptiness import without_content
from services.credentials.adapters.cloud_memory import Briefly
from services.credentials.adapters.cloud_tokens import GrantedTokens, signer
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotAsWritten, NotHere
from services.credentials.adapters.google_reading import DIRECTORY, Workspace, said_as_429
from services.credentials.adapters.google_rows import (
    ApplicationPassword,
    Beyond,
    Changes,
    Elsewhere,
    GoogleDomain,
    GoogleUser,
    Granted,
    account_of,
    authority,
    changed_at,
)
from services.credentials.adapters.link import Link, Options, Secrets, options_of
from services.credentials.adapters.random_password import random_password
from services.credentials.records import Account, Authority

USERS: Final = f"{DIRECTORY}/users"
PAGE_USERS: Final = 500
SCOPES: Final = " ".join(
    f"https://www.googleapis.com/auth/{name}"
    for name in (
        "admin.directory.user",
        "admin.directory.user.security",
        "admin.directory.rolemanagement.readonly",
        "admin.directory.group.readonly",
        "admin.directory.domain.readonly",
        "admin.reports.audit.readonly",
    )
)
POLICY: Final = Policy(calls_per_second=10, burst=20, timeout_seconds=10)
"""Google counts per minute and project; 2,400 calls a minute and user are documented for the Directory API."""

GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ID: Final = re.compile(r"[0-9]{1,32}")
_STAYS: Final = (
    "sessions, application passwords and the tokens of other programs are ended; access tokens that were issued before "
    "stay valid for up to an hour, and applications that were opened with the account keep their own sessions"
)


class GoogleOptions(Options):
    """How a customer is reached: `subject` is the administrator in whose name the service account acts.

    `groups` are addresses of groups that the client says give power: their members are read. Google's Directory API
    does not tell whose password is decided elsewhere: `federated_units` and `synced_units` are organisational units
    where an SSO profile or a synchronisation of passwords holds, `/` for all.
    """

    subject: str
    customer: str = "my_customer"
    api_url: str = "https://admin.googleapis.com"
    token_url: str = "https://oauth2.googleapis.com"  # noqa: S105 - an address
    groups: Names = ()
    federated_units: Names = ()
    synced_units: Names = ()
    password_events: bool = True
    """Read from the audit logs when passwords were changed. Nothing else tells."""


class ServiceAccount(BaseModel):
    """The key file of a service account; where it says to ask for tokens is not believed."""

    client_email: str
    private_key: SecretStr
    private_key_id: str


def connect(link: Link, secrets: Secrets) -> "Google":
    """Return the customer of that link. The secret is the service account's key file.

    Raises:
        WrongSetting: an option or the secret is wrong.
    """
    return made(options_of(link, GoogleOptions), secrets.text(link.secret))


def made(
    options: GoogleOptions,
    secret: SecretStr,
    *,
    policy: Policy = POLICY,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Sleep = asyncio.sleep,
) -> "Google":
    """Return the customer of these options.

    Raises:
        WrongSetting: an address or the secret is wrong.
    """
    try:
        key = ServiceAccount.model_validate(json.loads(secret.get_secret_value()))
    except (ValueError, ValidationError):
        raise WrongSetting("the directory's secret is not the key file of a service account") from None
    assertions = signer(key.private_key, {"kid": key.private_key_id})
    claims = {
        "iss": key.client_email,
        "sub": options.subject,
        "scope": SCOPES,
        "aud": f"{options.token_url.rstrip('/')}/token",
    }

    def grant() -> Mapping[str, str]:
        return {"grant_type": GRANT, "assertion": assertions.signed(claims)}

    login = Outbound(options.token_url, once(policy), transport=transport)
    api, silent = (
        Outbound(options.api_url, each, auth=InHttpsWords(said_as_429), transport=transport)
        for each in (policy, once(policy))
    )
    return Google(Cloud(api, silent, GrantedTokens(login, "/token", grant), sleep=sleep), options)


class Google:
    """One customer as a `Directory`."""

    def __init__(self, api: Cloud, options: GoogleOptions) -> None:
        """Call `api`."""
        self._api = api
        self._options = options
        self._roles = Briefly(lambda: self._reading().roles())
        self._elsewhere = Elsewhere(federated=options.federated_units, synced=options.synced_units)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def accounts(self) -> AsyncIterator[Sequence[Account]]:
        """Yield all users in pages; roles, groups and changes of passwords are read before."""
        reading = self._reading()
        roles = await reading.roles()
        groups = await reading.in_groups(self._options.groups)
        changes: Mapping[str, Changes] = await reading.changes() if self._options.password_events else {}
        asked: Params = {"customer": self._options.customer, "maxResults": PAGE_USERS, "projection": "full"}
        async for page in reading.pages(GoogleUser, USERS, "users", asked):
            yield [
                account_of(
                    each,
                    Beyond(
                        roles=roles.get(each.id, ()),
                        groups=groups.get(each.id, ()),
                        password_changed_at=_changed_at(each, changes),
                    ),
                    self._elsewhere,
                )
                for each in page
            ]

    async def account(self, object_id: str) -> Account | None:
        """Return one user as they are now, with roles and groups; `None`: gone."""
        user = await self._user(object_id)
        if user is None:
            return None
        reading = self._reading()
        changes = await reading.changes_of(user) if self._options.password_events else {}
        beyond = Beyond(
            roles=(await self._roles.value()).get(object_id, ()),
            groups=await reading.groups_of(object_id),
            password_changed_at=_changed_at(user, changes),
        )
        return account_of(user, beyond, self._elsewhere)

    async def domains(self) -> frozenset[str]:
        """Return the customer's verified domains and their verified aliases."""
        path = f"{DIRECTORY}/customer/{self._options.customer}/domains"
        found = await self._reading().rows(GoogleDomain, path, "domains")
        every = [each for one in found for each in (one, *one.domain_aliases)]
        names = (each.domain_name or each.domain_alias_name for each in every if each.verified)
        return frozenset(name.lower() for name in names if name)

    async def own_id(self) -> str | None:
        """Return the administrator in whose name we act."""
        found = decoded(await self._api.get(f"{USERS}/{self._options.subject}"))
        return row_of(GoogleUser, found).id

    async def invalidate(self, object_id: str) -> None:
        """Set a random password, with the wish for a new one: what of it Google shows proves that it was taken."""
        before = await self._user(object_id)
        if before is None:
            raise NoSuchAccount("Google Workspace has no such user any more")
        if authority(before, self._elsewhere) is not Authority.CLOUD:
            raise NotHere("the account's password is decided elsewhere: its organisational unit is listed so")
        body = {"password": random_password().get_secret_value(), "changePasswordAtNextLogin": True}
        try:
            answer = await self._api.write_secret("PUT", f"{USERS}/{object_id}", body)
        except Refused as error:
            raise _judged(error, "set a password") from None
        if row_of(GoogleUser, decoded(answer)).change_password_at_next_login is False:
            raise NotAsWritten("Google Workspace answered with a user who need not change the password")
        await self._api.settled(lambda: self._asked_for_a_new_one(object_id))

    async def revoke(self, object_id: str) -> str:
        """End sessions, application passwords and other programs' tokens, and say what stays alive."""
        if await self._user(object_id) is None:
            raise NoSuchAccount("Google Workspace has no such user any more")
        try:
            without_content(await self._api.write("POST", f"{USERS}/{object_id}/signOut"))
            for path in await self._open_doors(object_id):
                await self._closed(path)
        except Refused as error:
            raise _judged(error, "end sessions") from error
        await self._api.settled(lambda: self._all_closed(object_id))
        return _STAYS

    async def _open_doors(self, object_id: str) -> list[str]:
        """Return the paths of a user's application passwords and tokens."""
        reading, user = self._reading(), f"{USERS}/{object_id}"
        passwords = await reading.rows(ApplicationPassword, f"{user}/asps", "items")
        tokens = await reading.rows(Granted, f"{user}/tokens", "items")
        return [f"{user}/asps/{each.code_id}" for each in passwords] + [
            f"{user}/tokens/{each.client_id}" for each in tokens
        ]

    async def _closed(self, path: str) -> None:
        try:
            await self._api.write("DELETE", path)
        except Refused as error:
            if error.status != 404:  # shut by somebody else meanwhile
                raise

    async def _all_closed(self, object_id: str) -> bool | None:
        return True if not await self._open_doors(object_id) else None

    async def _asked_for_a_new_one(self, object_id: str) -> GoogleUser | None:
        user = await self._user(object_id)
        if user is None:
            raise NoSuchAccount("the user is gone since the password was written")
        return user if user.change_password_at_next_login else None

    async def _user(self, object_id: str) -> GoogleUser | None:
        if _ID.fullmatch(object_id) is None:
            return None  # an address is no id: who has it can change
        try:
            user = row_of(GoogleUser, decoded(await self._api.get(f"{USERS}/{object_id}", {"projection": "full"})))
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return user if user.id == object_id else None

    def _reading(self) -> Workspace:
        return Workspace(self._api, self._options.customer, Patience())


def _changed_at(user: GoogleUser, changes: Mapping[str, Changes]) -> datetime | None:
    return changed_at(user, [changes[key] for key in (user.id, user.primary_email.lower()) if key in changes])


def _judged(error: Refused, what: str) -> Exception:
    """Return what a refusal means; the vendor's code alone is told."""
    match error.status:
        case 403:
            return NotAllowed(f"Google Workspace does not let us {what} for this account ({code_of(error)})")
        case 404:
            return NoSuchAccount("Google Workspace has no such user any more")
        case _:
            return RefusedByCode(error.status, code_of(error))
