"""What a rebuild of compliance consists of: evidence folded anew, then every asset decided anew at one moment."""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, LiteralString
from uuid import UUID

from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from chassis.relay import Relay
from contracts.events.event import OsFamily, Severity, Tier
from contracts.topics import ASSETS
from patchline.rebuild import comparing, inventory_records, ledger
from patchline.rebuild.comparing import Table
from patchline.rebuild.plan import Plan, Settling
from patchline.rebuild.reader import EPOCH
from patchline.rebuild.sessions import Sessions
from services.compliance import store_assets, store_figures
from services.compliance.evaluation import bench_at, evaluate
from services.compliance.handlers import ComplianceEvents
from services.compliance.policy import DEFAULT_1
from services.compliance.rechecks import Rechecks
from services.compliance.rules_cause import Scope, passed
from services.compliance.rules_figures import Cell
from services.compliance.store_catalog import CatalogShelf
from services.compliance.zones import use_shipped_zones

AT_ONCE: Final = 500
JUST_BEFORE: Final = timedelta(microseconds=1)
FIGURE: Final = Table(
    "figure", ("tenant_id", "os_family", "tier", "severity"), left_out=("as_of", "summed_as_of", "counted_at")
)

CATALOG: Final = (
    "catalog_version",
    "catalog_product",
    "catalog_requirement",
    "catalog_release",
    "catalog_patch",
    "catalog_applied",
    "feed_version",
    "feed_fact",
    "feed_applied",
)
POLICIES: Final = ("policy_version", "policy_noticed")
"""What people decided is no consequence of events: it is kept."""
EXCEPTIONS: Final = ("owner_key", "exception_request", "exception", "exception_revocation")
"""What people signed, and took back: decided by, never derived."""
ATTESTED: Final = ("attestation", "attestation_applied")

LOCKED: Final = (
    "watermark",
    "catalog_applied",
    "feed_applied",
    "patch_fact",
    "device",
    "asset",
    "evidence",
    "obligation",
    "obligation_history",
    "witness",
    "uncatalogued_failure",
    "figure_touched",
    "recheck",
    "figure",
)
"""In the order in which the service's own transactions first write them, so that nobody waits in a circle."""

STAMPS: Final[LiteralString] = """
    UPDATE patch_fact SET recorded_at = live.recorded_at FROM compliance.patch_fact AS live
    WHERE patch_fact.event_id = live.event_id AND patch_fact.event_id = ANY($1::uuid[])
"""
WAITING: Final[LiteralString] = """
    SELECT (SELECT count(*) FROM recheck) AS assets,
           (SELECT version FROM catalog_applied) < coalesce((SELECT max(version) FROM catalog_version), 0) AS catalog,
           (SELECT number FROM policy_noticed) < coalesce((SELECT max(number) FROM policy_version), 0) AS policy,
           (SELECT number FROM attestation_applied) < coalesce((SELECT max(number) FROM attestation), 0) AS words
"""


async def _ready(sessions: Sessions) -> str | None:
    """Return what the service has to finish first; `None`: nothing."""
    row = await sessions.compliance.fetchrow(WAITING)
    if row is None:
        return None
    if row["assets"]:
        return f"{row['assets']} assets are to be decided anew"
    if row["catalog"]:
        return "a loaded catalog is not applied"
    if row["words"]:
        return "what a person attested was not noticed"
    return "a recorded policy was not noticed" if row["policy"] else None


ALL_ANEW: Final[LiteralString] = """
    INSERT INTO recheck (asset_id, tenant_id, cause_id, cause_at) SELECT asset_id, tenant_id, $1, $2 FROM asset
"""
NOBODY: Final = UUID(int=0)
"""The cause that the shadow's own news name; they are never published."""


async def _settle(settling: Settling) -> None:
    """Give the devices their assets, decide all of them at one moment, keep what only tells what was told."""
    sessions = settling.sessions
    await inventory_records.install(sessions, settling.logs, ASSETS)
    async with transaction(sessions.shadow) as tx:
        await tx.execute(ALL_ANEW, NOBODY, settling.now)
    shelf = CatalogShelf()
    rechecks = Rechecks(_platform(sessions, settling.now), shelf, DEFAULT_1, most=AT_ONCE)
    while await rechecks.recheck():
        continue
    await _before_their_moment(sessions, shelf, settling.now)
    async with transaction(sessions.shadow) as tx:
        await tx.execute(ENDED)


def _platform(sessions: Sessions, now: datetime) -> Platform:
    progress = Progress()
    return Platform(
        pool=sessions.shadow,
        kafka="",
        clock=lambda: now,
        progress=progress,
        relay=Relay(dsn="", kafka="", progress=progress),
        health=HealthServer(progress, "127.0.0.1", 0),
    )


UNRUNG: Final[LiteralString] = """
    SELECT asset_id, requirement_id, next_change_at FROM compliance.obligation WHERE next_change_at <= $1
    ORDER BY next_change_at, asset_id, requirement_id
"""


async def _before_their_moment(sessions: Sessions, shelf: CatalogShelf, now: datetime) -> None:
    """Leave obligations whose moment came unnoticed as they were just before it: the service's timers tell of it."""
    rows = await sessions.shadow.fetch(UNRUNG, now)
    for at, due in groupby(rows, key=lambda row: row["next_change_at"]):
        parts = [(row["asset_id"], row["requirement_id"]) for row in due]
        for start in range(0, len(parts), AT_ONCE):
            scope = Scope()
            for asset_id, requirement_id in parts[start : start + AT_ONCE]:
                scope.add_obligation(asset_id, requirement_id, passed(at))
            async with transaction(sessions.shadow) as tx:
                bench = await bench_at(tx, shelf, DEFAULT_1, at - JUST_BEFORE)
                await evaluate(tx, await store_assets.lock(tx, scope.asset_ids), scope, bench)


ENDED: Final[LiteralString] = """
    INSERT INTO uncatalogued_failure SELECT live.* FROM compliance.uncatalogued_failure AS live
    WHERE NOT live.failing AND NOT EXISTS (
        SELECT FROM uncatalogued_failure AS made WHERE (made.asset_id, made.patch_id) = (live.asset_id, live.patch_id))
"""

CELLS: Final[LiteralString] = """
    SELECT tenant_id, os_family, tier, severity FROM obligation
    UNION SELECT tenant_id, os_family, tier, severity FROM compliance.figure
"""
TO_BE_COUNTED: Final[LiteralString] = """
    DELETE FROM rebuild_difference WHERE relation = 'figure' AND EXISTS (
        SELECT FROM compliance.figure_touched AS t
        WHERE (t.tenant_id::text, t.os_family, t.tier, t.severity)
              = (key ->> 'tenant_id', key ->> 'os_family', key ->> 'tier', key ->> 'severity'))
"""


async def _compare_figures(tx: Connection) -> None:
    """Note every published figure that the rebuilt obligations do not count to and that is not to be counted yet."""
    cells = [
        Cell(row["tenant_id"], OsFamily(row["os_family"]), Tier(row["tier"]), Severity(row["severity"]))
        for row in await tx.fetch(CELLS)
    ]
    await store_figures.save(tx, await store_figures.count(tx, cells), EPOCH)
    await comparing.compare(tx, "compliance", FIGURE)
    await tx.execute(TO_BE_COUNTED)


TOUCH: Final[LiteralString] = """
    INSERT INTO compliance.figure_touched (tenant_id, os_family, tier, severity)
    SELECT (key ->> 'tenant_id')::uuid, key ->> 'os_family', key ->> 'tier', key ->> 'severity'
    FROM compliance_rebuild.rebuild_difference WHERE relation = 'figure'
    UNION SELECT tenant_id, os_family, tier, severity FROM compliance.figure_touched
"""


UNKNOWN: Final[LiteralString] = """
    UPDATE compliance.figure AS f SET counts = '{}' FROM compliance_rebuild.rebuild_difference AS d
    WHERE d.relation = 'figure' AND (f.tenant_id::text, f.os_family, f.tier, f.severity)
          = (d.key ->> 'tenant_id', d.key ->> 'os_family', d.key ->> 'tier', d.key ->> 'severity')
"""


LOOK_ANEW: Final[LiteralString] = """
    INSERT INTO compliance.monitor_touched (asset_id, tenant_id)
    SELECT asset_id, tenant_id FROM compliance.monitor_watch
"""


async def _count_anew(tx: Connection) -> None:
    """Let the service count anew the figures that differ, and publish them whatever it believes to have published.

    So it does those of which changes wait to be summed: they are of obligations that are no more.
    Its monitors look at every machine that they watch.
    """
    await tx.execute(TOUCH)
    await tx.execute(UNKNOWN)
    await tx.execute(LOOK_ANEW)


HOLD: Final[LiteralString] = """
    SELECT pg_advisory_xact_lock_shared(hashtextextended('compliance.catalog', 0)),
           pg_advisory_xact_lock_shared(hashtextextended('compliance.policies', 0))
"""
"""Nobody loads a catalog, and no other policy comes into force, while the rebuilt is compared and swapped."""


def plan() -> Plan:
    """Return the plan."""
    use_shipped_zones()
    return Plan(
        service="compliance",
        tables=(
            Table("asset", ("asset_id",)),
            Table("device", ("device_id",)),
            Table("evidence", ("device_id", "patch_id")),
            Table("patch_fact", ("event_id",)),
            Table("obligation", ("asset_id", "requirement_id"), left_out=("next_change_at",)),
            Table("uncatalogued_failure", ("asset_id", "patch_id")),
        ),
        also_compared=(FIGURE,),
        copied=(*CATALOG, *POLICIES, *EXCEPTIONS, *ATTESTED, "client"),
        locked=LOCKED,
        handler=ComplianceEvents(CatalogShelf(), DEFAULT_1),
        stamps=STAMPS,
        hold=HOLD,
        ledger=(("compliance", ledger.PATCH_FACTS),),
        ready=_ready,
        settle=_settle,
        compare_more=_compare_figures,
        after=_count_anew,
    )
