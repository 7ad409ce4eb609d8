"""Killed as by `kill -9` around a mail: it is written at least once, and every copy is the same mail."""

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.builders import ACME, NOON
from tests.credentials.people.conftest import KEY, URL, Room, click
from tests.credentials.people.test_approvals import Question
from tests.credentials.people.test_mail import Post, serving

WRITER = """
import asyncio, json, sys
from datetime import datetime
from uuid import UUID

from chassis import points
from chassis.health import Progress
from chassis.postgres import open_pool
from contracts.events.credential import Decision
from services.credentials.adapters.mail import Server, SmtpMail
from services.credentials.guard.policy import Owner
from services.credentials.people import notice
from services.credentials.people.inviting import Inviting, Links
from services.credentials.people.rules_notice import Story


async def main(dsn, port, at, what, tenant, case, url, key, die_at):
    points.arm(die_at)
    pool = await open_pool(dsn, application="tests")
    now = datetime.fromisoformat(at)
    mail = SmtpMail(Server(host="127.0.0.1", port=port, sender="patchline@msp.example", security="none"))
    if what == "notice":
        story = Story(case=case, client="Acme Dental", login="anna@acme.example", decision=Decision.RESET)
        telling = notice.Telling(
            tenant=UUID(tenant), case=UUID(case), owner=Owner(mail="mara@acme.example"), names=frozenset(), story=story
        )
        await notice.send(pool, mail, telling, now=now)
    else:
        links = Links(url=url, key=key.encode())
        await Inviting(pool=pool, mail=mail, links=links, clock=lambda: now, progress=Progress()).look()
    await pool.close()


asyncio.run(main(**json.loads(sys.argv[1])))
"""


class Writers:
    """Processes that write one mail each."""

    def __init__(self, room: Room, port: int, case: UUID) -> None:
        self._room = room
        self._given = {
            "dsn": room.database.writer("credentials"),
            "port": port,
            "tenant": str(ACME),
            "case": str(case),
            "url": URL,
            "key": KEY.decode(),
        }

    async def run(self, what: str, die_at: str = "") -> int:
        """Let one write, and return how it ended."""
        given = {**self._given, "what": what, "die_at": die_at, "at": self._room.now.isoformat()}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, json.dumps(given), env={**os.environ, "PYTHONPATH": str(Path.cwd())}
        )
        return await process.wait()


async def test_a_notice_that_was_sent_and_not_noted_is_sent_again_as_the_same(room: Room, case: UUID) -> None:
    post = Post()
    async with serving(post) as port:
        writers = Writers(room, port, case)
        ended = [await writers.run("notice", "notice after the mail")]
        ended += [await writers.run("notice"), await writers.run("notice")]

    assert ended == [-signal.SIGKILL, 0, 0]
    assert [each["Message-ID"] for each in post.mails] == [f"<notice.{case}.owner@msp.example>"] * 2
    assert post.taken[0] == post.taken[1]


@pytest.mark.parametrize("point", ["invitation before the mail", "invitation after the mail"])
async def test_a_link_counts_whenever_its_writer_was_killed(
    room: Room, case: UUID, question: Question, point: str
) -> None:
    ada = await room.enroll("Ada")
    await room.ask(question())
    post = Post()

    async with serving(post) as port:
        writers = Writers(room, port, case)
        killed = await writers.run("invitation", point)
        room.now = NOON + timedelta(minutes=3)
        await writers.run("invitation")

    links = await room.pool.fetch("SELECT digest, approver_id FROM link WHERE tenant_id = $1", ACME)
    assert killed == -signal.SIGKILL
    assert {each["Message-ID"] for each in post.mails} == {f"<approval.{case}.1.{ada.id}@msp.example>"}
    assert [row["approver_id"] for row in links] == [ada.id], "a link that is made again is the same link"
    assert len((await room.follow(click(case, links[0]["digest"]))).facts) == 1
