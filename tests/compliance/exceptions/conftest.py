"""Exceptions in a house of their own."""

import pytest

from tests.compliance.exceptions.room import Room
from tests.compliance.house import House


@pytest.fixture
async def room(house: House) -> Room:
    """A house in which nobody asked for anything yet."""
    found = Room(house)
    await found.empty()
    return found
