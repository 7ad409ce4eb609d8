"""Okta, over its Management API, with an API token (`SSWS`) or as a service application with a key.

What is written is a random password and the end of sessions. `reset_password` is never called: it locks people out
whose mail is behind the same sign-in, and it moves a federated user's password to Okta.
Source: Okta Management API; docs/directories/okta.md says which permissions, and what no tenant has confirmed.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import LONGEST_RETRY_AFTER_SECONDS, Outbound, Policy, Refused
from services.credentials.adapters.cloud import (
    Cloud,
    InHttpsWords,
    Names,
    Patience,
    RefusedByCode,
    Sleep,
    Tokens,
    code_of,
    decoded,
    once,
    row_of,
)
from services.credentials.adapters.cloud_emptiness import without_content
from services.credentials.adapters.cloud_tokens import FixedToken, GrantedTokens, signer
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotHere
from services.credentials.adapters.link import Link, Options, Secrets, options_of
from services.credentials.adapters.okta_reading import PAGE_USERS, USERS, Organisation
from services.credentials.adapters.okta_rows import (
    WITHOUT_PASSWORD,
    Assignee,
    Beside,
    OktaUser,
    account_of,
    authority,
)
from services.credentials.adapters.random_password import random_password
from services.credentials.records import Account, Authority

POLICY: Final = Policy(calls_per_second=5, burst=20, timeout_seconds=10)
"""Okta counts per endpoint and minute, and for the whole organisation; smaller ones may call 600 times a minute."""

SCOPES: Final = "okta.users.manage okta.users.read okta.roles.read okta.groups.read okta.sessions.manage"
_ID: Final = re.compile(r"00u[0-9A-Za-z]{17}")
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_UPDATE_FAILED: Final = "E0000014"
_STAYS: Final = (
    "Okta's sessions and refresh tokens are ended; access tokens that were issued before stay valid until they end, "
    "mostly within an hour, and applications that were opened through Okta keep their own sessions"
)


class OktaOptions(Options):
    """How an organisation is reached. `domains` are the client's own: Okta's API does not tell which it verified.

    With `client_id` the secret is a private key in PEM, and `key_id` names it; without, it is an API token.
    `groups` are names of groups that the client says give power: their members are read.
    """

    url: str
    domains: Names
    client_id: str | None = None
    key_id: str | None = None
    scopes: str = SCOPES
    groups: Names = ()
    factors_in_sync: bool = False
    """Ask for the factors of every user in each sync: one call for each."""


def connect(link: Link, secrets: Secrets) -> "Okta":
    """Return the organisation of that link.

    Raises:
        WrongSetting: an option or the secret is wrong.
    """
    return made(options_of(link, OktaOptions), secrets.text(link.secret))


def made(
    options: OktaOptions,
    secret: SecretStr,
    *,
    policy: Policy = POLICY,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Sleep = asyncio.sleep,
) -> "Okta":
    """Return the organisation of these options.

    Raises:
        WrongSetting: an address or the secret is wrong.
    """
    if not options.domains:
        raise WrongSetting("domains: name at least one; Okta's API does not tell which an organisation verified")
    outbound, silent, login = (
        Outbound(options.url, each, auth=InHttpsWords(said_in_seconds), transport=transport)
        for each in (policy, once(policy), once(policy))
    )
    tokens: Tokens = FixedToken("SSWS", secret)
    if options.client_id is not None:
        tokens = _granted(login, options, options.client_id, secret)
    return Okta(Cloud(outbound, silent, tokens, sleep=sleep), options)


def said_in_seconds(response: httpx.Response) -> None:
    """Turn Okta's moment of the next call, in seconds of the epoch, into the `Retry-After` that it does not send.

    Source: Okta developer documentation, "Rate limits": `X-Rate-Limit-Reset`, to be compared with `Date`.
    """
    resets = response.headers.get("x-rate-limit-reset", "")
    if response.status_code != 429 or "retry-after" in response.headers or not resets.isdecimal():
        return
    try:
        told = parsedate_to_datetime(response.headers["date"])
        now = told.replace(tzinfo=told.tzinfo or UTC)
    except (KeyError, ValueError):
        now = datetime.now(UTC)
    seconds = int(resets) - now.timestamp()
    response.headers["retry-after"] = str(min(max(seconds, 1.0), LONGEST_RETRY_AFTER_SECONDS))


def _granted(login: Outbound, options: OktaOptions, client_id: str, secret: SecretStr) -> GrantedTokens:
    path = "/oauth2/v1/token"
    assertions = signer(secret, {"kid": options.key_id} if options.key_id else {})
    audience = options.url.rstrip("/") + path

    def grant() -> Mapping[str, str]:
        claims = {"iss": client_id, "sub": client_id, "aud": audience}
        return {
            "grant_type": "client_credentials",
            "scope": options.scopes,
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertions.signed(claims),
        }

    return GrantedTokens(login, path, grant)


class Okta:
    """One organisation as a `Directory`."""

    def __init__(self, api: Cloud, options: OktaOptions) -> None:
        """Call `api`."""
        self._api = api
        self._options = options

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def accounts(self) -> AsyncIterator[Sequence[Account]]:
        """Yield all users in pages, without those that were deactivated; who has a role is read before."""
        reading = self._reading()
        roles = {each: await reading.roles(each) for each in await reading.assignees()}
        groups = await reading.members(self._options.groups)
        async for page in reading.pages(OktaUser, USERS, {"limit": PAGE_USERS}):
            yield [
                account_of(
                    each,
                    Beside(
                        roles=roles.get(each.id, ()),
                        groups=groups.get(each.id, ()),
                        factors=await reading.factors(each.id) if self._options.factors_in_sync else None,
                    ),
                )
                for each in page
            ]

    async def account(self, object_id: str) -> Account | None:
        """Return one user as they are now, with roles, groups and factors; `None`: gone."""
        user = await self._user(object_id)
        if user is None:
            return None
        reading = self._reading()
        return account_of(
            user,
            Beside(
                roles=await reading.roles(object_id),
                groups=await reading.groups_of(object_id),
                factors=await reading.factors(object_id),
            ),
        )

    async def domains(self) -> frozenset[str]:
        """Return the domains that the operator named as the client's."""
        return frozenset(each.lower() for each in self._options.domains)

    async def own_id(self) -> str | None:
        """Return the user whose API token we have; `None`: we are a service application."""
        if self._options.client_id is not None:
            return None
        return row_of(Assignee, decoded(await self._api.get(f"{USERS}/me"))).id

    async def invalidate(self, object_id: str) -> None:
        """Set a random password, as an administrator does. The user stays as active as they were."""
        before = await self._user(object_id)
        if before is None:
            raise NoSuchAccount("Okta has no such user any more")
        if authority(before) is not Authority.CLOUD:
            raise NotHere("the account's password is checked elsewhere: Okta would take it over, or be overruled")
        if before.status in WITHOUT_PASSWORD:
            raise NotAllowed(f"the account is {before.status}: a password would activate it, or there is none")
        body = {"credentials": {"password": {"value": random_password().get_secret_value()}}}
        try:
            await self._api.write_secret("POST", f"{USERS}/{object_id}", body)
        except Refused as error:
            raise _judged(error, "set a password") from None
        await self._api.settled(lambda: self._changed_since(before))

    async def revoke(self, object_id: str) -> str:
        """End Okta's sessions and OAuth tokens, and say what stays alive."""
        if await self._user(object_id) is None:
            raise NoSuchAccount("Okta has no such user any more")
        try:
            path = f"{USERS}/{object_id}/sessions"
            without_content(await self._api.write("DELETE", path, params={"oauthTokens": "true"}))
        except Refused as error:
            raise _judged(error, "end sessions") from error
        return _STAYS

    async def _changed_since(self, before: OktaUser) -> OktaUser | None:
        user = await self._user(before.id)
        if user is None:
            raise NoSuchAccount("the user is gone since the password was written")
        now, then = user.password_changed, before.password_changed
        return user if now is not None and (then is None or now > then) else None

    async def _user(self, object_id: str) -> OktaUser | None:
        if _ID.fullmatch(object_id) is None:
            return None  # Okta would take it for a login, and who has that can change
        try:
            user = row_of(OktaUser, decoded(await self._api.get(f"{USERS}/{object_id}")))
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return user if user.id == object_id else None

    def _reading(self) -> Organisation:
        return Organisation(self._api, Patience())


def _judged(error: Refused, what: str) -> Exception:
    """Return what a refusal means; the vendor's code alone is told."""
    code = code_of(error)
    if error.status == 403 and code != _UPDATE_FAILED:
        return NotAllowed(f"Okta does not let us {what} for this account ({code})")
    if error.status == 404:
        return NoSuchAccount("Okta has no such user any more")
    return RefusedByCode(error.status, code)
