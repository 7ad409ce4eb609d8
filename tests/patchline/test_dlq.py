"""Dead letters can be listed, shown whole, and replayed to the group that refused them and to no other."""

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from typer.testing import CliRunner

from chassis.batch import Record, dead_letter, is_for
from contracts.topics import RMM_RAW
from patchline import dlq

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
