"""Policies in a house of their own."""

import pytest

from tests.compliance.house import House
from tests.compliance.policies.room import Room


@pytest.fixture
async def room(house: House) -> Room:
    """A house in which no client has a policy of its own yet."""
    found = Room(house)
    await found.empty()
    return found
