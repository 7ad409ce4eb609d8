"""The tree of one delivery: each hop with its moment, and what it led to. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from patchline.journey.records import Hop, Records, Row, Seen, Tables

NOTHING_KEPT: Final = "inventory keeps no history of what only shows that a device is there"


def journey(tables: Tables, records: Records) -> Hop | None:
    """Return the way of one delivery; `None`: neither a table nor a topic knows it."""
    if not (tables.spooled or tables.translated or records.deliveries):
        return None
    first = records.deliveries[0].headers if records.deliveries else {}
    facts: dict[str, object] = {"raw_id": str(tables.raw_id)}
    facts |= {name: first[name] for name in ("source", "channel", "delivery", "traceparent") if name in first}
    if "source" not in facts and (rows := [*tables.translated, *tables.spooled]):
        facts["source"] = rows[0]["source"]
    return Hop("received", _received_at(tables, records), facts, [*_spool(tables), *_raw(tables, records)])


def _received_at(tables: Tables, records: Records) -> datetime | None:
    if records.deliveries and "received" in records.deliveries[0].headers:
        return datetime.fromisoformat(records.deliveries[0].headers["received"])
    if tables.raw_id.version == 7:
        return datetime.fromtimestamp((tables.raw_id.int >> 80) / 1000, UTC) + records.offset
    return None


def _spool(tables: Tables) -> list[Hop]:
    return [Hop("waits in the spool: Kafka has not taken it", None, {"topic": row["topic"]}) for row in tables.spooled]


def _raw(tables: Tables, records: Records) -> list[Hop]:
    """Return a hop for each raw record; what was made of them hangs below the first."""
    made = [*_refused(str(tables.raw_id), records), *_events(tables, records)]
    if not records.deliveries:
        return made
    hops = []
    for number, seen in enumerate(records.deliveries):
        is_read = tables.standing.get((seen.topic, seen.partition), 0) > seen.offset
        what = "replayed" if "replay_group" in seen.headers else "written" if number == 0 else "written once more"
        then: Sequence[Hop] = ()
        if number == 0:
            then = made or [Hop(_without_events(is_read=is_read))]
        hops.append(Hop(what, records.at(seen), {"place": seen.place, "is_read": is_read}, then))
    return hops


def _without_events(*, is_read: bool) -> str:
    return "read: it says nothing that was not known" if is_read else "not read yet"


def _refused(id_: str, records: Records) -> list[Hop]:
    return [
        Hop(
            "dead-lettered",
            records.at(seen),
            {
                "group": seen.headers.get("dlq_group"),
                "reason": seen.headers.get("dlq_reason"),
                "dead_letter": seen.headers.get("dlq_id"),
            },
        )
        for seen in records.dead_letters
        if id_ in {seen.headers.get("raw_id"), seen.headers.get("ce_id")}
    ]


def _events(tables: Tables, records: Records) -> list[Hop]:
    published = {seen.headers.get("ce_id"): seen for seen in reversed(records.events)}
    parked = {row["event_id"]: row for row in tables.parked}
    type_by_event = {row["event_id"]: row["type"] for row in (*tables.parked, *tables.inventory, *tables.compliance)}
    hops = []
    for row in tables.translated:
        id_ = row["event_id"]
        if row["stands_for"] != "event":
            hops.append(Hop(f"a code that is no event: {row['stands_for']}", row["recorded_at"], {"id": str(id_)}))
            continue
        seen = published.get(str(id_))
        type_ = type_by_event.get(id_) or (seen.headers.get("ce_type") if seen else None)
        then = _followed(tables, records, id_, seen)
        if id_ in parked:
            then = [
                Hop("parked until a client is known", parked[id_]["recorded_at"], {"reason": parked[id_]["reason"]})
            ]
        hops.append(Hop("translated", row["recorded_at"], {"event": str(id_), "type": type_}, then))
    return hops


def _followed(tables: Tables, records: Records, event: UUID, seen: Seen | None) -> list[Hop]:
    """Return what became of one event at each group that reads it."""
    groups = [
        *_inventory(tables, event),
        *_compliance(tables, event),
        *_credentials(tables, event),
        *_of_tickets(tables, event),
        *_refused(str(event), records),
    ]
    if seen is None:
        return groups
    return [Hop("published", records.at(seen), {"place": seen.place}, groups)]


def _inventory(tables: Tables, event: UUID) -> list[Hop]:
    rows = [row for row in tables.inventory if row["event_id"] == event]
    if not rows:
        return [Hop("inventory", None, {"note": NOTHING_KEPT})] if _is_known_elsewhere(tables, event) else []
    return [Hop("inventory: kept", row["recorded_at"], {"device": row["device"]}) for row in rows]


def _is_known_elsewhere(tables: Tables, event: UUID) -> bool:
    return any(row["event_id"] == event for row in tables.compliance)


def _compliance(tables: Tables, event: UUID) -> list[Hop]:
    return [
        Hop(
            "compliance: kept",
            row["recorded_at"],
            {"device": row["device"]},
            [*_changes(tables, event), *_told(tables, event)],
        )
        for row in tables.compliance
        if row["event_id"] == event
    ]


def _credentials(tables: Tables, event: UUID) -> list[Hop]:
    """Return what credentials made of an exposure or an approval; the steps of a case hang below what opened it."""
    return [
        Hop(
            _became(row),
            row["recorded_at"],
            {"case": row["case_id"] and str(row["case_id"]), "decision": row["decision"], "why": row["why"]},
            [*(_steps(tables, row["case_id"]) if row["is_opening"] else []), *_told(tables, event)],
        )
        for row in tables.cases
        if row["event_id"] == event
    ]


def _became(row: Row) -> str:
    if not row["is_exposure"]:
        return f"credentials heard: {row['type']}"
    if row["case_id"] is None:
        return "credentials: held, its delivery names too many"
    if not row["is_opening"]:
        return "credentials: appended to a case"
    return "credentials: opened a case" if not row["dry_run"] else "credentials: opened a case, as a dry run"


def _steps(tables: Tables, case: UUID) -> list[Hop]:
    return [
        Hop(f"step {row['step']}: {row['state']}", row["done_at"], {"proof": row["proof"], "reason": row["reason"]})
        for row in tables.steps
        if row["case_id"] == case
    ]


def _of_tickets(tables: Tables, event: UUID) -> list[Hop]:
    """Return what ticketing heard from a ticket system itself, and what it did because of it."""
    return [
        Hop(
            f"ticketing heard: {row['type']}",
            row["recorded_at"],
            {"number": row["asset"]},
            _tickets(tables, event, row["asset"]),
        )
        for row in tables.heard
        if row["event_id"] == event
    ]


def _changes(tables: Tables, event: UUID) -> list[Hop]:
    return [
        Hop(
            f"obligation {row['before'] or 'new'} -> {row['state']}",
            row["recorded_at"],
            {
                "product": row["product"],
                "train": row["train"],
                "why": row["why"],
                "event": str(row["event_id"]),
                "waited_for": None if row["is_own"] else str(row["caused_by"] or "a moment"),
            },
            _tickets(tables, row["event_id"], row["asset"]),
        )
        for row in tables.changes
        if row["fact"] == event
    ]


def _told(tables: Tables, event: UUID) -> list[Hop]:
    """Return what ticketing heard because of an event, besides the changes that stand as such."""
    shown = {row["event_id"] for row in tables.changes}
    return [
        Hop(
            f"ticketing heard: {row['type']}",
            row["recorded_at"],
            {"event": str(row["event_id"])},
            _tickets(tables, row["event_id"], row["asset"]),
        )
        for row in tables.heard
        if row["because_of"] == event and row["event_id"] not in shown
    ]


def _tickets(tables: Tables, cause: UUID, asset: str) -> list[Hop]:
    """Return what one event did to tickets; where it did nothing by itself, the tickets that list its device."""
    hops = [
        Hop(
            f"ticket: {row['kind']}, {row['state']}",
            row["created_at"],
            {
                "ticket": row["ticket"],
                "number": row["external"],
                "ticket_state": row["ticket_state"],
                "title": row["title"],
                "done_at": row["done_at"],
                "reason": row["reason"],
            },
        )
        for row in tables.intents
        if row["cause_id"] == cause
    ]
    is_heard = any(row["event_id"] == cause for row in tables.heard)
    if hops or not is_heard:
        return hops
    return [
        Hop(
            "ticket: lists the device" if row["cleared_as"] is None else f"ticket: took it off, {row['cleared_as']}",
            row["listed_at"],
            {"ticket": row["ticket"], "number": row["external"], "ticket_state": row["ticket_state"]},
        )
        for row in tables.listed
        if row["asset"] == asset
    ]
