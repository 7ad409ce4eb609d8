"""Which windows are written down for the months to come, and what a new reading of the calendar changed. Pure."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from dateutil.relativedelta import relativedelta

from contracts.events.clock import WindowEmptied, WindowMove
from services.compliance.clocks.records import KeptRule, KeptWindow
from services.compliance.clocks.windows import WindowRule, occurrences

AHEAD: Final = relativedelta(months=13)
AT_LEAST: Final = relativedelta(months=12)
"""Written down thirteen months ahead, and anew when less than twelve are left: once a month for each window."""
KEPT: Final = relativedelta(months=13)
"""A window that has been over for longer is forgotten."""

Key = tuple[UUID, str]
"""A client, and the name of one of its windows."""


def digest_of(rule: WindowRule) -> str:
    """Return what tells this rule from every other."""
    recurs = rule.recurs
    parts = [
        rule.zone,
        str(rule.start),
        rule.length.total_seconds(),
        recurs and [recurs.rule, recurs.patch_tuesday_plus_days, recurs.count, str(recurs.first_on), str(recurs.until)],
        sorted(map(str, rule.except_on)),
        rule.gap,
        rule.fold,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_due(rule: WindowRule, kept: KeptRule | None, now: datetime, tzdata: str) -> bool:
    """Return whether a window is to be written down anew: it is another one, runs out, or the calendar changed."""
    if kept is None or kept.digest != digest_of(rule) or kept.tzdata != tzdata:
        return True
    ran_out = kept.last_end_at is not None and kept.last_end_at <= now and not kept.empty
    return ran_out or kept.spread_until < now + AT_LEAST


def spread(tenant_id: UUID, rule: WindowRule, now: datetime, tzdata: str) -> tuple[KeptRule, list[KeptWindow]]:
    """Return what is written down of a window at `now`: all that is not over and starts in the months to come."""
    until = now + AHEAD
    windows = [
        KeptWindow(
            tenant_id=tenant_id,
            name=rule.name,
            start_at=each.start,
            end_at=each.end,
            local=f"{each.local:%Y-%m-%dT%H:%M}",
            note=each.note,
        )
        for each in occurrences(rule, now - rule.length, until)
        if each.end > now
    ]
    kept = KeptRule(
        tenant_id=tenant_id,
        name=rule.name,
        digest=digest_of(rule),
        zone=rule.zone,
        tzdata=tzdata,
        spread_until=until,
        empty=not windows,
        last_end_at=max((each.end_at for each in windows), default=None),
    )
    return kept, windows


def moves(before: Sequence[KeptWindow], after: Sequence[KeptWindow], until: datetime) -> list[WindowMove]:
    """Return the windows until `until` that are at other times now; the start on the wall tells which is which.

    One that is shown twice by the clocks and taken twice is two, the earlier first.
    """
    was, becomes = _by_start(before, until), _by_start(after, until)
    return [
        WindowMove(
            local=local,
            was_start_at=old.start_at if old else None,
            was_end_at=old.end_at if old else None,
            start_at=new.start_at if new else None,
            end_at=new.end_at if new else None,
        )
        for local, number in sorted({*was, *becomes})
        for old, new in [(was.get((local, number)), becomes.get((local, number)))]
        if old is None or new is None or (old.start_at, old.end_at) != (new.start_at, new.end_at)
    ]


def _by_start(windows: Sequence[KeptWindow], until: datetime) -> Mapping[tuple[str, int], KeptWindow]:
    found: dict[tuple[str, int], KeptWindow] = {}
    seen: defaultdict[str, int] = defaultdict(int)
    for each in sorted(windows, key=lambda window: window.start_at):
        if each.start_at < until:
            found[each.local, seen[each.local]] = each
            seen[each.local] += 1
    return found


def emptied(rule: WindowRule | None, before: KeptRule | None, after: KeptRule | None) -> WindowEmptied | None:
    """Return what to tell of a window that never comes, or no longer never; `None`: nothing new. `rule`: of today."""
    was, becomes = before is not None and before.empty, after is not None and after.empty
    if was == becomes:
        return None
    name = after.name if after else before.name if before else ""
    if rule is None or after is None:
        return WindowEmptied(window=name, empty=False, why="the policy has no such window any more")
    if not becomes:
        return WindowEmptied(window=name, empty=False, why="it comes again")
    if rule.recurs is None:
        why = "the policy says neither a rule nor days after the second Tuesday, so it never comes"
    else:
        why = f"it does not come until {after.spread_until:%Y-%m-%d}: its rule has ended, or every day is excepted"
    return WindowEmptied(window=name, empty=True, why=why)
