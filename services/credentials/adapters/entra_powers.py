"""Who has power in Entra ID and who can take some: roles, roles through groups, PIM, and who may join such groups.

All of it is read whole, or the reading fails: a list of administrators with a gap protects nobody.
Source: Microsoft Graph v1.0, roleManagement/directory, identityGovernance/privilegedAccess/group, groups.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, TypeVar

from chassis.http import Refused
from services.credentials.adapters.cloud import (
    MOST_PAGES,
    AnswerNotUnderstood,
    Cloud,
    Params,
    Patience,
    Row,
    code_of,
    decoded,
    rows_of,
)
from services.credentials.adapters.entra_rows import Named, Powers, Reference

Form = TypeVar("Form", bound=Row)

ROLES: Final = "/v1.0/roleManagement/directory"
GROUPS: Final = "/v1.0/groups"
MEMBERSHIPS: Final = "/v1.0/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"
NOT_LICENSED: Final = frozenset({"AadPremiumLicenseRequired", "PimLicenseRequired"})
"""Graph's codes where a tenant has no Privileged Identity Management: nobody can be eligible there."""

_By = defaultdict[str, dict[str, None]]


class Assignment(Row):
    """A role of somebody or of a group, held or eligible."""

    principal_id: str
    role_definition_id: str


class Membership(Row):
    """A group that somebody can become a member or an owner of."""

    principal_id: str


class Group(Named):
    """A group that roles can be given to, or whose name was asked for; what is in it, by id."""


async def pages(
    cloud: Cloud,
    form: type[Form],
    path: str,
    params: Params | None = None,
    *,
    patience: Patience,
) -> AsyncIterator[Sequence[Form]]:
    """Yield the pages of one collection.

    Raises:
        Refused, Unavailable, AnswerNotUnderstood: it could not be read whole.
    """
    for _ in range(MOST_PAGES):
        answer = decoded(await cloud.get(path, params, patience=patience))
        if not isinstance(answer, dict):
            raise AnswerNotUnderstood(f"{path.partition('?')[0]}: not an object")
        yield rows_of(form, answer.get("value"))
        following = answer.get("@odata.nextLink")
        if not isinstance(following, str):
            return
        path, params = cloud.below(following), None  # the link carries the query with it
    raise AnswerNotUnderstood(f"{path.partition('?')[0]}: does not end")


async def rows(
    cloud: Cloud, form: type[Form], path: str, params: Params | None = None, *, patience: Patience
) -> list[Form]:
    """Return all rows of one collection."""
    return [row async for page in pages(cloud, form, path, params, patience=patience) for row in page]


class PowerReading:
    """Reads who has power."""

    def __init__(self, cloud: Cloud, group_names: Sequence[str], patience: Patience) -> None:
        """Read the members of the groups called `group_names` too."""
        self._cloud = cloud
        self._names = group_names
        self._patience = patience
        self._has: _By = defaultdict(dict)
        self._can_take: _By = defaultdict(dict)
        self._groups: _By = defaultdict(dict)

    async def read(self) -> Powers:
        """Return roles and groups by who has them.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: it could not be read whole.
        """
        names = {each.id: each.display_name or each.id for each in await self._rows(Named, f"{ROLES}/roleDefinitions")}
        held = await self._rows(Assignment, f"{ROLES}/roleAssignments")
        eligible = await self._licensed(Assignment, f"{ROLES}/roleEligibilityScheduleInstances")
        for found, into in ((held, self._has), (eligible, self._can_take)):
            for each in found:
                into[each.principal_id][names.get(each.role_definition_id, each.role_definition_id)] = None
        for group in await self._rows(Group, GROUPS, _that("isAssignableToRole eq true")):
            await self._spread(group)
        for name in self._names:
            for group in await self._rows(Group, GROUPS, _that(f"displayName eq '{_quoted(name)}'")):
                for member in await self._in(group.id, "transitiveMembers"):
                    self._groups[member][group.display_name or group.id] = None
        return Powers(_tuples(self._has), _tuples(self._can_take), _tuples(self._groups))

    async def _spread(self, group: Group) -> None:
        """Give the roles of a group to who is in it, and make those eligible who may join it or let others in."""
        held = {**self._has.pop(group.id, {}), group.display_name or group.id: None}
        eligible = self._can_take.pop(group.id, {})
        for member in await self._in(group.id, "transitiveMembers"):
            self._has[member].update(held)
            self._can_take[member].update(eligible)
        joining = await self._licensed(Membership, MEMBERSHIPS, {"$filter": f"groupId eq '{_quoted(group.id)}'"})
        for each in (*(one.principal_id for one in joining), *await self._in(group.id, "owners")):
            self._can_take[each].update({**held, **eligible})

    async def _in(self, group: str, relation: str) -> list[str]:
        found = await self._rows(Reference, f"{GROUPS}/{group}/{relation}", {"$select": "id", "$top": 999})
        return [each.id for each in found]

    async def _rows(self, form: type[Form], path: str, params: Params | None = None) -> list[Form]:
        return await rows(self._cloud, form, path, params, patience=self._patience)

    async def _licensed(self, form: type[Form], path: str, params: Params | None = None) -> list[Form]:
        """Return no rows where the tenant has no licence for what would be in them."""
        try:
            return await self._rows(form, path, params)
        except Refused as error:
            if code_of(error) not in NOT_LICENSED:
                raise
            return []


def _that(condition: str) -> Mapping[str, str | int]:
    return {"$filter": condition, "$select": "id,displayName"}


def _quoted(text: str) -> str:
    """Return a text as it stands between quotes in OData."""
    return text.replace("'", "''")


def _tuples(by: _By) -> dict[str, tuple[str, ...]]:
    return {key: tuple(sorted(names)) for key, names in by.items() if names}
