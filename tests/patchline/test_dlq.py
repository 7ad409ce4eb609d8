"""Dead letters can be listed, shown whole, and replayed to the group that refused them and to no other."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from typer.testing import CliRunner

from chassis.batch import Record, dead_letter, is_for
from contracts.raw import own_headers
from contracts.topics import RMM_RAW
from patchline import dlq
from services.gateway.keys.bodies import BodySeal
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.safe import connected
from services.gateway.keys.sealing import new_sealing_key, read_sealing_key
from tests.parts import Database

BODY = b'{"half": \x00\xff'


@pytest.fixture
async def letter(kafka: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A dead letter of the group `group-of-<id>`; returns the group."""
    monkeypatch.setenv("PATCHLINE_KAFKA", kafka)
    group = f"group-of-{uuid4().hex[:6]}"
    record = SimpleNamespace(
        topic=RMM_RAW.name, partition=0, offset=7, key=None, value=BODY, headers=(("raw_id", b"r-1"), ("source", b"s"))
    )
    message = dead_letter(record, group=group, reason="body: not JSON", at=datetime(2025, 1, 15, tzinfo=UTC))
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    await producer.send_and_wait(RMM_RAW.dead_letters, message.value, message.key, headers=message.headers)
    await producer.send_and_wait(RMM_RAW.dead_letters, message.value, message.key, headers=message.headers)
    await producer.stop()
    return group


def test_a_letter_is_listed_once_with_its_reason(letter: str) -> None:
    answer = CliRunner().invoke(dlq.app, ["list", "--topic", "rmm.raw", "--group", letter, "--json"])

    [row] = json.loads(answer.stdout)
    assert row["reason"] == "body: not JSON"
    assert row["from"] == "rmm.raw/0/7"
    assert row["source"] == "s"


@pytest.mark.parametrize(("source", "found"), [("s", 1), ("rmm/another/one", 0)])
def test_letters_of_one_source_can_be_asked_for(letter: str, source: str, found: int) -> None:
    answer = CliRunner().invoke(dlq.app, ["list", "--group", letter, "--source", source, "--json"])

    assert len(json.loads(answer.stdout)) == found


def test_a_letter_is_shown_whole(letter: str) -> None:
    [row] = json.loads(CliRunner().invoke(dlq.app, ["list", "--group", letter, "--json"]).stdout)

    shown = json.loads(CliRunner().invoke(dlq.app, ["show", row["id"], "--json"]).stdout)

    assert base64.b64decode(shown["body_base64"]) == BODY
    assert shown["headers"]["raw_id"] == "r-1"


async def test_a_replayed_letter_is_for_the_group_that_refused_it_alone(letter: str, kafka: str) -> None:
    consumer = AIOKafkaConsumer(RMM_RAW.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()

    letters = await dlq.read_letters(kafka, group=letter)
    await dlq.replay_letters(kafka, letters)

    replayed: list[Record] = []
    while not replayed:
        for records in (await consumer.getmany(timeout_ms=5000)).values():
            replayed += [r for r in records if is_for(letter, r) and not is_for("another", r)]
    await consumer.stop()
    assert replayed[0].value == BODY
    assert dict(replayed[0].headers)["raw_id"] == b"r-1"
    assert not any(name.startswith("dlq_reason") for name, _ in replayed[0].headers)


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "x", "--all"]], ids=["neither", "both"])
def test_one_letter_or_all_must_be_said(arguments: list[str]) -> None:
    answer = CliRunner().invoke(dlq.app, arguments)

    assert answer.exit_code == 2
    assert "name one dead letter, or say --all" in answer.stderr


def test_an_unknown_letter_is_said_to_be_unknown(letter: str) -> None:
    answer = CliRunner().invoke(dlq.app, ["show", f"not-{letter}"])

    assert answer.exit_code == 1
    assert "0 dead letters" in answer.stderr


@pytest.fixture
async def sealed_letter(
    kafka: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, pytest.MonkeyPatch]:
    """A dead letter with a sealed body, and the environment of the gateway; returns its group."""
    sealing_key = tmp_path / "sealing.key"
    sealing_key.write_text(new_sealing_key())
    async with connected(database.writer("gateway")) as connection:
        await connection.execute(
            "INSERT INTO source (source_id, vendor, name, scheme, header_name, added_at) "
            "VALUES ('rmm/ninjaone/sealed', 'ninjaone', 'sealed', 'static-header', 'x', now()) ON CONFLICT DO NOTHING"
        )
        sealers = {FILE: FileSealer(read_sealing_key(sealing_key))}
        await connection.execute("DELETE FROM data_key")
        key = await CurrentKeys(sealers, FILE).of(connection, "rmm/ninjaone/sealed")
    own = own_headers(str(uuid4()), datetime(2025, 1, 15, tzinfo=UTC), delivery=None, traceparent=None)
    sealed = BodySeal(key, vendor="ninjaone", channel="webhook").record(own, BODY)
    group = f"group-of-{uuid4().hex[:6]}"
    record = SimpleNamespace(
        topic=RMM_RAW.name, partition=0, offset=7, key=None, value=sealed.value, headers=sealed.headers
    )
    message = dead_letter(record, group=group, reason="bad", at=datetime(2025, 1, 15, tzinfo=UTC))
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    await producer.send_and_wait(RMM_RAW.dead_letters, message.value, message.key, headers=message.headers)
    await producer.stop()
    monkeypatch.setenv("PATCHLINE_KAFKA", kafka)
    monkeypatch.setenv("PATCHLINE_HOME", str(tmp_path))
    monkeypatch.setenv("PATCHLINE_DATABASE_URL", database.writer("gateway"))
    monkeypatch.setenv("PATCHLINE_SEALING_KEY_FILE", str(sealing_key))
    return group, monkeypatch


def test_a_sealed_body_is_shown_only_if_asked_and_to_who_has_the_gateways_key(
    sealed_letter: tuple[str, pytest.MonkeyPatch],
) -> None:
    group, environment = sealed_letter
    [row] = json.loads(CliRunner().invoke(dlq.app, ["list", "--group", group, "--json"]).stdout)

    closed = CliRunner().invoke(dlq.app, ["show", row["id"]])
    opened = json.loads(CliRunner().invoke(dlq.app, ["show", row["id"], "--open", "--json"]).stdout)
    environment.delenv("PATCHLINE_DATABASE_URL")
    not_allowed = CliRunner().invoke(dlq.app, ["show", row["id"], "--open"])

    assert "--open" in closed.stdout
    assert "half" not in closed.stdout
    assert (base64.b64decode(opened["body_base64"]), opened["sealed"]) == (BODY, False)
    assert not_allowed.exit_code == 2
    assert "PATCHLINE_DATABASE_URL" in not_allowed.stderr
