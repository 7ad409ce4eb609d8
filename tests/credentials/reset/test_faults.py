"""A directory that is away, refuses, or loses an answer; a worker that dies; a breaker; a switch that is thrown."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from chassis.http import Refused, Unavailable
from contracts.events.credential import BreakerMoved, CaseDecided, CaseStep, CaseStepDone, CaseStepParked, Decision
from services.credentials.adapters.cloud import AnswerNotUnderstood
from services.credentials.adapters.directory import NotAllowed
from tests.builders import NOON
from tests.credentials.directories import KeptDirectory
from tests.credentials.room import Room, exposed, person


class Died(BaseException):
    """The process is gone: nothing after this happens."""


@dataclass
class Faulty(KeptDirectory):
    """Fails once at `invalidate`, `before` it has happened or `after`."""

    before: BaseException | None = None
    after: BaseException | None = None
    looks: list[str] = field(default_factory=list)

    async def invalidate(self, object_id: str) -> None:
        if self.before is not None:
            error, self.before = self.before, None
            raise error
        await super().invalidate(object_id)
        if self.after is not None:
            error, self.after = self.after, None
            raise error


@pytest.fixture
def faulty(room: Room) -> Faulty:
    """The client's directory, as one that fails where a test says."""
    kept = room.directory
    room.there["acme-ad"] = Faulty(kept.accounts_by_id, clock=kept.clock)
    found = room.directory
    assert isinstance(found, Faulty)
    return found


async def test_a_directory_that_is_away_is_waited_for(room: Room) -> None:
    await room.hear(exposed())
    room.directory.failure = Unavailable("away")
    await room.finish(seconds=120)
    assert room.directory.invalidated == []

    room.directory.failure = None
    await room.finish()

    assert room.directory.invalidated == ["ann"]


async def test_a_limit_is_waited_out_as_long_as_the_directory_says(room: Room, faulty: Faulty) -> None:
    await room.hear(exposed())
    faulty.before = Unavailable("429", retry_after_seconds=100.0, limited=True)
    await room.settle(seconds=60)
    await room.settle(seconds=90)
    assert room.directory.invalidated == []

    await room.settle(seconds=20)

    assert room.directory.invalidated == ["ann"]


async def test_answers_that_nobody_understands_are_asked_for_again_and_then_left_to_a_person(room: Room) -> None:
    await room.hear(exposed())
    room.directory.failure = AnswerNotUnderstood("User: id not as documented")
    worker = room.worker()
    room.now += timedelta(seconds=60)
    await room.tick(worker)
    before = (await room.case())["decision"]
    for _ in range(10):
        room.now += timedelta(seconds=30)
        await room.tick(worker)

    assert (before, (await room.case())["decision"]) == ("reset", "notify")


async def test_one_answer_that_nobody_understands_parks_nothing(room: Room, faulty: Faulty) -> None:
    await room.hear(exposed())
    faulty.after = AnswerNotUnderstood("User: id not as documented")

    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert (await room.steps())["invalidated"] == "done"
    assert (await room.case())["decision"] == "reset"


@pytest.mark.parametrize("error", [NotAllowed("insufficientAccessRights"), Refused(403, "no")], ids=["guard", "403"])
async def test_what_the_directory_refuses_is_left_to_a_person_with_the_reason(
    room: Room, faulty: Faulty, error: Exception
) -> None:
    await room.hear(exposed())
    faulty.before = error

    await room.finish()

    [parked] = await room.told(CaseStepParked)
    assert (parked.step, parked.reason) == (CaseStep.INVALIDATED, str(error))
    assert [each.decision for each in await room.told(CaseDecided)] == [Decision.NOTIFY]
    assert len(room.mail.letters) == 1


async def test_a_person_has_it_tried_again(room: Room, faulty: Faulty) -> None:
    await room.hear(exposed())
    faulty.before = Refused(403, "no")
    await room.finish()

    await room.execute_as_operator("UPDATE credentials.exposure_case SET retry_at = now()")
    await room.finish()

    assert room.directory.invalidated == ["ann"]


async def test_a_lost_answer_is_looked_for_and_not_done_again(room: Room, faulty: Faulty) -> None:
    await room.hear(exposed())
    faulty.after = Unavailable("the line was cut", ambiguous=True)

    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert (await room.case())["closed_at"] is not None


async def test_a_write_that_certainly_did_not_happen_is_done_after_all(room: Room, faulty: Faulty) -> None:
    await room.hear(exposed())
    faulty.before = Unavailable("the line was cut", ambiguous=True)

    await room.finish()

    assert room.directory.invalidated == ["ann"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_worker_that_dies_at_the_directory_leaves_one_reset(room: Room, faulty: Faulty, when: str) -> None:
    await room.hear(exposed())
    setattr(faulty, when, Died())
    with pytest.raises(Died):
        await room.finish()

    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert [each.step for each in await room.told(CaseStepDone)].count(CaseStep.INVALIDATED) == 1


async def test_a_worker_that_dies_after_the_mail_sends_the_same_letter_at_most_again(room: Room) -> None:
    room.mail.answers = [Died()]  # type: ignore[list-item]  # whoever dies raises nothing else
    room.mail.takes_all_the_same = True
    await room.hear(exposed())
    with pytest.raises(Died):
        await room.finish()

    await room.finish()

    assert len(room.mail.letters) == 2
    assert len({letter.message_id for letter in room.mail.letters}) == 1


async def test_a_tripped_breaker_resets_nobody_until_a_person_arms_it(
    room: Room, throw: Callable[[str], Awaitable[None]]
) -> None:
    await room.hear(exposed())
    await throw("tripped")
    await room.finish()
    assert room.directory.invalidated == []
    assert [each.decision for each in await room.told(CaseDecided)] == [Decision.NOTIFY]

    await throw("armed")
    await room.finish()

    assert room.directory.invalidated == ["ann"]


async def test_a_switch_that_is_thrown_between_two_steps_stops_the_next(
    room: Room, throw: Callable[[str], Awaitable[None]]
) -> None:
    await room.hear(exposed())
    worker = room.worker()
    room.now += timedelta(seconds=60)
    while not room.directory.invalidated:
        await room.tick(worker)

    await throw("killed")
    await room.finish(seconds=60)

    assert room.directory.revoked == []
    assert (await room.steps())["revoked"] == "pending"


async def test_too_many_in_an_hour_trip_the_breaker(room: Room) -> None:
    await room.allow(caps={"per_hour": 3, "share": 1.0, "batches": [1000], "per_delivery": 100})
    names = [f"p{number}" for number in range(6)]
    room.directory.accounts_by_id.update({name: person(name) for name in names})
    await room.sync()

    await room.hear(*(exposed(f"{name}@acme.example") for name in names))
    await room.finish()

    assert len(room.directory.invalidated) == 3
    assert [each.state.value for each in await room.told(BreakerMoved)] == ["tripped"]


async def test_a_change_that_never_shows_is_a_persons_to_look_at(room: Room, faulty: Faulty) -> None:
    await room.hear(exposed())
    await room.settle(seconds=60)
    before = faulty.accounts_by_id["ann"]
    faulty.accounts_by_id["ann"] = replace(before, password_changed_at=NOON.replace(year=2025))
    await room.pool.execute("UPDATE case_step SET state = 'pending', due_at = $1 WHERE step = 'read_back'", room.now)
    await room.pool.execute("UPDATE case_step SET state = 'done' WHERE false")

    await room.finish()

    assert {each.step for each in await room.told(CaseStepParked)} <= {CaseStep.READ_BACK, CaseStep.VERIFIED}
    assert await room.told(CaseStepParked)
