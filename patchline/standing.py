"""Where a consumer group stands in a log, whether the log continues there, and what a move would mean. Pure."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from aiokafka import TopicPartition

Verdict = Literal["continues", "starts above", "ends below", "made anew", "gone"]

BEGINNING: Final = "beginning"
END: Final = "end"


class NoSuchPlace(ValueError):
    """The log does not reach to the place that was asked for."""


@dataclass(frozen=True, slots=True)
class Log:
    """One partition as the cluster has it: its first offset, the offset that its next record gets, its topic's id."""

    begins: int
    ends: int
    topic_id: UUID | None


@dataclass(frozen=True, slots=True)
class Mark:
    """One group's watermark, and the schema that it stands in."""

    schema: str
    group: str
    partition: TopicPartition
    next_offset: int
    topic_id: UUID | None


@dataclass(frozen=True, slots=True)
class Move:
    """What moving a mark means: records that are handled `again`, `skipped` although they are there, `gone` unread."""

    mark: Mark
    to: int
    topic_id: UUID | None
    again: int
    skipped: int
    gone: int


def verdict(mark: Mark, log: Log | None) -> Verdict:
    """Return whether a group can go on where it stands; `None`: the cluster has no such partition."""
    if log is None:
        return "gone"
    if mark.topic_id and log.topic_id and mark.topic_id != log.topic_id:
        return "made anew"
    if log.begins > mark.next_offset:
        return "starts above"
    return "ends below" if log.ends < mark.next_offset else "continues"


def move(mark: Mark, log: Log | None, to: str) -> Move:
    """Return what moving `mark` to `to` means: `beginning`, `end`, or an offset.

    In a topic that was made anew nothing is handled again: its records were never read.

    Raises:
        NoSuchPlace: the log is not there, or does not have that offset.
    """
    name = f"{mark.partition.topic}/{mark.partition.partition}"
    if log is None:
        raise NoSuchPlace(f"the cluster has no {name}; `patchline topics apply` makes what is declared")
    place = _place(log, to, name)
    stood_at = _stood_at(mark, log)
    return Move(
        mark=mark,
        to=place,
        topic_id=log.topic_id,
        again=max(0, stood_at - place),
        skipped=max(0, place - max(stood_at, log.begins)),
        gone=max(0, log.begins - stood_at),
    )


def _place(log: Log, to: str, name: str) -> int:
    if to == BEGINNING:
        return log.begins
    if to == END:
        return log.ends
    if not to.isdecimal() or not log.begins <= int(to) <= log.ends:
        raise NoSuchPlace(f"{name} goes from {log.begins} to {log.ends}: {to!r} is no place in it")
    return int(to)


def _stood_at(mark: Mark, log: Log) -> int:
    """Return how far the records of this very log were read."""
    if verdict(mark, log) == "made anew":
        return log.begins
    return min(mark.next_offset, log.ends)
