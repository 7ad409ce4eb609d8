"""How exceptions and exclusions end: by a person, or because their moment came. Each is kept and told once."""

from datetime import datetime
from typing import assert_never

from chassis.postgres import Connection
from contracts import ids
from services.compliance.exceptions import (
    rules_exceptions,
    rules_told,
    store_exceptions,
    store_exclusions,
    store_moments,
    store_requests,
)
from services.compliance.exceptions.records import Chapter, Exclusion, Request
from services.compliance.exceptions.rules_told import Told
from services.compliance.exceptions.store_moments import Moment, What
from services.compliance.rules_cause import SOURCE

NOBODY_SIGNED = "nobody signed it before its end"
ITS_END_CAME = "its end came"


async def revoked(tx: Connection, now: datetime, most: int) -> list[Told]:
    """Let what people took back hold no more; its machines are decided anew."""
    taken = await store_exceptions.take_revoked(tx, now=now, most=most)
    requests = await store_requests.lock(tx, {each.exception_id for each in taken})
    told: list[Told] = []
    for each in taken:
        request = requests[each.exception_id]
        await store_moments.forget(tx, request.id, [What.EXPIRING, What.EXPIRED])
        at = each.revoked_at
        if not await store_requests.append(tx, request, Chapter.REVOKED, at=at, recorded_at=now, why=each.why):
            continue
        cause = ids.event_id_of_fields(SOURCE, "exception.revoked", at, str(request.id))
        await store_exceptions.touch(tx, rules_exceptions.granted_of(request, at), cause, at)
        told.append(rules_told.revoked(request, each.why, at))
    return told


async def excluded(tx: Connection, now: datetime, most: int) -> list[Told]:
    """Tell of updates that the service level leaves out, and of those that people count again."""
    told: list[Told] = []
    for each in await store_exclusions.take_untold(tx, now=now, most=most):
        at = each.until
        moment = Moment(about_id=each.id, what=What.EXCLUSION_ENDED, tenant_id=each.tenant_id, at=at)
        await store_moments.set_(tx, moment)
        told.append(rules_told.excluded(each))
    ended = await store_exclusions.take_ended(tx, now=now, most=most)
    known = await store_exclusions.load(tx, {each.exclusion_id for each in ended})
    for end in ended:
        await store_moments.forget(tx, end.exclusion_id, [What.EXCLUSION_ENDED])
        exclusion = known[end.exclusion_id]
        told.append(rules_told.exclusion_ended(exclusion, end.ended_at, by_person=True, why=end.why))
    return told


async def passed(tx: Connection, now: datetime, most: int) -> list[Told]:
    """Tell what time brought about by `now`."""
    due = await store_moments.take_due(tx, now, most)
    requests = await store_requests.lock(tx, {each.about_id for each in due})
    exclusions = await store_exclusions.load(tx, {each.about_id for each in due})
    told = [await _passed(tx, each, requests[each.about_id], now) for each in due if each.about_id in requests]
    return told + [_counts_again(exclusions[each.about_id], each.at) for each in due if each.about_id in exclusions]


async def _passed(tx: Connection, moment: Moment, request: Request, now: datetime) -> Told:
    match moment.what:
        case What.LAPSED:
            await store_requests.append(tx, request, Chapter.LAPSED, at=moment.at, recorded_at=now, why=NOBODY_SIGNED)
            return rules_told.refused(request, NOBODY_SIGNED, moment.at)
        case What.EXPIRING:
            await store_requests.append(tx, request, Chapter.EXPIRING, at=moment.at, recorded_at=now)
            return rules_told.expiring(request, moment.at)
        case What.EXPIRED | What.EXCLUSION_ENDED:
            await store_requests.append(tx, request, Chapter.EXPIRED, at=moment.at, recorded_at=now)
            return rules_told.expired(request)
        case _:
            assert_never(moment.what)


def _counts_again(exclusion: Exclusion, at: datetime) -> Told:
    return rules_told.exclusion_ended(exclusion, at, by_person=False, why=ITS_END_CAME)
