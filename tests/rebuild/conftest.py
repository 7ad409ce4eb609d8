"""The product after a simulated day, on a broker of its own: the raw logs begin with the day."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from patchline.topics import apply_declared
from tests.parts import Database, running_kafka
from tests.rebuild.product import Product, running


@pytest.fixture(scope="module")
def own_broker(parts_folder: Path) -> Iterator[str]:
    with running_kafka(parts_folder / "rebuild", lambda _line: None) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="module")
async def product(database: Database, own_broker: str, parts_folder: Path) -> AsyncIterator[Product]:
    await apply_declared(own_broker)
    async with running(database, own_broker, parts_folder) as product:
        yield product
