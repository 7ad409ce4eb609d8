"""A room for resets: one client that is live, with one directory of three persons."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.builders import ACME
from tests.credentials.directories import KeptDirectory
from tests.credentials.room import Room, opened_room, person
from tests.parts import Database


@pytest.fixture
async def room(database: Database) -> AsyncIterator[Room]:
    """A client that is past its dry run; Ann and Ben are persons, Ada and Bob administer the domain."""
    async with opened_room(database) as made:
        await made.allow()
        await made.add(
            KeptDirectory.of(
                person("ann"),
                person("ben"),
                person("ada", privileges=("Domain Admins",)),
                person("bob", privileges=("Domain Admins",)),
            )
        )
        yield made


@pytest.fixture
def throw(room: Room) -> Callable[[str], Awaitable[None]]:
    """Put the client's breaker into a state, as a person does."""

    async def thrown(state: str) -> None:
        await room.pool.execute(
            "INSERT INTO breaker (tenant_id, state, why, moved_by, moved_at, moves) "
            "VALUES ($1, $2, 'a test', 'me', $3, 1) "
            "ON CONFLICT (tenant_id) DO UPDATE SET state = $2, why = 'a test', moves = breaker.moves + 1",
            ACME,
            state,
            room.now,
        )

    return thrown
