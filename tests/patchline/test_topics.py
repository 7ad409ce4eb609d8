"""`patchline topics`: what differs is found, mended where that is safe, and a second look finds nothing."""

import asyncio
import json

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from typer.testing import CliRunner

from contracts.topics import DECLARED, RMM_RAW, Topic, every
from patchline import topics
from patchline.topics import Copies, Difference, apply_declared, differences, short_of_copies

ONE = Topic(name="one", key="", producer="p", consumers=(), partitions=4)


@pytest.mark.parametrize(
    ("partitions", "settings", "found"),
    [
        ({}, {}, [Difference("one", "missing", "4", "0")]),
        ({"one": 4}, {"one": ONE.config}, []),
        ({"one": 2}, {"one": ONE.config}, [Difference("one", "fewer partitions", "4", "2")]),
        ({"one": 9}, {"one": ONE.config}, [Difference("one", "more partitions", "4", "9")]),
        (
            {"one": 4},
            {"one": {**ONE.config, "retention.ms": "1"}},
            [Difference("one", "setting", f"retention.ms={ONE.retention_ms}", "retention.ms=1")],
        ),
        ({"one": 4, "not ours": 7}, {"one": ONE.config}, []),
    ],
    ids=["missing", "as declared", "fewer", "more", "setting", "another's topic"],
)
def test_differences(partitions: dict[str, int], settings: dict[str, dict[str, str]], found: list[Difference]) -> None:
    assert differences([ONE], partitions, settings) == found


def test_copies_in_sync_are_a_setting_of_every_topic() -> None:
    found = differences([ONE], {"one": 4}, {"one": ONE.config}, Copies(each=3, in_sync=2))

    assert found == [Difference("one", "setting", "min.insync.replicas=2", "min.insync.replicas=")]


@pytest.mark.parametrize(
    ("fewest", "found"),
    [
        ({"one": 3}, []),
        ({"one": 1}, [Difference("one", "fewer copies", "3", "1")]),
        ({}, []),
    ],
    ids=["enough", "fewer", "missing: that is another difference"],
)
def test_a_partition_with_fewer_copies_is_found(fewest: dict[str, int], found: list[Difference]) -> None:
    assert short_of_copies([ONE], fewest, Copies(each=3, in_sync=2)) == found


@pytest.mark.parametrize(
    ("words", "environment", "reason"),
    [
        ([], "production", "production demands"),
        (["--replication", "3"], "production", "production demands"),
        (["--replication", "2", "--in-sync", "2"], "production", "production demands"),
        (["--replication", "1", "--in-sync", "2"], "local", "ever count as kept"),
    ],
    ids=["one copy", "one in sync", "two copies", "more in sync than there are"],
)
def test_too_few_copies_are_refused(
    words: list[str], environment: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHLINE_ENVIRONMENT", environment)

    answer = CliRunner().invoke(topics.app, ["apply", "--kafka", "127.0.0.1:9", *words])

    assert answer.exit_code == 2
    assert reason in answer.stderr


def test_copies_that_one_broker_cannot_have_are_found_by_diff(kafka: str) -> None:
    answer = CliRunner().invoke(topics.app, ["diff", "--kafka", kafka, "--replication", "3", "--json"])

    assert answer.exit_code == 1
    assert {each["what"] for each in json.loads(answer.stdout)} == {"fewer copies"}


async def test_what_was_applied_differs_no_more(kafka: str) -> None:
    assert await apply_declared(kafka) == []


async def _retention(admin: AIOKafkaAdminClient) -> str:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, RMM_RAW.name)])
    return next(str(entry[1]) for entry in answer.resources[0][4] if entry[0] == "retention.ms")


async def test_a_changed_setting_is_mended(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, RMM_RAW.name, configs={"retention.ms": "1000"})]
    )
    async with asyncio.timeout(10):
        while RMM_RAW.config["retention.ms"] == await _retention(admin):  # a broker hears of it a moment later
            await asyncio.sleep(0.05)
    await admin.close()

    mended = await apply_declared(kafka)

    assert {each.topic for each in mended} == {RMM_RAW.name}
    assert await apply_declared(kafka) == []


def test_every_topic_of_the_design_is_declared_once_with_its_dead_letters() -> None:
    names = [topic.name for topic in every()]

    assert len(set(names)) == len(names)
    assert {f"{topic.name}.dlq" for topic in DECLARED if topic.has_dead_letters} <= set(names)


def test_the_command_prints_json_and_says_by_its_exit_code_whether_anything_differs(kafka: str) -> None:
    answer = CliRunner().invoke(topics.app, ["diff", "--kafka", kafka, "--json"])

    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == []


def test_a_cluster_that_cannot_be_reached_is_one_clear_line() -> None:
    answer = CliRunner().invoke(topics.app, ["diff", "--kafka", "127.0.0.1:9"])

    assert answer.exit_code == 3
    assert "cannot reach" in answer.stderr
