"""What a process does without an event goes on through trouble that passes, and stops when told to or when it must."""

import asyncio

import asyncpg
import pytest

from chassis.errors import MayWorkLater
from chassis.health import Progress
from services.compliance.loops import Loop


class Work:
    """Does what a test says, one thing after the other; then asks to stop."""

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.outcomes = list(outcomes)
        self.stopping = asyncio.Event()

    async def __call__(self) -> bool:
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.stopping.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def run(work: Work, *, seconds: float = 0.001) -> Progress:
    progress = Progress()
    async with asyncio.timeout(5):
        await Loop("work", work, progress, seconds=seconds).run(work.stopping)
    return progress


async def test_it_works_until_told_to_stop() -> None:
    work = Work(True, False, True, False)

    await run(work)

    assert work.outcomes == []


async def test_more_work_is_done_at_once() -> None:
    work = Work(*[True] * 50)

    await run(work, seconds=60)

    assert work.outcomes == []


async def test_trouble_that_passes_is_waited_out() -> None:
    work = Work(asyncpg.ConnectionDoesNotExistError("gone"), OSError("refused"), MayWorkLater("later"), False)

    await run(work)

    assert work.outcomes == []


@pytest.mark.parametrize("error", [asyncpg.UniqueViolationError("twice"), ValueError("a bug")], ids=["data", "bug"])
async def test_trouble_that_does_not_pass_stops_the_process(error: Exception) -> None:
    with pytest.raises(type(error)):
        await run(Work(error, False))


async def test_a_stop_ends_a_pause() -> None:
    work = Work(False, False)
    loop = Loop("work", work, Progress(), seconds=60)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(loop.run(work.stopping))
        await asyncio.sleep(0.05)

        work.stopping.set()

    assert work.outcomes == [False]


async def test_it_rests_in_proportion_to_its_work() -> None:
    began: list[float] = []
    stopping = asyncio.Event()

    async def work() -> bool:
        began.append(asyncio.get_running_loop().time())
        if len(began) == 3:
            stopping.set()
        await asyncio.sleep(0.05)
        return False

    async with asyncio.timeout(10):
        await Loop("work", work, Progress(), seconds=0.001, rest=4).run(stopping)

    assert began[2] - began[0] >= 2 * 5 * 0.05 * 0.9
