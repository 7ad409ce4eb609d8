"""The accepting process itself: started as the stack starts it, stopped as Kubernetes stops it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from patchline.local import ports
from tests.gateway.doors import raw_ids, raw_topic
from tests.gateway.typed import rows, source
from tests.parts import Database

pytestmark = pytest.mark.usefixtures("command_line")

HEADER = "x-patchline-secret"


@dataclass(frozen=True, slots=True)
class Accepting:
    """A running process, where it listens, and what it printed."""

    child: subprocess.Popen[bytes]
    door: httpx.AsyncClient
    health: httpx.AsyncClient
    log: Path


@pytest.fixture
def settings(kafka: str, database: Database, sealing_key_file: Path) -> dict[str, str]:
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return own | {
        "PATCHLINE_KAFKA": kafka,
        "PATCHLINE_DATABASE_URL": database.writer("gateway"),
        "PATCHLINE_SEALING_KEY_FILE": str(sealing_key_file),
        "PATCHLINE_ACCEPT_PORT": str(ports.claimed(0, setting="")),
        "PATCHLINE_HEALTH_PORT": str(ports.claimed(0, setting="")),
        "PATCHLINE_ACCEPT_REFRESH_SECONDS": "0.2",
        "PATCHLINE_ACCEPT_BUDGET_SECONDS": "15",
    }


def started(settings: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "services.gateway", "accept"], env=settings, stdout=out, stderr=subprocess.STDOUT
        )


@asynccontextmanager
async def accepting(settings: dict[str, str], folder: Path) -> AsyncIterator[Accepting]:
    log = folder / "accept.log"
    child = started(settings, log)
    door, health = (
        httpx.AsyncClient(base_url=f"http://{ports.LOOPBACK}:{settings[name]}", timeout=10)
        for name in ("PATCHLINE_ACCEPT_PORT", "PATCHLINE_HEALTH_PORT")
    )
    async with door, health:
        try:
            yield Accepting(child, door, health, log)
        finally:
            child.kill()
            child.wait()


async def is_ready(process: Accepting) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await process.health.get("/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                assert process.child.poll() is None, process.log.read_text()
            await asyncio.sleep(0.05)


async def ended(child: subprocess.Popen[bytes]) -> int:
    return await asyncio.to_thread(child.wait, 30)


def added(name: str) -> str:
    """Add a source and return its secret."""
    [row] = rows(source("add", "ninjaone", name, "--json"))
    secret: str = row["secret"]
    return secret


@pytest.fixture
def secret() -> str:
    return added("process")


@pytest.fixture
def restarted() -> str:
    return added("restarted")


@pytest.fixture
def alone() -> str:
    return added("alone")


async def test_a_source_added_by_hand_delivers_and_sigterm_loses_nothing(
    kafka: str, settings: dict[str, str], secret: str, tmp_path: Path
) -> None:
    answered: list[httpx.Response] = []

    async def deliver(process: Accepting, number: int) -> None:
        try:
            while True:
                answered.append(
                    await process.door.post(
                        "/webhooks/rmm/ninjaone/process", content=b"%d" % number, headers={HEADER: secret}
                    )
                )
        except httpx.TransportError:
            return

    async with raw_topic(kafka) as raw, accepting(settings, tmp_path) as process:
        await is_ready(process)
        forged = await process.door.post("/webhooks/rmm/ninjaone/process", headers={HEADER: "wrong"})
        senders = [asyncio.create_task(deliver(process, number)) for number in range(10)]
        async with asyncio.timeout(30):
            while len(answered) < 200:
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.1)  # the metrics learn of it every second
        metrics = (await process.health.get("/metrics")).text
        process.child.send_signal(signal.SIGTERM)
        code = await ended(process.child)
        await asyncio.gather(*senders)
        records = await raw.standing()

    accepted = {answer.json()["raw_id"] for answer in answered if answer.status_code == 202}
    assert code == 0, process.log.read_text()
    assert forged.status_code == 401
    assert accepted <= {str(each) for each in raw_ids(records)}
    assert {answer.status_code for answer in answered} == {202}
    assert metric(metrics, "accepted") > 0
    assert metric(metrics, "forged") == 1
    assert secret not in process.log.read_text()


def metric(text: str, outcome: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith("patchline_deliveries") and f'"{outcome}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def test_it_starts_without_a_database_and_asks_everyone_to_come_back(
    settings: dict[str, str], nobody: str, tmp_path: Path
) -> None:
    nowhere = f"postgresql://gateway_writer@{nobody}/none"

    async with accepting(settings | {"PATCHLINE_DATABASE_URL": nowhere}, tmp_path) as process:
        status = await _first_answer(process)
        ready = await process.health.get("/ready")
        process.child.send_signal(signal.SIGTERM)
        code = await ended(process.child)

    assert (status, ready.status_code, code) == (503, 503, 0)
    assert "sources" in ready.text


async def test_restarted_while_postgres_is_away_it_believes_its_snapshot(
    kafka: str, settings: dict[str, str], restarted: str, tmp_path: Path, *, nobody: str
) -> None:
    kept = settings | {"PATCHLINE_ACCEPT_SNAPSHOT_FILE": str(tmp_path / "sources.snapshot")}
    nowhere = f"postgresql://gateway_writer@{nobody}/none"
    path = "/webhooks/rmm/ninjaone/restarted"

    async with accepting(kept, tmp_path) as process:
        await is_ready(process)
        process.child.send_signal(signal.SIGTERM)
        stopped = await ended(process.child)
    async with (
        raw_topic(kafka) as raw,
        accepting(kept | {"PATCHLINE_DATABASE_URL": nowhere}, tmp_path) as process,
    ):
        await is_ready(process)
        answer = await process.door.post(path, content=b"{}", headers={HEADER: restarted})
        forged = await process.door.post(path, content=b"{}", headers={HEADER: "wrong"})
        metrics = (await process.health.get("/metrics")).text
        records = await raw.standing()

    [age] = [line for line in metrics.splitlines() if line.startswith("patchline_sources_age")]
    assert (stopped, answer.status_code, forged.status_code) == (0, 202, 401)
    assert [str(each) for each in raw_ids(records)] == [answer.json()["raw_id"]]
    assert 0 <= float(age.rpartition(" ")[2]) < 120
    assert "sources from the snapshot" in process.log.read_text()


async def test_with_neither_kafka_nor_postgres_it_is_up_and_asks_everyone_to_come_back(
    settings: dict[str, str], alone: str, nobody: str, tmp_path: Path
) -> None:
    kept = settings | {"PATCHLINE_ACCEPT_SNAPSHOT_FILE": str(tmp_path / "sources.snapshot")}
    gone = {
        "PATCHLINE_DATABASE_URL": f"postgresql://gateway_writer@{nobody}/none",
        "PATCHLINE_KAFKA": nobody,
        "PATCHLINE_ACCEPT_BUDGET_SECONDS": "0.5",
    }

    async with accepting(kept, tmp_path) as process:
        await is_ready(process)
    async with accepting(kept | gone, tmp_path) as process:
        await is_ready(process)
        answers = [
            await process.door.post("/webhooks/rmm/ninjaone/alone", content=b"{}", headers={HEADER: alone})
            for _ in range(8)
        ]
        process.child.send_signal(signal.SIGTERM)
        code = await ended(process.child)

    assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
    assert code == 0


async def _first_answer(process: Accepting) -> int:
    async with asyncio.timeout(30):
        while True:
            try:
                return (await process.door.post("/webhooks/rmm/ninjaone/process")).status_code
            except httpx.TransportError:
                assert process.child.poll() is None, process.log.read_text()
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"PATCHLINE_SEALING_KEY_FILE": "/nowhere"}, "PATCHLINE_SEALING_KEY_FILE", id="no key"),
        pytest.param({"PATCHLINE_ACCEPT_PORT": "none"}, "PATCHLINE_ACCEPT_PORT", id="no port"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(settings: dict[str, str], change: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway", "accept"],
        env=settings | change,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert says in (done.stdout + done.stderr).decode()
    assert b"Traceback" not in done.stdout + done.stderr


def test_a_taken_port_is_one_clear_line(settings: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind((ports.LOOPBACK, 0))
        other.listen()
        taken = str(other.getsockname()[1])

        done = subprocess.run(
            [sys.executable, "-m", "services.gateway", "accept"],
            env=settings | {"PATCHLINE_ACCEPT_PORT": taken},
            capture_output=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 2
    assert f"{ports.LOOPBACK}:{taken}: the port is taken" in (done.stdout + done.stderr).decode()
    assert b"Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], ["x"], ["accept", "twice"]], ids=["none", "unknown", "too many"])
def test_an_unknown_process_is_one_clear_line(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway", *arguments], capture_output=True, check=False, timeout=60
    )

    assert done.returncode == 2
    assert b"accept|translate|poll" in done.stderr
