"""The standing audit's word on the day: is every delivery and every event accounted for?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from chassis.settings import with_password
from patchline.audit.barrier import Audit, Watch
from patchline.demo.check import Check, some
from patchline.logs import opened

WAIT_SECONDS: Final = 20.0
DAYS: Final = timedelta(days=2)


async def audited(settings: Mapping[str, str], now: datetime) -> Check:
    """Return whether deliveries and events of the last two days balance.

    Raises:
        OSError, KafkaError, asyncpg.PostgresError: a part cannot be reached.
    """
    dsn = with_password(settings["PATCHLINE_OPERATOR_URL"], Path(settings["PATCHLINE_OPERATOR_PASSWORD_FILE"]))
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        async with opened(settings["PATCHLINE_KAFKA"]) as logs:
            since = (now - DAYS).replace(minute=0, second=0, microsecond=0)
            return checked(await Watch(connection, logs).settle(since, wait_seconds=WAIT_SECONDS))
    finally:
        await connection.close(timeout=2)


def checked(audit: Audit) -> Check:
    """Return the audit as one comparison: what is missing is lost, and what cannot be judged yet is wrong."""
    expected = sum(each.expected for each in audit.balances)
    late = [each for each in audit.balances if each.verdict == "not yet final"]
    gaps = [f"{each.source} {each.hour:%H}h, {each.group}: {each.verdict}" for each in audit.balances if each.missing]
    gaps += [f"{each.group}, {each.topic}: {each.why}" for each in audit.proofs if each.missing]
    return Check(
        name="standing audit",
        expected=expected,
        found=expected - audit.gaps,
        lost=audit.gaps,
        wrong=len(late),
        examples=some([*gaps, *(f"{each.source}, {each.group}: {each.in_flight} in flight" for each in late)]),
    )
