"""People on a real database, with a clock that tests move and a mail server that is told what to answer."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import asyncpg
import pytest
from nacl.signing import SigningKey
from typer.testing import CliRunner, Result

from chassis.health import Progress
from chassis.postgres import Connection, Pool, open_pool, transaction
from chassis.relay import Relay
from contracts.envelope import Envelope
from contracts.events.exposure import ApprovalGiven
from services.credentials.adapters.mail import Letter
from services.credentials.people import approvals, keys, store_commands
from services.credentials.people.commands import approver_app
from services.credentials.people.deciding import Deciding
from services.credentials.people.inviting import Inviting, Links
from services.credentials.people.records import Approver, Asking, Counting, Request, Standing, Verdict
from services.credentials.people.rules_approvals import folded
from services.credentials.records import Cause, Fact
from tests.builders import ACME, BIRCH, NOON
from tests.parts import Database
from tests.waiting import waiting_in

KEY = b"k" * 32
URL = "https://hooks.msp.example/approvals"
EMPTY = """
    TRUNCATE approver, request, approval, link, statement, notice, outbox, outbox_pack, aggregate_sequence CASCADE
"""
REQUEST = "SELECT request_id FROM request WHERE case_id = $1 ORDER BY number DESC LIMIT 1"


class KeptMail:
    """A mail server in memory. `answers` are raised one after the other before it takes anything."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.answers: list[Exception] = []
        self.takes_all_the_same = False

    async def send(self, letter: Letter) -> str:
        if self.answers:
            error = self.answers.pop(0)
            if self.takes_all_the_same:
                self.letters.append(letter)
            raise error
        self.letters.append(letter)
        return "250 taken"


@dataclass
class Room:
    """What runs for people, on a real database."""

    pool: Pool
    database: Database
    now: datetime = NOON
    mail: KeptMail = field(default_factory=KeptMail)
    verdicts: list[Verdict] = field(default_factory=list)
    signing: dict[UUID, SigningKey] = field(default_factory=dict)

    async def enroll(
        self, name: str, *, accounts: Sequence[str] = (), tenants: Sequence[UUID] | None = None
    ) -> Approver:
        """Enrol somebody as the operator does."""
        key = SigningKey(f"{name:<32}".encode()[:32])
        public_key = bytes(key.verify_key)
        new = Approver(
            id=keys.approver_id(public_key),
            name=name,
            mail=f"{name.lower()}@msp.example",
            accounts=frozenset(folded(each) for each in accounts),
            tenants=None if tenants is None else frozenset(tenants),
            public_key=public_key,
            enrolled_at=self.now - timedelta(days=1),
            enrolled_by="operator@desk",
        )
        async with self.operating() as tx:
            await store_commands.enroll(tx, new)
        self.signing[new.id] = key
        return new

    async def revoke(self, approver: Approver) -> None:
        async with self.operating() as tx:
            await store_commands.revoke(tx, str(approver.id), at=self.now, by="operator@desk", why="left")

    async def ask(self, asking: Asking) -> int:
        """Ask, and return how many facts were to be told."""
        async with transaction(self.pool) as tx:
            return len(await approvals.ask(tx, [asking], now=self.now))

    async def asked(self, case: UUID) -> Request:
        """Return the newest question about a case."""
        async with self.operating() as tx:
            [(_, request)] = await store_commands.questions(tx, str(case))
        return request

    async def follow(self, *clicks: Envelope) -> Counting:
        """Let `ApprovalGiven` arrive in one batch."""
        async with transaction(self.pool) as tx:
            return await approvals.counted(tx, clicks, now=self.now)

    async def sign(
        self, case: UUID, approver: Approver, *, approve: bool = True, key: SigningKey | None = None
    ) -> None:
        """Bring a signed statement as the command line does."""
        request = await self.asked(case)
        signed = keys.statement(request, approver.id, approve=approve, decided_at=self.now)
        signature = (key or self.signing[approver.id]).sign(signed).signature
        async with self.operating() as tx:
            await store_commands.bring(
                tx,
                request,
                statement=uuid5(request.id, signature.hex()),
                approver=approver.id,
                approve=approve,
                at=self.now,
                signature=signature,
                by="somebody@here",
            )

    @property
    def deciding(self) -> Deciding:
        progress = Progress()
        relay = Relay(dsn=self.database.writer("credentials"), kafka="", progress=progress)
        return Deciding(
            pool=self.pool, clock=lambda: self.now, progress=progress, relay=relay, decided=self._note_verdicts
        )

    @property
    def inviting(self) -> Inviting:
        links = Links(url=URL, key=KEY)
        return Inviting(pool=self.pool, mail=self.mail, links=links, clock=lambda: self.now, progress=Progress())

    async def state(self, case: UUID) -> Standing:
        async with transaction(self.pool) as tx:
            return (await approvals.standing(tx, [case], now=self.now))[case]

    async def told(self) -> list[Envelope]:
        """Return what was published so far."""
        return await waiting_in(self.pool)

    def operating(self) -> "Operating":
        return Operating(self.database.operator)

    async def _note_verdicts(self, tx: Connection, verdicts: Sequence[Verdict]) -> Sequence[Fact]:
        assert tx.is_in_transaction()
        self.verdicts += verdicts
        return []


class Operating:
    """One transaction of the operator's role, for both clients."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def __aenter__(self) -> Connection:
        self._connection = await asyncpg.connect(self._dsn)
        self._transaction = self._connection.transaction()
        await self._transaction.start()
        await self._connection.execute("SELECT set_config('patchline.tenants', $1, true)", f"{ACME},{BIRCH}")
        return self._connection

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await (self._transaction.rollback() if error else self._transaction.commit())
        await self._connection.close()


@pytest.fixture
async def room(database: Database) -> AsyncIterator[Room]:
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = credentials")
    await admin.execute(EMPTY)
    await admin.executemany(
        "INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at) "
        "VALUES ($1, $2, 'UTC', now(), now()) ON CONFLICT DO NOTHING",
        [(ACME, "Acme Dental"), (BIRCH, "Birch Law")],
    )
    await admin.close()
    pool = await open_pool(database.writer("credentials"), application="tests")
    yield Room(pool, database)
    await pool.close()


@pytest.fixture
def case(request: pytest.FixtureRequest) -> UUID:
    """A case of this test alone."""
    return uuid5(ACME, request.node.nodeid)


@pytest.fixture
def question(case: UUID) -> Callable[..., Asking]:
    """What is asked about this test's case."""

    def asking(**changes: object) -> Asking:
        fields: dict[str, object] = {
            "tenant": ACME,
            "case": case,
            "login": "root@acme.example",
            "names": ["root@acme.example", "Root.Admin@acme.example"],
            "why": "a privileged account",
            "needed": 2,
            "hours": 4,
            "cause": Cause(id=uuid5(case, "exposure"), received_at=NOON),
            "now": NOON,
            "identity": "7f3c",
        }
        return approvals.asking(**{**fields, **changes})  # type: ignore[arg-type]  # the tests say what they change

    return asking


def click(case: UUID, token_digest: str, *, approve: bool = True, at: datetime = NOON, name: str = "") -> Envelope:
    """Return what the gateway makes of a used link."""
    return Envelope(
        id=uuid5(case, f"{token_digest}/{approve}/{name}"),
        source="exposure/approval/links",
        subject=str(case),
        time=at,
        received=at,
        data=ApprovalGiven(case=str(case), token=token_digest, approve=approve),
    )


@pytest.fixture
def patchline(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run `patchline approver` as the operator does."""
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(approver_app, list(arguments))
