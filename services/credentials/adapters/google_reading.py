"""What is read of Google Workspace beside a user: pages, who has power, when a password was changed."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx

from chassis.http import LONGEST_RETRY_AFTER_SECONDS, Refused
from services.credentials.adapters.cloud import (
    MOST_PAGES,
    AnswerNotUnderstood,
    Cloud,
    Params,
    Patience,
    Row,
    decoded,
    rows_of,
)
from services.credentials.adapters.google_rows import (
    Activity,
    Changes,
    GoogleGroup,
    GoogleRole,
    GoogleUser,
    Member,
    RoleAssignment,
    changes_in,
)

Form = TypeVar("Form", bound=Row)

DIRECTORY: Final = "/admin/directory/v1"
ACTIVITY: Final = "/admin/reports/v1/activity/users"
PAGE_MEMBERS: Final = 200
PAGE_EVENTS: Final = 1000
CHANGES: Final = (("user_accounts", "password_edit"), ("admin", "CHANGE_PASSWORD"))
"""Where a change of password is told: by the person, and by an administrator. Kept for 180 days."""

_TOO_OFTEN: Final = frozenset({"quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded"})
_FOR_TODAY: Final = "dailyLimitExceeded"


def said_as_429(response: httpx.Response) -> None:
    """Turn the 403 with which Google says "too often" into the 429 that means it.

    Source: Admin SDK, Directory API, "Limits and quotas" and "Resolve errors".
    """
    if response.status_code != 403:
        return
    try:
        errors = response.json()["error"]["errors"]
        reasons = {each.get("reason") for each in errors}
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    if reasons & _TOO_OFTEN:
        response.status_code = 429
    elif _FOR_TODAY in reasons:
        response.status_code = 429
        response.headers["retry-after"] = str(LONGEST_RETRY_AFTER_SECONDS)


@dataclass(frozen=True, slots=True)
class Workspace:
    """One customer's API, with the patience of one reading."""

    cloud: Cloud
    customer: str
    patience: Patience

    async def pages(self, form: type[Form], path: str, key: str, params: Params) -> AsyncIterator[Sequence[Form]]:
        """Yield the pages of what stands under `key`.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: it could not be read whole.
        """
        asked = dict(params)
        for _ in range(MOST_PAGES):
            answer = decoded(await self.cloud.get(path, asked, patience=self.patience))
            if not isinstance(answer, dict):
                raise AnswerNotUnderstood(f"{path}: not an object")
            yield rows_of(form, answer.get(key))
            following = answer.get("nextPageToken")
            if not isinstance(following, str) or not following:
                return
            asked["pageToken"] = following
        raise AnswerNotUnderstood(f"{path}: does not end")

    async def rows(self, form: type[Form], path: str, key: str, params: Params | None = None) -> list[Form]:
        """Return everything that stands under `key`."""
        return [row async for page in self.pages(form, path, key, params or {}) for row in page]

    async def roles(self) -> Mapping[str, list[str]]:
        """Return the names of roles by the id of who has them, by themselves or through a group."""
        customer = f"{DIRECTORY}/customer/{self.customer}"
        titles = {each.role_id: each.title for each in await self.rows(GoogleRole, f"{customer}/roles", "items")}
        found: dict[str, list[str]] = defaultdict(list)
        for each in await self.rows(RoleAssignment, f"{customer}/roleassignments", "items"):
            title = titles.get(each.role_id, each.role_id)
            is_group = (each.assignee_type or "").lower() == "group"
            for whose in await self.members(each.assigned_to) if is_group else [each.assigned_to]:
                found[whose].append(title)
        return found

    async def members(self, group: str) -> list[str]:
        """Return the ids of who is in a group, also through another one."""
        asked: Params = {"maxResults": PAGE_MEMBERS, "includeDerivedMembership": "true"}
        found = await self.rows(Member, f"{DIRECTORY}/groups/{group}/members", "members", asked)
        return [each.id for each in found if each.id is not None]

    async def in_groups(self, names: Sequence[str]) -> Mapping[str, list[str]]:
        """Return the addresses among `names` of the groups that somebody is in, by their id."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in names:
            try:
                for member in await self.members(name):
                    found[member].append(name)
            except Refused as error:
                if error.status != 404:  # a group that is gone holds nobody
                    raise
        return found

    async def groups_of(self, object_id: str) -> list[str]:
        """Return the names and addresses of a user's groups."""
        asked: Params = {"userKey": object_id, "maxResults": PAGE_MEMBERS}
        groups = await self.rows(GoogleGroup, f"{DIRECTORY}/groups", "groups", asked)
        return [name for each in groups for name in (each.email, each.name) if name]

    async def changes(self) -> Mapping[str, Changes]:
        """Return the last changes of passwords, by id or address."""
        found: list[Activity] = []
        for application, event in CHANGES:
            path = f"{ACTIVITY}/all/applications/{application}"
            found += await self.rows(Activity, path, "items", {"eventName": event, "maxResults": PAGE_EVENTS})
        return changes_in(found)

    async def changes_of(self, user: GoogleUser) -> Mapping[str, Changes]:
        """Return the last changes of one user's password."""
        mine: Params = {"eventName": "password_edit", "maxResults": 1}
        filters = f"USER_EMAIL=={user.primary_email}"
        by_admin: Params = {"eventName": "CHANGE_PASSWORD", "filters": filters, "maxResults": 1}
        newest: list[Activity] = []
        for path, asked in ((f"{user.id}/applications/user_accounts", mine), ("all/applications/admin", by_admin)):
            async for page in self.pages(Activity, f"{ACTIVITY}/{path}", "items", asked):
                newest += page
                break  # the newest stands first
        return changes_in(newest)
