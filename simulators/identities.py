"""People of a simulated identity provider, what was done to them, and the ways in which such a provider fails.

Whose password is known is proven by signing in, as everywhere: passwords are kept as digests only.
"""

import copy
import hashlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import unquote
from uuid import NAMESPACE_DNS, uuid5

from pydantic import BaseModel, Field, ValidationError

from chassis.health import Receive, Scope, Send
from simulators.wire import Answer, Call, call_of, give

DOOR: Final = "/_idp"
"""The simulator's own door: GET tells what was done to whom, PUT makes it fail."""

Where = Literal["cloud", "synced", "guest", "federated"]
Trouble = Literal["limited", "forbidden", "broken", "lost", "ignored", "echoed"]
"""429; 403; 503 with nothing done; 504 although it was done; accepted and not done; 400 that repeats what was sent."""

Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the moment, as a provider's own clock tells it."""
    return datetime.now(UTC)


def digest(password: str) -> str:
    """Return what is kept of a password."""
    return hashlib.sha256(password.encode()).hexdigest()


@dataclass(kw_only=True)
class Person:
    """Somebody with an account, in the words of no vendor."""

    id: str
    login: str
    name: str
    password: str
    """A digest."""
    changed_at: datetime
    sessions_from: datetime
    created_at: datetime
    used_at: datetime | None = None
    aliases: tuple[str, ...] = ()
    where: Where = "cloud"
    enabled: bool = True
    must_change: bool = False
    never_expires: bool = False
    second_factor: bool = True
    recovery: bool = True
    manager: str | None = None
    unit: str = "/"
    purpose: str = "user"
    roles: set[str] = field(default_factory=set)
    eligible: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    doors: set[str] = field(default_factory=set)
    """Programs that were let in, where the vendor lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that was really done to an account."""

    what: Literal["password", "sessions"]
    login: str
    at: datetime


class Failing(BaseModel):
    """What `PUT /_idp` asks for: the next `times` calls with that method, and that word in their path, fail so."""

    trouble: Trouble
    method: str = ""
    path: str = ""
    times: int = Field(default=1, ge=1)


def person(login: str, *, password: str = "", identity: str | None = None, at: datetime | None = None) -> Person:
    """Return somebody with that login, whose id follows from it, as old as a year before `at`."""
    began = (at or now()) - timedelta(days=365)
    local = login.partition("@")[0]
    return Person(
        id=identity or str(uuid5(NAMESPACE_DNS, login)),
        login=login,
        name=" ".join(each.capitalize() for each in local.replace("_", ".").split(".")),
        password=digest(password or secrets.token_urlsafe(16)),
        changed_at=began,
        sessions_from=began,
        created_at=began,
    )


class Provider(ABC):
    """What all simulated providers share: people, troubles, replicas that lag, and what was done."""

    def __init__(self, people: Sequence[Person], *, clock: Clock = now) -> None:
        """Know `people`."""
        self.people = {each.id: each for each in people}
        self.deeds: list[Deed] = []
        self.calls: list[Call] = []
        self.lag = 0
        """How many looks at somebody still show them as they were before the last change."""
        self.clock = clock
        self._failing: list[Failing] = []
        self._stale: dict[str, tuple[Person, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await give(await self.answer(await call_of(scope, receive)), send)

    async def answer(self, call: Call) -> Answer:
        """Answer one call, or fail as was asked for."""
        if call.path == DOOR:
            return self._managed(call)
        self.calls.append(call)
        trouble = self._next(call)
        match trouble:
            case "limited" | "forbidden" | "broken" | "echoed":
                return self.refusal(trouble, call)
            case "ignored":
                return self._ignored(call)
            case "lost":
                self.respond(call)
                return Answer(504, {"message": "gateway timeout"})
            case None:
                return self.respond(call)

    @abstractmethod
    def respond(self, call: Call) -> Answer:
        """Answer as the vendor does."""

    @abstractmethod
    def refusal(self, trouble: Trouble, call: Call) -> Answer:
        """Say no as the vendor does."""

    def fail(self, trouble: Trouble, *, method: str = "", path: str = "", times: int = 1) -> None:
        """Make the next calls fail that have that method, and that word in their path."""
        self._failing.append(Failing(trouble=trouble, method=method, path=path, times=times))

    def seen(self, identity: str) -> Person | None:
        """Return somebody as a look at them shows them: a replica may lag."""
        found = self.people.get(identity)
        before, looks = self._stale.get(identity, (found, 0))
        if found is None or looks == 0:
            return found
        self._stale[identity] = (before or found, looks - 1)
        return before

    def set_password(self, whose: Person, password: str, *, must_change: bool) -> None:
        """Give somebody a new password."""
        self._remember(whose)
        whose.password, whose.changed_at, whose.must_change = (
            digest(password),
            self._later(whose.changed_at),
            must_change,
        )
        self.deeds.append(Deed(what="password", login=whose.login, at=whose.changed_at))

    def end_sessions(self, whose: Person) -> None:
        """End somebody's sessions."""
        self._remember(whose)
        whose.sessions_from = self._later(whose.sessions_from)
        self.deeds.append(Deed(what="sessions", login=whose.login, at=whose.sessions_from))

    def signed_in(self, login: str, password: str) -> Person | None:
        """Return who signs in so, if they may."""
        found = self.by_login(login)
        return found if found is not None and found.enabled and found.password == digest(password) else None

    def by_login(self, login: str) -> Person | None:
        """Return who has a login, in any spelling of letters."""
        names = ((each, (each.login, *each.aliases)) for each in self.people.values())
        return next((each for each, logins in names if login.lower() in map(str.lower, logins)), None)

    def _ignored(self, call: Call) -> Answer:
        """Answer as if it were done, and leave everybody as they were."""
        people, deeds = copy.deepcopy(self.people), list(self.deeds)
        answer = self.respond(call)
        for identity, before in people.items():
            vars(self.people[identity]).update(vars(before))
        self.deeds = deeds
        self._stale.clear()
        return answer

    def _later(self, than: datetime) -> datetime:
        """Return the moment, to the second as vendors tell it, and always later than before."""
        return max(self.clock().replace(microsecond=0), than + timedelta(seconds=1))

    def _remember(self, whose: Person) -> None:
        if self.lag:
            self._stale[whose.id] = (replace(whose), self.lag)

    def _next(self, call: Call) -> Trouble | None:
        for each in self._failing:
            if each.method in {"", call.method} and each.path in call.path:
                each.times -= 1
                if each.times == 0:
                    self._failing.remove(each)
                return each.trouble
        return None

    def _managed(self, call: Call) -> Answer:
        if call.method == "PUT":
            try:
                self._failing.append(Failing.model_validate_json(call.body))
            except ValidationError as error:
                return Answer(400, {"error": type(error).__name__})
        deeds = [{"what": each.what, "login": each.login, "at": each.at.isoformat()} for each in self.deeds]
        return Answer(200, {"people": len(self.people), "deeds": deeds})


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of call: `path` has `*` where something is named, `needs` is the permission that it takes."""

    method: str
    path: str
    needs: str
    answer: Callable[..., Answer]

    def named(self, call: Call) -> list[str] | None:
        """Return what a call names in its path; `None`: it is of another kind."""
        wanted, asked = self.path.split("/"), call.path.strip("/").split("/")
        if call.method != self.method or len(wanted) != len(asked):
            return None
        pairs = list(zip(wanted, asked, strict=True))
        if any(want not in {"*", part} for want, part in pairs):
            return None
        return [unquote(part) for want, part in pairs if want == "*"]


def routed(routes: Sequence[Route], call: Call) -> tuple[Route, list[str]] | None:
    """Return the first route of a call, and what it names."""
    found = ((route, route.named(call)) for route in routes)
    return next(((route, named) for route, named in found if named is not None), None)


def stamp(moment: datetime) -> str:
    """Return a moment as most vendors write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def millis(moment: datetime) -> str:
    """Return a moment as vendors write it who tell milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
