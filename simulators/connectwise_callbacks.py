"""A sandbox ConnectWise PSA's callbacks: who is told, what they are told, and the signature.

Each is sent once: what the vendor does when nobody answers is not known. Source: reference "ConnectWise PSA (Manage)".
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final

import httpx

from simulators.connectwise_conditions import Row, value_at
from simulators.connectwise_records import Wrong, absent, invalid, stamp

LEVELS: Final = {"owner": None, "board": "board/id", "status": "status/id", "company": "company/id", "ticket": "id"}
"""Which field of a ticket the `objectId` of an entry is compared with; `owner` hears of everything."""

DESCRIPTION_CHARACTERS: Final = 100
TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """One callback that was sent; `status` is `None` where no answer came."""

    url: str
    body: bytes
    status: int | None


@dataclass(slots=True)
class Callbacks:
    """Who wants to be told, and what they were told. `key_url` is the address at which `signing_key` is answered."""

    key_url: str = ""
    signing_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    entries: dict[int, Row] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def register(self, fields: Row, *, by: str, at: datetime) -> Row:
        """Add an entry.

        Raises:
            Wrong: a field is missing or wrong.
        """
        if fields.get("type") != "ticket" or fields.get("level") not in LEVELS:
            raise invalid("callback", "type", "InvalidField", "Only tickets are known here, at one of their levels.")
        if not str(fields.get("url", "")).startswith(("http://", "https://")):
            raise invalid("callback", "url", "InvalidField", "The url must be http or https.")
        if len(str(fields.get("description", ""))) > DESCRIPTION_CHARACTERS:
            raise invalid("callback", "description", "MaxLength", "The description may have 100 characters.")
        number = next(self.numbers)
        entry: Row = {
            "id": number,
            "description": fields.get("description"),
            "url": fields["url"],
            "objectId": fields.get("objectId"),
            "type": "ticket",
            "level": fields["level"],
            "memberId": None,
            "inactiveFlag": bool(fields.get("inactiveFlag")),
            "isSelfSuppressedFlag": bool(fields.get("isSelfSuppressedFlag")),
            "_info": {"lastUpdated": stamp(at), "updatedBy": by},
        }
        self.entries[number] = entry
        return entry

    def remove(self, number: int) -> None:
        """Remove an entry.

        Raises:
            Wrong: there is none.
        """
        if self.entries.pop(number, None) is None:
            raise absent("Callback", number)

    def tell(self, action: str, ticket: Row, *, by: str) -> None:
        """Tell everyone who wants to hear of it what `by` did to a ticket."""
        for entry in self.entries.values():
            path = LEVELS[entry["level"]]
            is_wanted = path is None or value_at(ticket, path) == entry["objectId"]
            is_own = entry["isSelfSuppressedFlag"] and entry["_info"]["updatedBy"] == by
            if is_wanted and not is_own and not entry["inactiveFlag"]:
                self._send(entry["url"], self._envelope(action, ticket))

    async def quiet(self) -> None:
        """Wait until everything was sent."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def signature_of(self, body: bytes) -> str:
        """Return the signature of a body."""
        key = hashlib.sha256(self.signing_key.encode()).digest()
        return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()

    def _envelope(self, action: str, ticket: Row) -> bytes:
        said: dict[str, Any] = {
            "Type": "ticket",
            "Action": action,
            "ID": ticket["id"],
            "Entity": None if action == "deleted" else json.dumps(ticket),
            "Metadata": {"key_url": self.key_url},
        }
        return json.dumps(said).encode()

    def _send(self, url: str, body: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._sent(url, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sent(self, url: str, body: bytes) -> None:
        headers = {"content-type": "application/json", "x-content-signature": self.signature_of(body)}
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
                status: int | None = (await client.post(url, content=body, headers=headers)).status_code
        except httpx.RequestError:
            status = None
        self.told.append(Told(url, body, status))


def entry_number(text: str) -> int:
    """Return the number in an address.

    Raises:
        Wrong: it is none.
    """
    if not text.isdecimal():
        raise Wrong(400, "InvalidObject", "the id is no number")
    return int(text)
