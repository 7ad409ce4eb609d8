"""Every topic, declared once: the local stack, the manifests and the published contract come from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

DAY_MS: Final = 86_400_000
LONG_RETENTION_MS: Final = 400 * DAY_MS
"""Evidence and dead letters outlive a yearly audit by a month."""

RAW_MAX_BYTES: Final = 1_048_576 + 65_536
"""The largest body that `accept` takes, and its headers."""


class Lane(StrEnum):
    """Which way something travels: as it happens, or among the many of a resync, a first import, a replay."""

    LIVE = "live"
    BULK = "bulk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic. `key` says what its records are keyed by, for people; `dead_letters` names where refused ones go."""

    name: str
    key: str
    producer: str
    consumers: tuple[str, ...]
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = 30 * DAY_MS
    partitions: int = 4
    has_dead_letters: bool = True
    max_bytes: int | None = None

    @property
    def dead_letters(self) -> str:
        """Return the name of the topic that takes what a consumer group could not handle."""
        return f"{self.name}.dlq"

    @property
    def config(self) -> dict[str, str]:
        """Return the broker's settings for this topic."""
        size = {} if self.max_bytes is None else {"max.message.bytes": str(self.max_bytes)}
        if self.cleanup == "compact":
            return {"cleanup.policy": "compact", **size}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms), **size}


def _raw(name: str, consumer: str) -> Topic:
    return Topic(
        name=name,
        key="none (spread)",
        producer="gateway",
        consumers=(consumer,),
        retention_ms=LONG_RETENTION_MS,
        max_bytes=RAW_MAX_BYTES,
    )


RMM_RAW: Final = _raw("rmm.raw", "gateway")
RMM_RAW_BULK: Final = _raw("rmm.raw.bulk", "gateway")
PSA_RAW: Final = _raw("psa.raw", "gateway")
EXPOSURES_RAW: Final = _raw("exposures.raw", "gateway")
RMM_EVENTS: Final = Topic(
    name="rmm.events", key="source/device", producer="gateway", consumers=("inventory", "compliance")
)
RMM_EVENTS_BULK: Final = Topic(
    name="rmm.events.bulk", key="source/device", producer="gateway", consumers=("inventory", "compliance")
)
RMM_RAW_BY_LANE: Final[Mapping[Lane, Topic]] = {Lane.LIVE: RMM_RAW, Lane.BULK: RMM_RAW_BULK}
RMM_EVENTS_BY_LANE: Final[Mapping[Lane, Topic]] = {Lane.LIVE: RMM_EVENTS, Lane.BULK: RMM_EVENTS_BULK}
PSA_EVENTS: Final = Topic(name="psa.events", key="source/ticket", producer="gateway", consumers=("ticketing",))
EXPOSURES: Final = Topic(name="exposures", key="tenant/identity", producer="gateway", consumers=("credentials",))
ASSETS: Final = Topic(
    name="inventory.assets", key="asset", producer="inventory", consumers=("compliance",), cleanup="compact"
)
COMPLIANCE_EVENTS: Final = Topic(name="compliance.events", key="asset", producer="compliance", consumers=("ticketing",))
FIGURES: Final = Topic(
    name="compliance.figures",
    key="tenant/os/tier/severity",
    producer="compliance",
    consumers=(),
    cleanup="compact",
    has_dead_letters=False,
)
CLIENTS: Final = Topic(
    name="clients",
    key="tenant",
    producer="gateway",
    consumers=("inventory", "compliance", "ticketing", "credentials"),
    cleanup="compact",
    partitions=1,
)
TICKETS: Final = Topic(name="tickets", key="ticket", producer="ticketing", consumers=("credentials", "compliance"))
CREDENTIALS_EVENTS: Final = Topic(
    name="credentials.events", key="case", producer="credentials", consumers=("ticketing", "compliance")
)
OCSF_EVENTS: Final = Topic(name="ocsf.events", key="asset", producer="compliance", consumers=(), has_dead_letters=False)

DECLARED: Final[tuple[Topic, ...]] = (
    RMM_RAW,
    RMM_RAW_BULK,
    PSA_RAW,
    EXPOSURES_RAW,
    RMM_EVENTS,
    RMM_EVENTS_BULK,
    PSA_EVENTS,
    EXPOSURES,
    CLIENTS,
    ASSETS,
    COMPLIANCE_EVENTS,
    FIGURES,
    TICKETS,
    CREDENTIALS_EVENTS,
    OCSF_EVENTS,
)


def dead_letter_topics() -> tuple[Topic, ...]:
    """Return the dead-letter topic of every topic that has one."""
    return tuple(
        Topic(
            name=topic.dead_letters,
            key="as source",
            producer=", ".join(topic.consumers),
            consumers=(),
            retention_ms=LONG_RETENTION_MS,
            partitions=1,
            has_dead_letters=False,
            max_bytes=topic.max_bytes and topic.max_bytes + 65_536,
        )
        for topic in DECLARED
        if topic.has_dead_letters
    )


def every() -> tuple[Topic, ...]:
    """Return all topics that a cluster must have."""
    return DECLARED + dead_letter_topics()


BY_NAME: Final[dict[str, Topic]] = {topic.name: topic for topic in every()}
