"""`patchline source capture`, as typed, against real Kafka and a real database: sealed records, a private file."""

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from contracts.ids import new_raw_id_text
from contracts.raw import own_headers
from contracts.topics import RMM_RAW, RMM_RAW_BULK
from patchline.capture.commands import capture
from services.gateway.keys.bodies import BodySeal
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.safe import connected
from services.gateway.keys.sealing import new_sealing_key, read_sealing_key
from tests.parts import Database

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)


class Sender:
    """Writes sealed raw records of one source, as the door does."""

    def __init__(self, kafka: str, seal: BodySeal, name: str) -> None:
        self._kafka = kafka
        self._seal = seal
        self.name = name

    async def send(self, *bodies: bytes, topic: str = RMM_RAW.name, raw_id: str | None = None) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._kafka) as producer:
            for number, body in enumerate(bodies):
                received = NOON + timedelta(seconds=number)
                own = own_headers(raw_id or new_raw_id_text(), received, delivery=None, traceparent=None)
                sealed = self._seal.record(own, body)
                await producer.send_and_wait(topic, sealed.value, headers=sealed.headers, partition=0)


@pytest.fixture
async def sender(kafka: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sender:
    sealing_key = tmp_path / "sealing.key"
    sealing_key.write_text(new_sealing_key())
    name = f"s-{uuid4().hex[:6]}"
    async with connected(database.writer("gateway")) as connection:
        await connection.execute(
            "INSERT INTO source (source_id, vendor, name, scheme, header_name, added_at) "
            "VALUES ($1, 'ninjaone', $2, 'static-header', 'x', now())",
            f"rmm/ninjaone/{name}",
            name,
        )
        sealers = {FILE: FileSealer(read_sealing_key(sealing_key))}
        key = await CurrentKeys(sealers, FILE).of(connection, f"rmm/ninjaone/{name}")
    monkeypatch.setenv("PATCHLINE_KAFKA", kafka)
    monkeypatch.setenv("PATCHLINE_HOME", str(tmp_path))
    monkeypatch.setenv("PATCHLINE_DATABASE_URL", database.writer("gateway"))
    monkeypatch.setenv("PATCHLINE_SEALING_KEY_FILE", str(sealing_key))
    return Sender(kafka, BodySeal(key, vendor="ninjaone", channel="webhook"), name)


async def captured(*words: str) -> Result:
    app = typer.Typer()
    app.command()(capture)
    return await asyncio.to_thread(CliRunner().invoke, app, ["ninjaone", *words])


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_the_last_deliveries_are_in_a_file_that_only_its_owner_reads(sender: Sender, tmp_path: Path) -> None:
    file = tmp_path / "captured.jsonl"
    await sender.send(*(b'{"number": %d}' % number for number in range(5)))
    await sender.send(b"\x78\x9c\xff", topic=RMM_RAW_BULK.name)

    result = await captured(sender.name, "--out", str(file), "--last", "3", "--json")

    assert result.exit_code == 0, result.output
    assert [line.get("text") for line in lines_of(file)] == ['{"number": 3}', '{"number": 4}', None]
    assert lines_of(file)[2]["base64"] == "eJz/"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "in clear" in result.stderr
    assert json.loads(result.stdout)[0]["deliveries"] == 3


async def test_a_delivery_that_was_replayed_is_captured_once(sender: Sender, tmp_path: Path) -> None:
    raw_id = new_raw_id_text()
    await sender.send(b"{}", raw_id=raw_id)
    await sender.send(b"{}", raw_id=raw_id, topic=RMM_RAW_BULK.name)

    await captured(sender.name, "--out", str(tmp_path / "f"))

    assert [line["raw_id"] for line in lines_of(tmp_path / "f")] == [raw_id]


async def test_what_comes_while_it_records_is_recorded_and_what_was_there_is_not(
    sender: Sender, tmp_path: Path
) -> None:
    file = tmp_path / "f"
    await sender.send(b'"before"')

    recording = asyncio.create_task(captured(sender.name, "--out", str(file), "--for", "6s", "--redact", "token"))
    for _ in range(100):
        await asyncio.sleep(0.1)
        if file.exists() and recording.done():
            break
        await sender.send(b'{"token": "secret", "n": 1}')
    result = await recording

    assert result.exit_code == 0, result.output
    texts = {line["text"] for line in lines_of(file)}
    assert texts == {'{"token": "[redacted]", "n": 1}'}


async def test_a_body_whose_key_was_destroyed_is_a_line_that_says_so(
    sender: Sender, database: Database, tmp_path: Path
) -> None:
    await sender.send(b"{}")
    async with connected(database.writer("gateway")) as connection:
        await connection.execute(
            "UPDATE data_key SET wrapped = NULL, retired_at = now(), destroyed_at = now(), destroyed_by = 'test' "
            "WHERE source_id = $1",
            f"rmm/ninjaone/{sender.name}",
        )

    result = await captured(sender.name, "--out", str(tmp_path / "f"), "--json")

    [line] = lines_of(tmp_path / "f")
    assert "destroyed" in line["problem"]
    assert json.loads(result.stdout)[0]["unreadable"] == 1


@pytest.mark.parametrize(
    ("words", "wrong"),
    [(("--last", "1", "--for", "1h"), (2, "one of them")), (("--for", "an hour"), (2, "1h")), ((), (1, ""))],
    ids=["both", "no span", "nothing was delivered"],
)
async def test_wrong_use_is_said(
    sender: Sender, tmp_path: Path, words: tuple[str, ...], wrong: tuple[int, str]
) -> None:
    result = await captured(sender.name, "--out", str(tmp_path / "f"), *words)

    assert result.exit_code == wrong[0]
    assert wrong[1] in result.stderr


async def test_a_file_that_is_there_is_kept(sender: Sender, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")

    result = await captured(sender.name, "--out", str(file))

    assert (result.exit_code, file.read_text()) == (2, "precious")


async def test_who_has_not_the_gateways_role_gets_nothing(
    sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PATCHLINE_DATABASE_URL")

    result = await captured(sender.name, "--out", str(tmp_path / "f"))

    assert result.exit_code == 2
    assert "PATCHLINE_DATABASE_URL" in result.stderr
    assert not (tmp_path / "f").exists()
