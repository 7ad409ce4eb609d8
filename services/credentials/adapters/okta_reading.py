"""What is read of Okta beside a user: pages, roles, factors, groups."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

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
from services.credentials.adapters.okta_rows import Assignee, Factor, OktaGroup, Role

Form = TypeVar("Form", bound=Row)

USERS: Final = "/api/v1/users"
GROUPS: Final = "/api/v1/groups"
ASSIGNEES: Final = "/api/v1/iam/assignees/users"
PAGE_USERS: Final = 200


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation's API, with the patience of one reading."""

    api: Cloud
    patience: Patience

    async def pages(self, form: type[Form], path: str, params: Params | None = None) -> AsyncIterator[Sequence[Form]]:
        """Yield the pages of a list; the next one's address is in `Link`.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: it could not be read whole.
        """
        asked = params
        for _ in range(MOST_PAGES):
            response = await self.api.get(path, asked, patience=self.patience)
            yield rows_of(form, decoded(response))
            following = response.links.get("next", {}).get("url")
            if following is None:
                return
            path, asked = self.api.below(following), None
        raise AnswerNotUnderstood(f"{path.partition('?')[0]}: does not end")

    async def rows(self, form: type[Form], path: str, params: Params | None = None) -> list[Form]:
        """Return a whole list."""
        return [row async for page in self.pages(form, path, params) for row in page]

    async def assignees(self) -> list[str]:
        """Return the ids of who has a role. Okta pages this one list in its body.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: it could not be read whole.
        """
        found: list[str] = []
        path = ASSIGNEES
        asked: Params | None = {"limit": PAGE_USERS}
        for _ in range(MOST_PAGES):
            answer = decoded(await self.api.get(path, asked, patience=self.patience))
            if not isinstance(answer, dict):
                raise AnswerNotUnderstood(f"{ASSIGNEES}: not an object")
            found += [each.id for each in rows_of(Assignee, answer.get("value"))]
            following = ((answer.get("_links") or {}).get("next") or {}).get("href")
            if not isinstance(following, str):
                return found
            path, asked = self.api.below(following), None
        raise AnswerNotUnderstood(f"{ASSIGNEES}: does not end")

    async def roles(self, object_id: str) -> list[str]:
        """Return the names of the roles that a user has, by themselves or through a group."""
        return [each.name for each in await self.rows(Role, f"{USERS}/{object_id}/roles")]

    async def factors(self, object_id: str) -> list[Factor]:
        """Return the factors that a user has enrolled."""
        return await self.rows(Factor, f"{USERS}/{object_id}/factors")

    async def groups_of(self, object_id: str) -> list[str]:
        """Return the names of a user's groups."""
        return [each.profile.name for each in await self.rows(OktaGroup, f"{USERS}/{object_id}/groups")]

    async def members(self, names: Sequence[str]) -> Mapping[str, list[str]]:
        """Return the names among `names` of the groups that somebody is in, by their id."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in names:
            for group in await self.rows(OktaGroup, GROUPS, {"q": name, "limit": PAGE_USERS}):
                if group.profile.name.lower() != name.lower():
                    continue  # Okta finds what begins so
                for member in await self.rows(Assignee, f"{GROUPS}/{group.id}/users"):
                    found[member.id].append(group.profile.name)
        return found
