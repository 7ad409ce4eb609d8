"""What the adapters of cloud directories share: tokens, whole answers, waiting where they are told to, reading back."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from chassis.errors import NeverWorks
from chassis.http import READS, BreakerOpen, Outbound, OutOfTime, Policy, Refused, Unavailable
from services.credentials.adapters.directory import NotAsWritten, TooEarly

Params = Mapping[str, str | int]
Sleep = Callable[[float], Awaitable[None]]
Seen = TypeVar("Seen")
Form = TypeVar("Form", bound="Row")


def _listed(value: object) -> object:
    return tuple(each.strip() for each in value.split(",") if each.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Names between commas, as an option of a directory."""

POLICY: Final = Policy(calls_per_second=8, burst=16, timeout_seconds=10)
"""Modest beside every vendor's limit: other programs of the client's share it."""

MOST_PAGES: Final = 20_000
LONGEST_WAIT_SECONDS: Final = 60.0
MOST_WAITS: Final = 20
"""How long and how often one listing waits where it stands when the vendor asks for it."""

SETTLING_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 3.0)
"""The pauses before each look at what was just written: replicas follow, mostly within seconds."""

_CODE: Final = re.compile(r'"(?:errorCode|code|error|status|reason)"\s*:\s*"([A-Za-z0-9_.]{1,100})"')


class AnswerNotUnderstood(NeverWorks):
    """An answer does not have the shape that the vendor documents."""


class RefusedByCode(Refused):
    """The other side said no; of its words only the code is kept."""

    def __init__(self, status: int, code: str) -> None:
        """Keep status and code."""
        super().__init__(status, code)
        self.code = code


class Row(BaseModel):
    """Something that a vendor returns: its own names in camel case, more fields than we read; null is not there."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


class Tokens(Protocol):
    """Whatever opens an API."""

    async def header(self) -> str:
        """Return the value of `Authorization`."""
        ...

    def forget(self) -> None:
        """Take a new one the next time."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class InHttpsWords(httpx.Auth):
    """Says in HTTP's own words what a vendor says in its own, so that the policy for calls holds for it too."""

    requires_response_body = True

    def __init__(self, mend: Callable[[httpx.Response], None]) -> None:
        """Let `mend` change status or headers of each answer."""
        self._mend = mend

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request as it is and mend its answer."""
        response = yield request
        self._mend(response)


class Patience:
    """How often a listing may still wait where it stands."""

    def __init__(self) -> None:
        """Have waited for nothing yet."""
        self._left = MOST_WAITS

    def seconds(self, error: Unavailable) -> float | None:
        """Return how long to wait after `error`; `None`: not here."""
        asked = error.retry_after_seconds
        if asked is None or asked > LONGEST_WAIT_SECONDS or self._left == 0 or isinstance(error, OutOfTime):
            return None
        self._left -= 1
        return asked


def once(policy: Policy) -> Policy:
    """Return a policy that tries nothing again by itself: whoever tries again logs why, in the vendor's own words."""
    return replace(policy, attempts=1)


class Cloud:
    """One cloud directory's API, as one client's connector."""

    def __init__(self, outbound: Outbound, silent: Outbound, tokens: Tokens, *, sleep: Sleep = asyncio.sleep) -> None:
        """Call through `outbound` with `tokens`; what must not be shown goes through `silent`, see `once`."""
        self._outbound = outbound
        self._silent = silent
        self._tokens = tokens
        self._sleep = sleep

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()
        await self._silent.close()
        await self._tokens.close()

    async def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
    ) -> httpx.Response:
        """Return one answer; with `patience`, wait where the vendor asks for it.

        Raises:
            Refused, Unavailable: see `chassis.http`.
        """
        while True:
            try:
                return await self._call("GET", path, params=params, headers=headers)
            except Unavailable as error:
                seconds = patience.seconds(error) if patience is not None else None
                if seconds is None:
                    raise
                await self._sleep(seconds)

    async def write(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        path: str,
        *,
        params: Params | None = None,
        json: object = None,
    ) -> httpx.Response:
        """Write once.

        Raises:
            Refused, Unavailable: see `chassis.http`.
        """
        return await self._call(method, path, params=params, json=json)

    async def write_secret(self, method: Literal["POST", "PUT", "PATCH"], path: str, json: object) -> httpx.Response:
        """Write once what must never be shown: no error that comes of it quotes the vendor's answer.

        Raises:
            RefusedByCode: with the vendor's error code alone.
            Unavailable: see `chassis.http`.
        """
        try:
            return await self._call(method, path, json=json, through=self._silent)
        except Refused as error:
            raise RefusedByCode(error.status, code_of(error)) from None
        except (BreakerOpen, OutOfTime):
            raise
        except Unavailable as error:
            raise Unavailable(
                f"{self._outbound.host}: the answer to a password's change is missing or says to wait",
                retry_after_seconds=error.retry_after_seconds,
                ambiguous=error.ambiguous,
                limited=error.limited,
            ) from None

    async def settled(self, look: Callable[[], Awaitable[Seen | None]]) -> Seen:
        """Return what `look` finds of a write that was just accepted; it returns `None` while nothing shows.

        Raises:
            TooEarly: nothing shows yet.
            NotAsWritten: it cannot be read any more.
            Unavailable: no answer to the looks; marked as ambiguous, because the write was accepted.
        """
        for seconds in SETTLING_SECONDS:
            if seconds:
                await self._sleep(seconds)
            try:
                seen = await look()
            except Refused as error:
                raise NotAsWritten(f"a write was accepted and cannot be read back: HTTP {error.status}") from error
            except Unavailable as error:
                raise Unavailable(
                    f"a write was accepted and not read back: {error}",
                    retry_after_seconds=error.retry_after_seconds,
                    ambiguous=True,
                ) from error
            if seen is not None:
                return seen
        raise TooEarly(f"{self._outbound.host}: a write was accepted and does not show yet")

    def below(self, address: str) -> str:
        """Return the path and query of a vendor's link to the next page.

        Raises:
            AnswerNotUnderstood: it leads to another host.
        """
        parts = urlsplit(address)
        if parts.hostname != self._outbound.host:
            raise AnswerNotUnderstood(f"a link to the next page leads away from {self._outbound.host}")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    async def _call(
        self,
        method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        through: Outbound | None = None,
    ) -> httpx.Response:
        """Call once, and once more with a new token if the old one is refused: nothing was done then."""
        for is_last in (False, True):
            sent = {"Accept": "application/json", **(headers or {}), "Authorization": await self._tokens.header()}
            try:
                outbound = through or self._outbound
                return await outbound.call(method, path, params=params, headers=sent, json=json)
            except Refused as error:
                if error.status != 401 or is_last:
                    raise
                self._tokens.forget()
        raise AssertionError("the last turn returns or raises")


def code_of(error: Refused) -> str:
    """Return the vendor's own code of a refusal, or `no code`: all that may be shown of an answer to a secret."""
    if isinstance(error, RefusedByCode):
        return error.code
    found = _CODE.search(str(error))
    return found[1] if found else "no code"


def decoded(response: httpx.Response) -> Any:
    """Return the JSON of an answer.

    Raises:
        Unavailable: it is none; somebody between us and the vendor answered.
    """
    try:
        return response.json()
    except ValueError as error:
        is_write = response.request.method not in READS
        raise Unavailable(f"{response.request.url.host}: the answer is not JSON", ambiguous=is_write) from error


def row_of(form: type[Form], value: object) -> Form:
    """Return one row of a vendor's.

    Raises:
        AnswerNotUnderstood: it lacks what it cannot be read without; names the fields, never what is in them.
    """
    try:
        return form.model_validate(value)
    except ValidationError as error:
        fields = sorted({".".join(map(str, each["loc"])) or "the row" for each in error.errors(include_input=False)})
        raise AnswerNotUnderstood(f"{form.__name__}: {', '.join(fields)} not as documented") from None


def rows_of(form: type[Form], values: object) -> list[Form]:
    """Return the rows of a vendor's list; `None` is an empty one.

    Raises:
        AnswerNotUnderstood: it is no list, or a row is not as documented.
    """
    if values is None:
        return []
    if not isinstance(values, list):
        raise AnswerNotUnderstood(f"{form.__name__}: not a list")
    return [row_of(form, each) for each in values]
