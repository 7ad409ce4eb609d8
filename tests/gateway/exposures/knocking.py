"""The door with everything behind it in memory, and sources of every feed that knock."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from chassis.clock import moved_clock
from chassis.health import Progress
from contracts.raw import RecordHeaders
from services.gateway.door.accept import Door
from services.gateway.door.approvals import PATH
from services.gateway.door.exposures import ExposureKeys
from services.gateway.door.known_sources import KnownSources
from services.gateway.door.raw_batch import Outcome
from services.gateway.door.verification import (
    NOBODY,
    ClientState,
    Scheme,
    StandardWebhooks,
    StaticHeader,
    unguessable,
)
from services.gateway.door.ways import Ways
from services.gateway.exposures.fingerprint import FingerprintKey
from services.gateway.exposures.offline_key import OfflineKey, new_pair, opened, read_public
from services.gateway.exposures.quarantine import Quarantine
from services.gateway.exposures.redaction import Redaction
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import FILE
from services.gateway.keys.large_bodies import LargeBodies
from services.gateway.keys.sealing import SealingKey
from services.gateway.registry.sources import SourceByPath, source
from services.gateway.rules_lanes import Rate
from tests.gateway.doors import KEY
from tests.gateway.held import HeldBlobs, body_key
from tests.gateway.held import opened as unsealed

FINGERPRINT_KEY = FingerprintKey(b"f" * 32)
APPROVAL_KEY = b"a" * 32
STATE = "a client state of the tests"
OWN, SPYCLOUD, GRAPH = (f"/webhooks/exposure/{each}" for each in ("patchline/own", "spycloud/main", "graph/main"))
IDS = {path: f"exposure/{path.removeprefix('/webhooks/exposure/')}" for path in (OWN, SPYCLOUD, GRAPH)}
IDS[PATH] = "exposure/approval/links"
BODY_KEYS = {path: body_key(source_id) for path, source_id in IDS.items()}


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def sources() -> SourceByPath:
    """Return sources by their paths: one that signs, one with a header, one with a client state, and the links."""
    schemes: dict[str, Scheme] = {
        OWN: StandardWebhooks((KEY, unguessable())),
        SPYCLOUD: StaticHeader(b"x-shared", (digest("a shared secret"), unguessable())),
        GRAPH: ClientState((digest(STATE), unguessable())),
        PATH: NOBODY,
    }
    return {
        path: source(IDS[path].split("/")[1], IDS[path], scheme, BODY_KEYS[path]) for path, scheme in schemes.items()
    }


@dataclass(slots=True)
class HeldWay:
    """Stands for Kafka and the spool: keeps what is written, unless it is away."""

    is_away: bool = False
    records: list[tuple[RecordHeaders, bytes]] = field(default_factory=list)

    async def write(
        self, headers: RecordHeaders, value: bytes, *, raw_id: str, source: str, received_at: datetime
    ) -> Outcome:
        await asyncio.sleep(0)
        assert raw_id, source
        assert received_at.tzinfo
        if self.is_away:
            return Outcome.SPOOL_LATE
        self.records.append((headers, value))
        return Outcome.WRITTEN

    def bodies(self) -> list[bytes]:
        """Return the bodies in clear."""
        return [unsealed(_Record(*each), *BODY_KEYS.values()).body for each in self.records]


@dataclass(frozen=True, slots=True)
class _Record:
    headers: RecordHeaders
    value: bytes


class HeldQuarantine(Quarantine):
    """Stands for PostgreSQL: keeps what is set aside, unless it is away."""

    def __init__(self, key: OfflineKey) -> None:
        super().__init__(dsn="", key=key, digest_key=FINGERPRINT_KEY)
        self.is_away = False
        self.rows: dict[tuple[str, bytes], Any] = {}

    async def _add(self, one: Any) -> None:
        if self.is_away:
            raise OSError("away")
        self.rows.setdefault((one.source, one.digest), one)


@dataclass(frozen=True, slots=True)
class Knocking:
    """A client at a door, and what stands behind it."""

    client: httpx.AsyncClient
    way: HeldWay
    quarantine: HeldQuarantine
    private_key: str

    def set_aside(self) -> list[bytes]:
        """Return the quarantined bodies, opened with the offline key."""
        return [opened(self.private_key.encode(), one.sealed) for one in self.quarantine.rows.values()]


@asynccontextmanager
async def knocking(tmp_path: Any, *, clock: Any = None, with_keys: bool = True) -> AsyncIterator[Knocking]:
    """Yield a door that takes exposures, and a client in front of it."""
    private, public = new_pair()
    (tmp_path / "quarantine.pub").write_text(public)
    way, quarantine = HeldWay(), HeldQuarantine(read_public(tmp_path / "quarantine.pub"))
    keys = CurrentKeys({}, FILE)
    known = KnownSources(dsn="", sealing_key=SealingKey(b"k" * 32), keys=keys, refresh_seconds=1, progress=Progress())
    known.by_path = sources()
    durable: Any = way
    door = Door(
        sources=known,
        ways=Ways(live=durable, bulk=durable, psa=durable, exposures=durable, rate=Rate(100, 100)),
        large=LargeBodies(HeldBlobs(), from_bytes=2**21),
        clock=clock or moved_clock(0),
        trace_ratio=0,
        exposure_keys=ExposureKeys(Redaction(FINGERPRINT_KEY), quarantine, APPROVAL_KEY)
        if with_keys
        else ExposureKeys(),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://door") as client:
        yield Knocking(client, way, quarantine, private)
