"""What the tracker has, read over its own REST API as any integration would.

Source: Roundup 2.6 documentation, `rest.txt`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

_INTRODUCED: Final = re.compile(r"^(?:Devices|Failing too) \(\d+\):\n((?:- .*\n?)+)", re.MULTILINE)
_CLEARED: Final = re.compile(r"^(?:Already cleared|Cleared) \(\d+\):\n((?:- .*\n?)+)", re.MULTILINE)
_DEVICE: Final = re.compile(r"^- (?:device )?([^\s:]+)[ :]", re.MULTILINE)
"""A device is called by its hostname; by its id at the source where no hostname was known yet."""

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
    base = f"{url.rstrip('/')}/rest/data/"
    async with httpx.AsyncClient(base_url=base, auth=login, timeout=30, trust_env=False) as client:
        rows = await _every(client, "issue", "title,correlation_key,client,status,messages", verbose=2)
        notes = {row["id"]: str(row["content"]) for row in await _every(client, "msg", "content", verbose=3)}
    return [_issue(row, notes) for row in rows if row.get("correlation_key")]


def _issue(row: dict[str, Any], notes: Mapping[str, str]) -> Issue:
    own = [notes[number] for number in sorted((each["id"] for each in row["messages"]), key=int)]
    return Issue(
        number=row["id"],
        key=row["correlation_key"],
        title=row["title"],
        client=row.get("client") or "",
        is_open=(row.get("status") or {}).get("name") not in _CLOSED,
        devices=introduced(own),
        notes=tuple(own),
    )


def introduced(notes: Iterable[str]) -> Counter[str]:
    """Return how often notes list each device as failing for the first time.

    One that was cleared before there was a note to list it in is only told as cleared: that counts as once.
    """
    texts = [note.replace("\r\n", "\n") for note in notes]
    devices = _named(_INTRODUCED, texts)
    devices.update(_named(_CLEARED, texts).keys() - devices.keys())
    return devices


def _named(block: re.Pattern[str], texts: Iterable[str]) -> Counter[str]:
    return Counter(name for text in texts for lines in block.findall(text) for name in _DEVICE.findall(lines))


async def _every(client: httpx.AsyncClient, kind: str, fields: str, *, verbose: int) -> list[dict[str, Any]]:
    """Return all of one kind. What a message says is shown from verbosity 3 on."""
    answer = await client.get(kind, params={"@fields": fields, "@verbose": verbose})
    answer.raise_for_status()
    rows: list[dict[str, Any]] = answer.json()["data"]["collection"]
    return rows
