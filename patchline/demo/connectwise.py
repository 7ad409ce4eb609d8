"""What a ConnectWise PSA has, read over its REST API as any integration would. Source: the vendor's OpenAPI."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from patchline.demo.tracker import Issue, introduced


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who asks: an API member of a company, for a registered product."""

    company: str
    public_key: str
    private_key: str
    client_id: str


async def issues(url: str, member: Member, *, page_rows: int) -> list[Issue]:
    """Return every service ticket that carries a key of ours, by number; `page_rows` is asked for at once.

    Raises:
        httpx.HTTPError: ConnectWise does not answer, or refuses.
    """
    login = httpx.BasicAuth(f"{member.company}+{member.public_key}", member.private_key)
    headers = {"clientId": member.client_id}
    async with httpx.AsyncClient(base_url=url, auth=login, headers=headers, timeout=30, trust_env=False) as client:
        card = (await client.get(f"/login/companyinfo/{member.company}")).raise_for_status().json()
        tickets = f"/{card['Codebase']}apis/3.0/service/tickets"
        found = []
        for row in await _every(client, tickets, page_rows):
            if row.get("externalXRef"):
                notes = await _every(client, f"{tickets}/{row['id']}/notes", page_rows)
                found.append(_issue(row, [str(each["text"]) for each in notes]))
    return found


def _issue(row: Mapping[str, Any], notes: Iterable[str]) -> Issue:
    own = tuple(notes)
    return Issue(
        number=str(row["id"]),
        key=row["externalXRef"],
        title=row["summary"],
        client=row["company"]["identifier"],
        is_open=not row["closedFlag"],
        devices=introduced(own),
        notes=own,
    )


async def _every(client: httpx.AsyncClient, path: str, page_rows: int) -> list[dict[str, Any]]:
    """Return all rows of a listing, from page to page."""
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = await client.get(path, params={"orderBy": "id asc", "pageSize": page_rows, "page": page})
        items = answer.raise_for_status().json()
        rows += items
        if len(items) < page_rows:
            return rows
        page += 1
