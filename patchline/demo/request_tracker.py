"""What a Request Tracker has, read over REST 2.0 as any integration would. Source: RT 5.0, `lib/RT/REST2`."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import httpx

from patchline.demo.tracker import Issue, introduced

_CLOSED: Final = frozenset({"resolved", "rejected", "deleted"})


async def issues(url: str, token: str, queue: str, *, page_rows: int) -> list[Issue]:
    """Return every ticket of `queue` that carries a key of ours, by number; `page_rows` is asked for at once.

    Raises:
        httpx.HTTPError: Request Tracker does not answer, or refuses.
    """
    base, headers = f"{url.rstrip('/')}/REST/2.0/", {"Authorization": f"token {token}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30, trust_env=False) as client:
        asked = {"query": f"Queue = '{queue}'", "orderby": "id", "fields": "Subject,Status,CustomFields"}
        content = {"orderby": "id", "fields": "Content"}
        found = []
        for row in await _every(client, "tickets", asked, page_rows):
            if key := _field(row, "CorrelationKey"):
                texts = await _every(client, f"ticket/{row['id']}/attachments", content, page_rows)
                found.append(_issue(row, key, [str(each["Content"]) for each in texts if each.get("Content")]))
    return found


def _issue(row: Mapping[str, Any], key: str, notes: Iterable[str]) -> Issue:
    own = tuple(notes)
    return Issue(
        number=str(row["id"]),
        key=key,
        title=row["Subject"],
        client=_field(row, "Client"),
        is_open=row["Status"] not in _CLOSED,
        devices=introduced(own),
        notes=own,
    )


def _field(row: Mapping[str, Any], name: str) -> str:
    """Return the value of a custom field, empty where it has none."""
    values = [each["values"] for each in row["CustomFields"] if each["name"] == name]
    return "".join(str(value) for each in values for value in each)


async def _every(
    client: httpx.AsyncClient, path: str, asked: Mapping[str, str], page_rows: int
) -> list[dict[str, Any]]:
    """Return all rows of a listing, from page to page."""
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        params = {**asked, "per_page": str(page_rows), "page": str(page)}
        answer = await client.get(path, params=params)
        answer.raise_for_status()
        items = answer.json()["items"]
        rows += items
        if len(items) < page_rows:
            return rows
        page += 1
