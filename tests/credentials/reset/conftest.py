"""A room for resets: one client that is live, with one directory of three persons."""

from collections.abc import AsyncIterator

import pytest

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
