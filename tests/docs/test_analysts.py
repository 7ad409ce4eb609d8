"""The lines that docs/analysts.md gives to subscribers, taken from the page and run as they stand, on real Kafka."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from contracts import channels, topics
from contracts.envelope import Envelope, encode
from contracts.events.asset import AssetChanged, AssetRemoved
from contracts.topics import Topic
from tests.builders import NOON

PAGE = Path(__file__).parents[2] / "docs" / "analysts.md"
CONSUMER, STATE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def _lines(code: str) -> list[str]:
    return [line for line in code.splitlines() if line.strip()]


@pytest.mark.parametrize("code", [CONSUMER, STATE], ids=["consumer", "state"])
def test_it_is_ten_lines(code: str) -> None:
    assert len(_lines(code)) == 10


def changed(asset: str, *, sequence: int, hostname: str = "front-desk") -> Envelope:
    event = AssetChanged(
        asset=asset, source="rmm/a/b", device="d", hostname=hostname, first_seen_at=NOON, last_seen_at=NOON
    )
    return _envelope(event, asset, sequence)


def removed(asset: str, *, sequence: int) -> Envelope:
    return _envelope(AssetRemoved(), asset, sequence)


def _envelope(event: AssetChanged | AssetRemoved, asset: str, sequence: int) -> Envelope:
    return Envelope(
        id=uuid4(),
        source="patchline/inventory",
        subject=asset,
        time=NOON,
        received=NOON,
        tenant=uuid4(),
        sequence=sequence,
        data=event,
    )


async def published(kafka: str, topic: Topic, envelopes: Sequence[Envelope], *, group: str | None = None) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for each in envelopes:
            message = encode(each)
            headers = message.headers + ([] if group is None else [("replay_group", group.encode())])
            await producer.send_and_wait(topic.name, message.value, message.key, headers=headers)


def started(code: str, folder: Path, kafka: str, *words: str) -> subprocess.Popen[str]:
    """Run a block of the page as a file of its own, outside this checkout."""
    file = folder / "reports.py"
    file.write_text(code)
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-I", str(file), *words],
        env=environment | {"PATCHLINE_KAFKA": kafka},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_the_consumer_tells_every_event_and_what_was_replayed_to_others_not(kafka: str, tmp_path: Path) -> None:
    asset = str(uuid4())
    before, away = changed(asset, sequence=1), removed(asset, sequence=2)
    others, last = changed(asset, sequence=3), changed(asset, sequence=4)
    await published(kafka, topics.ASSETS, [before, away])
    await published(kafka, topics.ASSETS, [others], group="compliance")
    await published(kafka, topics.ASSETS, [last])

    running = started(CONSUMER, tmp_path, kafka, "inventory.assets")
    told = await asyncio.wait_for(asyncio.to_thread(_told, running, until=str(last.id)), 60)

    ours = [line.split(" ", 2) for line in told if any(str(each.id) in line for each in (before, away, others, last))]
    assert [(id_, type_) for id_, type_, _ in ours] == [
        (str(before.id), "asset.changed.v1"),
        (str(away.id), "asset.removed.v1"),
        (str(last.id), "asset.changed.v1"),
    ]
    assert ours[1][2].strip() == "None"


def _told(running: subprocess.Popen[str], *, until: str) -> list[str]:
    lines: list[str] = []
    assert running.stdout is not None
    try:
        for line in running.stdout:
            lines.append(line)
            if until in line:
                return lines
    finally:
        running.kill()
        running.wait()
    raise AssertionError("it ended by itself")


async def test_the_state_is_the_newest_of_each_key_whatever_came_last(kafka: str, tmp_path: Path) -> None:
    kept, gone = str(uuid4()), str(uuid4())
    await published(
        kafka,
        topics.ASSETS,
        [
            changed(kept, sequence=7, hostname="newest"),
            changed(kept, sequence=6, hostname="older, again"),
            changed(gone, sequence=1),
            removed(gone, sequence=2),
        ],
    )

    running = started(STATE, tmp_path, kafka, "inventory.assets")
    output, _ = await asyncio.wait_for(asyncio.to_thread(running.communicate), 60)

    state: dict[str, Any] = json.loads(output)
    assert state[kept]["hostname"] == "newest"
    assert gone not in state


def test_the_page_names_the_topics_that_are_there_and_no_other() -> None:
    text = PAGE.read_text()
    to_be_read = set(topics.DECLARED) - channels.UNUSED - channels.RAW

    assert [topic.name for topic in to_be_read if f"`{topic.name}`" not in text] == []


def test_what_it_says_of_sequences_and_compaction_is_declared_so() -> None:
    text = PAGE.read_text()
    compacted = re.search(r"compacted: (.*?)\)", text)
    sequenced = re.search(r"On (.*?) every\s+record has a `ce_sequence`", text, re.DOTALL)

    assert compacted is not None
    assert sequenced is not None
    assert set(re.findall(r"`([a-z.]+)`", compacted[1])) == {
        topic.name for topic in topics.DECLARED if topic.cleanup == "compact"
    }
    assert set(re.findall(r"`([a-z.]+)`", sequenced[1])) == {topic.name for topic in channels.SEQUENCED}
