"""What the tracker has, read over its own REST API as any integration would.

Source: Roundup 2.6 documentation, `rest.txt`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpx

AT_ONCE: Final = 8
_INTRODUCED: Final = re.compile(r"^(?:Devices|Failing too) \(\d+\):\n((?:- .*\n?)+)", re.MULTILINE)
_DEVICE: Final = re.compile(r"^- (\S+) \(", re.MULTILINE)
_CLOSED: Final = frozenset({"resolved", "done-cbb"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue. `devices` counts how often its notes introduce each device; `notes` are all of them, oldest first."""

    number: str
    key: str
    title: str
    client: str
    is_open: bool
    devices: Counter[str]
    notes: tuple[str, ...]


async def issues(url: str, login: tuple[str, str]) -> list[Issue]:
    """Return every issue that carries a key of ours, by number.

    Raises:
        httpx.HTTPError: the tracker does not answer, or refuses.
    """
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(
        base_url=f"{url.rstrip('/')}/rest/data/", auth=login, timeout=30, limits=limits, trust_env=False
    ) as client:
        fields = "title,correlation_key,client,status,messages"
        page = await _read(client, "issue", {"@fields": fields, "@verbose": 2})
        ours = [each for each in page["collection"] if each.get("correlation_key")]
        return await asyncio.gather(*(_issue(client, each) for each in ours))


async def _issue(client: httpx.AsyncClient, row: dict[str, Any]) -> Issue:
    numbers = sorted(int(message["id"]) for message in row["messages"])
    notes = [
        str((await _read(client, f"msg/{number}", {"@fields": "content"}))["attributes"]["content"])
        for number in numbers
    ]
    return Issue(
        number=row["id"],
        key=row["correlation_key"],
        title=row["title"],
        client=row.get("client") or "",
        is_open=(row.get("status") or {}).get("name") not in _CLOSED,
        devices=introduced(notes),
        notes=tuple(notes),
    )


def introduced(notes: Iterable[str]) -> Counter[str]:
    """Return how often notes list each device as failing for the first time."""
    lists = (found for note in notes for found in _INTRODUCED.findall(note.replace("\r\n", "\n")))
    return Counter(name for found in lists for name in _DEVICE.findall(found))


async def _read(client: httpx.AsyncClient, path: str, params: dict[str, str | int]) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()["data"]
    return content
