"""A sandbox ConnectWise PSA for the tests, the adapter to it, and what a person does there."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from chassis.http import Policy
from services.ticketing.adapters.connectwise import ConnectWise, Login, Words, connect
from simulators.connectwise import (
    BOARD,
    CLIENT_ID,
    COMPANY,
    MEMBER,
    PRIVATE_KEY,
    PUBLIC_KEY,
    Deed,
    Sandbox,
)
from simulators.connectwise_served import served

COMPANIES: Mapping[str, str] = {"ACME": "Acme Dental", "Acme Dental": "Acme Dental", "BIRCH-0042": "Birch Law"}
POLICY = Policy(calls_per_second=500, burst=500, timeout_seconds=3, attempts=2, breaker_seconds=0.3)
ONCE = Policy(calls_per_second=1000, burst=1000, timeout_seconds=3, attempts=1)
LOGIN = Login(
    company=COMPANY, public_key=PUBLIC_KEY, private_key=SecretStr(PRIVATE_KEY), client_id=CLIENT_ID, member=MEMBER
)
WORDS = Words(board=BOARD)


class Person:
    """A technician at the PSA's own pages."""

    def __init__(self, psa: Sandbox, name: str = "jane") -> None:
        self._psa = psa
        self._name = name

    def set_status(self, number: str | int, name: str) -> None:
        ticket = self._psa.records.ticket(int(number))
        statuses = self._psa.records.statuses[ticket["board"]["id"]]
        [status] = [each["id"] for each in statuses if each["name"] == name]
        self._do(number, patch=[{"op": "replace", "path": "status", "value": {"id": status}}])

    def say(self, number: str | int, text: str, flag: str = "internalAnalysisFlag") -> None:
        self._do(number, note={"text": text, flag: True})

    def move(self, number: str | int, board: str) -> None:
        self._do(number, patch=[{"op": "replace", "path": "board", "value": {"name": board}}])

    def plant(self, key: str, *, company: str = "ACME", text: str | None = None) -> str:
        """Create a ticket by hand that carries a key of ours."""
        fields = {"summary": "planted", "company": {"identifier": company}, "externalXRef": key}
        at = self._psa.clock()
        made = self._psa.records.create(fields | {"initialDescription": text or ""}, by=self._name, at=at)
        return str(made["id"])

    def _do(self, number: str | int, **deed: Any) -> None:
        self._psa.act(Deed(ticket=int(number), by=self._name, **deed))


def texts(psa: Sandbox, number: str | int) -> list[str]:
    """Return what the notes on a ticket say, oldest first."""
    return [note["text"] for note in psa.records.notes[int(number)]]


def numbers(psa: Sandbox, key: str) -> list[str]:
    """Return the tickets that carry a key."""
    return [str(row["id"]) for row in psa.ledger() if row["externalXRef"] == key]


def of(
    psa: Sandbox,
    *,
    words: Words = WORDS,
    login: Login = LOGIN,
    url: str | None = None,
    policy: Policy = ONCE,
    transport: httpx.AsyncBaseTransport | None = None,
) -> ConnectWise:
    """Return the adapter to a sandbox."""
    return connect(url or psa.url, login=login, policy=policy, words=words, transport=transport)


def renewed(psa: Sandbox) -> Sandbox:
    """Return a running sandbox as it was when it was new."""
    fresh = Sandbox()
    psa.codebase, psa.clock = fresh.codebase, fresh.clock
    psa.records, psa.faults, psa.calls = fresh.records, fresh.faults, fresh.calls
    psa.callbacks.entries, psa.callbacks.told = {}, []
    psa.seed(COMPANIES)
    return psa


@asynccontextmanager
async def running() -> AsyncIterator[Sandbox]:
    """Yield a sandbox."""
    async with served({}) as psa:
        yield psa
