"""A sandbox ConnectWise PSA through a technician's eyes, and ticketing beside it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import httpx

from chassis.http import Policy
from services.ticketing.adapters.connectwise import ConnectWise, Words
from simulators.connectwise import BOARD, Sandbox
from tests.parts import Database
from tests.ticketing.desk import AnyRoom, Issue, pooled
from tests.ticketing.psa import POLICY, WORDS, Person, of

STATUSES = (("new", False), ("open", False), ("resolved", True), ("cancelled", True))


class PsaDesk:
    """A technician at a board whose statuses are called as those of the other ticket systems."""

    def __init__(self, psa: Sandbox) -> None:
        self._psa = psa
        self._person = Person(psa)

    def numbers(self, key: str) -> list[str]:
        """Return the tickets that carry `key`."""
        return [str(row["id"]) for row in self._psa.ledger() if row["externalXRef"] == key]

    def issue(self, key: str) -> Issue:
        """Return the only ticket that carries `key`."""
        [number] = self.numbers(key)
        return self.issue_of(number)

    def issue_of(self, number: str) -> Issue:
        row = self._psa.records.ticket(int(number))
        return Issue(
            number=number,
            title=row["summary"],
            client=row["company"]["identifier"],
            status=row["status"]["name"],
            notes=[note["text"] for note in self._psa.records.notes[int(number)]],
        )

    def edit(self, number: str, *, status: str) -> None:
        """Set the status of a ticket."""
        self._person.set_status(number, status)

    def say(self, number: str, text: str) -> None:
        """Write a note on a ticket, as a person does."""
        self._person.say(number, text)

    def superseders(self, number: str) -> list[str]:
        """Return the tickets in favour of which a ticket says that it was closed."""
        notes = self.issue_of(number).notes
        return [found for note in notes for found in re.findall(r"This one is closed in favour of (\d+)", note)]

    def delete(self, number: str) -> None:
        self._psa.records.delete(int(number))

    def create(self, key: str) -> str:
        return self._person.plant(key)


@dataclass
class PsaRoom(AnyRoom):
    """Ticketing beside a sandbox ConnectWise PSA."""

    psa: Sandbox = field(kw_only=True)
    words: Words = WORDS

    @classmethod
    @asynccontextmanager
    async def on(cls, database: Database, psa: Sandbox) -> "AsyncIterator[Self]":
        async with pooled(database) as (pool, dsn):
            yield cls(pool=pool, dsn=dsn, psa=psa)

    def tracker(
        self,
        *,
        url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        policy: Policy = POLICY,
    ) -> ConnectWise:
        return of(self.psa, url=url, words=self.words, policy=policy, transport=transport)


def plain(psa: Sandbox) -> Sandbox:
    """Give the board the statuses of `STATUSES`."""
    psa.records.boards.clear()
    psa.records.statuses.clear()
    psa.records.add_board(BOARD, STATUSES)
    return psa
