"""What travels on each topic and how a reader must take it: the part of the contract that `topics` has no field for."""

from collections.abc import Mapping
from typing import Final

from contracts import topics
from contracts.events import (
    ALL,
    approver,
    asset,
    client,
    clock,
    credential,
    exception,
    exposure,
    monitor,
    obligation,
    policy,
    priority,
    psa,
    rmm,
    ticket,
)
from contracts.events.event import Event
from contracts.topics import Topic

_FAMILIES: Final[Mapping[str, tuple[Topic, ...]]] = {
    rmm.__name__: (topics.RMM_EVENTS, topics.RMM_EVENTS_BULK),
    psa.__name__: (topics.PSA_EVENTS,),
    asset.__name__: (topics.ASSETS,),
    client.__name__: (topics.CLIENTS,),
    obligation.__name__: (topics.COMPLIANCE_EVENTS,),
    monitor.__name__: (topics.COMPLIANCE_EVENTS,),
    clock.__name__: (topics.COMPLIANCE_EVENTS,),
    policy.__name__: (topics.COMPLIANCE_EVENTS,),
    priority.__name__: (topics.COMPLIANCE_EVENTS,),
    exception.__name__: (topics.COMPLIANCE_EVENTS,),
    ticket.__name__: (topics.TICKETS,),
    exposure.__name__: (topics.EXPOSURES,),
    credential.__name__: (topics.CREDENTIALS_EVENTS,),
    approver.__name__: (topics.CREDENTIALS_EVENTS,),
}
"""Each module of events is what one producer says, and travels together."""

_ON_ITS_OWN: Final[Mapping[type[Event], tuple[Topic, ...]]] = {obligation.FigurePublished: (topics.FIGURES,)}

ABOUT: Final[Mapping[Topic, str]] = {
    topics.RMM_RAW: "Deliveries of RMMs as they came: bytes sealed with the source's key. Evidence and replay source.",
    topics.RMM_RAW_BULK: "The same of a resync, a first import or a replay.",
    topics.PSA_RAW: "Deliveries of PSAs as they came, sealed.",
    topics.EXPOSURES_RAW: "Deliveries of exposure feeds, redacted at the door, sealed.",
    topics.RMM_EVENTS: "What RMMs say about devices and patches, in one vocabulary for all vendors.",
    topics.RMM_EVENTS_BULK: "The same, of a resync, a first import or a replay. Read both to have everything.",
    topics.PSA_EVENTS: "What PSAs say about our tickets: closures, reopenings, that somebody wrote a note.",
    topics.EXPOSURES: "Credentials that were found exposed, with no secret in them.",
    topics.CLIENTS: "The clients of the MSP: names, zones, whom to tell.",
    topics.ASSETS: "The record of each machine, whole. A null value says that it left.",
    topics.COMPLIANCE_EVENTS: "What became of each obligation: one machine owing one requirement.",
    topics.FIGURES: "The states and the headline figure of each cell: tenant, operating system, tier, severity.",
    topics.TICKETS: "What became of each ticket in the tracker.",
    topics.CREDENTIALS_EVENTS: "Cases of exposed credentials, what was done about them; whose signature counts.",
    topics.OCSF_EVENTS: "The facts of compliance.events as OCSF events, for security tools.",
}

UNUSED: Final = frozenset({topics.OCSF_EVENTS})
"""Declared so that every cluster has them; nothing is written there in this release."""

SEQUENCED: Final = frozenset(
    {
        topics.CLIENTS,
        topics.ASSETS,
        topics.COMPLIANCE_EVENTS,
        topics.FIGURES,
        topics.TICKETS,
        topics.CREDENTIALS_EVENTS,
    }
)
"""Here every record has a `ce_sequence`, which grows per key."""

NOT_READ_YET: Final[Mapping[Topic, frozenset[str]]] = {}
"""Services that a topic is declared for and that do not read it in this release."""

RAW: Final = frozenset({topics.RMM_RAW, topics.RMM_RAW_BULK, topics.PSA_RAW, topics.EXPOSURES_RAW})


def topics_of(event: type[Event]) -> tuple[Topic, ...]:
    """Return where events of this type travel; nowhere, if its module is not one of those above."""
    return _ON_ITS_OWN.get(event) or _FAMILIES.get(event.__module__, ())


def events_of(topic: Topic) -> tuple[type[Event], ...]:
    """Return the types of events on `topic`, in the order in which they are declared."""
    return tuple(event for event in ALL if topic in topics_of(event))


def consumers_of(topic: Topic) -> tuple[str, ...]:
    """Return our services that read `topic` in this release."""
    return tuple(each for each in topic.consumers if each not in NOT_READ_YET.get(topic, frozenset()))


def order_of(topic: Topic) -> str:
    """Return what a reader can rely on about the order of records."""
    if topic in RAW:
        return "None: records are spread over the partitions as they come."
    if topic.cleanup == "compact":
        return (
            "Per key. Keep, per key, the record with the highest `ce_sequence`: a restart of the producer may bring an "
            "older one again. Compaction keeps the last record of a key, so reading from the beginning gives all."
        )
    if topic in SEQUENCED:
        return (
            "Per key, by `ce_sequence`. A record may come twice, with the same `ce_id`, and after one with a higher "
            "number."
        )
    return (
        "Per key in order of acceptance, which need not be the order in which things happened: `ce_time` says when. A "
        "record may come twice, with the same `ce_id`."
    )
