"""One process that reads directories, or looks at hygiene, until it is killed at a point.

`python -m tests.credentials.directory.lone_reader DSN (read | look) POINT`
"""

import asyncio
import sys

from chassis import points
from services.credentials.directory.hygiene import HygieneRounds
from tests.credentials.directories import KeptDirectory, account
from tests.credentials.directory.conftest import opened

KIM = account("kim", mfa=False)


async def main(dsn: str, work: str, point: str) -> None:
    async with opened(dsn) as room:
        room.there["acme-ad"] = KeptDirectory.of(KIM)
        points.arm(point)
        if work == "read":
            await room.read_due()
        else:
            await HygieneRounds(room.on).look_at_next()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
