"""A room for cases: one client that is live, with one directory of a few accounts of all kinds."""

from collections.abc import AsyncIterator

import pytest

from tests.credentials.directories import KeptDirectory
from tests.credentials.room import Room, opened_room, person
from tests.parts import Database


@pytest.fixture
async def room(database: Database) -> AsyncIterator[Room]:
    """A client that is past its dry run, with persons, administrators, a break-glass and a service account."""
    async with opened_room(database) as made:
        await made.allow(break_glass=["emergency@acme.example"], caps={"per_delivery": 5, "batches": [100]})
        await made.add(
            KeptDirectory.of(
                person("ann"),
                person("ben"),
                person("ada", privileges=("Domain Admins",)),
                person("bob", privileges=("Domain Admins",)),
                person("emergency"),
                person("svc-backup", mfa=None, recovery=None),
            )
        )
        yield made
