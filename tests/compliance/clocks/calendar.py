"""A compliance service whose clients have policies with windows, and tz data that can be another one."""

import json
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import transaction
from chassis.relay import Relay
from services.compliance.clocks.loop import Clocks
from services.compliance.clocks.tzif import rules_by_zone
from services.compliance.policies import store_commands
from services.compliance.policies.notices import PolicyNotices
from services.compliance.policies.reading import policy_of
from services.compliance.policies.store_commands import Said
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.zones import use_shipped_zones
from tests.builders import ACME
from tests.compliance.house import House

CLOCK_TABLES: Final = (
    "window_rule",
    "window_occurrence",
    "deadline_before",
    "tzdata_read",
    "zone_rules",
    "policy_version",
)
SUNDAYS: Final[dict[str, object]] = {"rule": "FREQ=WEEKLY;BYDAY=SU", "start": "02:00", "duration": "PT4H"}
WORDS: Final = {
    "client": "Acme Dental",
    "zone": "America/New_York",
    "valid_from": "2025-01-01T00:00:00Z",
    "sla": [{"severities": ["critical"], "due": "P7D"}],
}


@dataclass
class Calendar:
    """The service's clocks beside the rest of it. `version` is the name of the tz data that the next process reads."""

    house: House
    version: str = "2025a"

    def __post_init__(self) -> None:
        self.start()

    def start(self, version: str | None = None) -> None:
        """Start the process anew; `version`: with other tz data."""
        self.version = version or self.version
        progress = Progress()
        on = Platform(
            pool=self.house.pool,
            kafka="127.0.0.1:1",
            clock=lambda: self.house.now,
            progress=progress,
            relay=Relay(dsn="", kafka="", progress=progress),
            health=HealthServer(progress, "127.0.0.1", 0),
        )
        self.clocks = Clocks(on, PolicyShelf(), version=self.version)
        self._policies = PolicyNotices(on)

    async def agree(self, windows: dict[str, dict[str, object]], *, tenant: UUID = ACME, **changed: object) -> None:
        """Record a client's policy with these windows, and let it come into force."""
        document, presets = policy_of(json.dumps({**WORDS, "windows": windows, **changed}).encode())
        said = Said(by="test", reason="test", at=self.house.now, feasible=True, accepted=None, lint={})
        async with transaction(self.house.pool) as tx:
            await store_commands.add(tx, tenant, document, presets, said=said)
        await self._policies.notice()
        await self.look()

    async def look(self) -> None:
        """Let the clocks do all there is to do, and whatever is to be decided anew be decided."""
        await self.clocks.notice()
        await self.house.settle()
        while await self.clocks.look():
            continue

    async def starts(self, name: str = "weekly", *, tenant: UUID = ACME) -> list[str]:
        """Return when a window starts and started, in UTC."""
        rows = await self.house.rows(
            "SELECT start_at FROM window_occurrence WHERE (tenant_id, window_name) = ($1, $2) ORDER BY 1", tenant, name
        )
        return [f"{row['start_at']:%Y-%m-%d %H:%M}" for row in rows]

    async def empty(self) -> None:
        """Forget policies, windows and tz data."""
        async with self.house.pool.acquire() as connection:
            for table in CLOCK_TABLES:
                await connection.execute(f"DELETE FROM {table}")
            await connection.execute("UPDATE policy_noticed SET number = 0, noticed_at = '1970-01-01'")


@contextmanager
def clocks_without_summer_time(folder: Path, zone: str, *, like: str) -> Iterator[None]:
    """Let `zone` have the rules of `like`, as in tz data before a law changed them."""
    file = folder / zone
    file.parent.mkdir(parents=True)
    file.write_bytes(rules_by_zone()[like])
    zoneinfo.reset_tzpath(to=[str(folder)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        yield
    finally:
        use_shipped_zones()
