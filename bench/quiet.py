"""Quiet before a stage of the whole product: what the stages before it left to do is in nobody's figures.

The product ends what it has to do at the tracker, and PostgreSQL what it would do of millions of new rows at some later
moment, of its own accord and in whichever stage that is: its tables are vacuumed and a checkpoint is made.
"""

import asyncio
import time
from typing import Final, LiteralString

from bench.measured import connected
from patchline.local import Say

DUE: Final[LiteralString] = """
    SELECT count(*) FROM ticketing.intent WHERE state IN ('pending', 'leased', 'uncertain') AND due_at <= now()
"""


async def quiet(dsn: str, *, longest_seconds: float, say: Say) -> None:
    """Return when nothing is due at the tracker, or the time for it is over, and the database is put in order.

    `dsn` is a superuser's.
    """
    began_at = time.monotonic()
    async with connected(dsn) as admin:
        first = due = await admin.fetchval(DUE)
        while due and time.monotonic() - began_at < longest_seconds:
            await asyncio.sleep(0.5)
            due = await admin.fetchval(DUE)
        done_at = time.monotonic()
        await admin.execute("VACUUM (ANALYZE)")
        await admin.execute("CHECKPOINT")
    if first or time.monotonic() - began_at > 1:
        waited, ordered = done_at - began_at, time.monotonic() - done_at
        say(f"quiet: {first} acts were due at the tracker, {due} are after {waited:.0f} s; vacuum took {ordered:.0f} s")
