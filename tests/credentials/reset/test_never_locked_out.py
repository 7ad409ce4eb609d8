"""No sequence of exposures, answers, crashes and changes resets who is protected, or shuts the last admin out."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from contracts.events.exposure import ExposureOrigin, SecretForm
from services.credentials.people.records import Approver
from services.credentials.records import Account
from tests.credentials.directories import KeptDirectory
from tests.credentials.people.conftest import Room as PeopleRoom
from tests.credentials.room import DIRECTORY, Room, exposed, opened_room, person
from tests.parts import Database

T = TypeVar("T")

ADMINS = ("ada", "bob")
PERSONS = ("ann", "ben")
NEVER = ("emergency", "svc-backup", "connector")
POWER = ("Domain Admins",)
LOGINS = [f"{name}@acme.example" for name in (*ADMINS, *PERSONS, *NEVER, "nobody")] + ["ann@elsewhere.example"]
CAPS = {"per_hour": 40, "privileged_per_hour": 40, "share": 1.0, "batches": [2, 3], "per_delivery": 50}


class Died(BaseException):
    """The process is gone."""


@dataclass
class Witness(KeptDirectory):
    """Judges every reset at the moment at which it happens, by what is true then. `dies` is when the process does."""

    protected: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    dies: str = ""

    async def invalidate(self, object_id: str) -> None:
        """Judge, and die where a test says so."""
        self._die("before")
        if object_id in self.protected:
            self.wrong.append(f"{object_id} is protected")
        if object_id in self.paths() and not self.paths() - {object_id}:
            self.wrong.append(f"{object_id} was the last way in")
        await super().invalidate(object_id)
        self.away.add(object_id)
        self._die("after")

    def paths(self) -> set[str]:
        """Return who can administer now: enabled, with power, and in possession of a password."""
        able = {each.object_id for each in self.accounts_by_id.values() if each.enabled and each.privileges}
        return able - self.away - {"connector", "svc-backup"}

    def change(self, object_id: str, **changes: Any) -> None:
        self.accounts_by_id[object_id] = replace(self.accounts_by_id[object_id], **changes)

    def _die(self, when: str) -> None:
        if self.dies == when:
            self.dies = ""
            raise Died


def accounts() -> list[Account]:
    admins = [person(name, privileges=POWER) for name in ADMINS]
    machines = [person("svc-backup", mfa=None, recovery=None), person("connector", privileges=POWER)]
    return [*admins, *(person(name) for name in PERSONS), person("emergency"), *machines]


class Afternoon(RuleBasedStateMachine):
    """One client's afternoon: everything that can happen, in any order."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.break_glass = {"emergency@acme.example"}
        self.number = 0
        self._do(self._begin())

    def teardown(self) -> None:
        self._do(self.stack.aclose())
        self.loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def _begin(self) -> None:
        self.room: Room = await self.stack.enter_async_context(opened_room(self.database))
        await self._allow()
        self.there = Witness({each.object_id: each for each in accounts()}, own="connector", protected=set(NEVER))
        await self.room.add(self.there)
        self.people = PeopleRoom(self.room.pool, self.room.database, now=self.room.now)
        self.approvers: list[Approver] = [await self.people.enroll(name) for name in ("Erin", "Finn", "Gail")]

    async def _allow(self) -> None:
        await self.room.allow(break_glass=sorted(self.break_glass), caps=CAPS, cooling_hours=1)

    @rule(login=st.sampled_from(LOGINS), strong=st.booleans(), fresh=st.booleans())
    def a_feed_finds(self, login: str, strong: bool, fresh: bool) -> None:  # noqa: FBT001 - hypothesis says them
        self.number += 1
        form = SecretForm.PLAINTEXT if strong else SecretForm.NONE
        origin = ExposureOrigin.STEALER_LOG if strong else ExposureOrigin.COMBOLIST
        at = self.room.now if fresh else self.room.now - timedelta(days=2)
        found = exposed(login, at=self.room.now, form=form, origin=origin, exposed_at=at, document=str(self.number))
        self._do(self.room.hear(found))

    @rule(seconds=st.sampled_from([1, 30, 60, 600]))
    def time_passes(self, seconds: int) -> None:
        self._do(self.room.settle(seconds=seconds, most=20))

    @rule(minutes=st.sampled_from([61, 300]))
    def a_long_time_passes(self, minutes: int) -> None:
        self.room.now += timedelta(minutes=minutes)
        self._do(self.room.decide())

    @rule()
    def the_directory_is_read(self) -> None:
        self._do(self.room.sync())

    @rule(when=st.sampled_from(["before", "after"]))
    def the_process_dies(self, when: str) -> None:
        self.there.dies = when
        with suppress(Died):
            self._do(self.room.settle(seconds=60, most=20))
        self.there.dies = ""

    @rule(who=st.integers(0, 2), yes=st.integers(0, 5))
    def somebody_decides(self, who: int, yes: int) -> None:
        self.people.now = self.room.now
        asked = "SELECT case_id FROM request WHERE state = 'open' AND expires_at > $1 ORDER BY request_id"
        for row in self._do(self.room.pool.fetch(asked, self.room.now)):
            self._do(self.people.sign(row["case_id"], self.approvers[who], approve=yes > 0))
        self._do(self.room.decide())

    @rule(name=st.sampled_from(ADMINS))
    def people_agree_that_an_administrator_is_reset(self, name: str) -> None:
        self.a_feed_finds(f"{name}@acme.example", strong=True, fresh=True)
        self.time_passes(60)
        for who in (0, 1):
            self.somebody_decides(who, 1)
        self.time_passes(60)

    @rule(name=st.sampled_from(ADMINS), enabled=st.booleans())
    def an_administrator_is_switched(self, name: str, enabled: bool) -> None:  # noqa: FBT001 - hypothesis says it
        self.there.change(name, enabled=enabled)

    @rule(name=st.sampled_from((*PERSONS, *ADMINS)), power=st.booleans())
    def power_is_given_or_taken(self, name: str, power: bool) -> None:  # noqa: FBT001 - hypothesis says it
        self.there.change(name, privileges=POWER if power else ())

    @rule(name=st.sampled_from((*PERSONS, *ADMINS)))
    def a_person_changes_the_password(self, name: str) -> None:
        self.room.now += timedelta(seconds=1)
        self.there.change(name, password_changed_at=self.room.now)
        self.there.away.discard(name)

    @rule(name=st.sampled_from((*PERSONS, *ADMINS)))
    def the_client_protects(self, name: str) -> None:
        self.break_glass.add(f"{name}@acme.example")
        self.there.protected.add(name)
        self._do(self._allow())

    @rule(state=st.sampled_from(["armed", "tripped", "killed"]))
    def a_person_moves_the_breaker(self, state: str) -> None:
        moved = (
            "INSERT INTO breaker (tenant_id, state, why, moved_by, moved_at, armed_at, moves) "
            "SELECT tenant_id, $1, 'a test', 'me', $2, $2, 1 FROM directory WHERE name = $3 "
            "ON CONFLICT (tenant_id) DO UPDATE SET state = $1, moves = breaker.moves + 1, armed_at = $2"
        )
        self._do(self.room.pool.execute(moved, state, self.room.now, DIRECTORY))

    @invariant()
    def nobody_is_shut_out(self) -> None:
        assert self.there.wrong == []

    @invariant()
    def nobody_is_reset_twice_for_one_case(self) -> None:
        cases = Counter(row["object_id"] for row in self._do(self.room.cases()))
        assert Counter(self.there.invalidated) <= cases


def test_nobody_is_locked_out_whatever_happens(database: Database) -> None:
    Afternoon.database = database

    run_state_machine_as_test(
        Afternoon,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
