"""The owner's notice on a real mail transfer agent, where one is installed: taken, refused, and asked to wait."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from chassis.http import Unavailable
from patchline.local import place, ports
from services.credentials.adapters.mail import Letter, MailRefused, Server, SmtpMail
from tests.builders import NOON

EXIM = shutil.which("exim4")
ACCOUNT = "Debian-exim"
READY_SECONDS = 10

pytestmark = pytest.mark.skipif(EXIM is None or os.geteuid() != 0, reason="exim4 is not installed, or we are not root")

CONFIGURATION = """
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
primary_hostname = mx.acme.example
domainlist local_domains = acme.example
acl_smtp_rcpt = rcpt
keep_environment =
tls_advertise_hosts =
never_users =
begin acl
rcpt:
  defer local_parts = defer
        message = greylisted, try again later
  accept domains = +local_domains
         local_parts = owner
  deny message = no such user
begin routers
local:
  driver = accept
  domains = +local_domains
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {home}/inbox
  maildir_format
  create_directory
  user = {account}
  group = {account}
"""


@pytest.fixture(scope="module")
def exim() -> Iterator[tuple[int, Path]]:
    """Yield the port of a private Exim and the Maildir that it delivers to."""
    assert EXIM is not None
    account = pwd.getpwnam(ACCOUNT)
    with place.throwaway_home() as home:
        home.chmod(0o755)
        for folder in ("spool", "log"):
            (home / folder).mkdir()
            os.chown(home / folder, account.pw_uid, account.pw_gid)
        os.chown(home, account.pw_uid, account.pw_gid)
        configuration = home / "exim.conf"
        configuration.write_text(CONFIGURATION.format(home=home, account=ACCOUNT))
        port = ports.claimed(0, setting="exim")
        words = [EXIM, "-C", str(configuration), "-bdf", "-q1h", "-oX", f"127.0.0.1.{port}"]
        server = subprocess.Popen(words, start_new_session=True)
        try:
            yield port, home / "inbox" / "new"
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # who delivers for it would still write into the folder
            server.wait(10)


def letter(to: str) -> Letter:
    return Letter(to=to, subject="Acme: ein Paßwort", text="Grüße\n", message_id="notice.c-1.owner", at=NOON)


async def sent(port: int, to: str) -> str:
    mail = SmtpMail(Server(host="127.0.0.1", port=port, sender="patchline@msp.example", security="none"))
    async with asyncio.timeout(READY_SECONDS):
        while not ports.is_open(port):
            await asyncio.sleep(0.05)
    return await mail.send(letter(to))


async def test_a_notice_is_delivered_with_its_stable_id(exim: tuple[int, Path]) -> None:
    port, inbox = exim

    said = await sent(port, "owner@acme.example")

    async with asyncio.timeout(READY_SECONDS):
        while not inbox.exists() or not any(inbox.iterdir()):
            await asyncio.sleep(0.05)
    [file] = inbox.iterdir()
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert said.startswith("250 OK id=")
    assert isinstance(message, EmailMessage)
    assert (message["Message-ID"], message["Subject"]) == ("<notice.c-1.owner@msp.example>", "Acme: ein Paßwort")
    assert message.get_content().replace("\r\n", "\n") == "Grüße\n"


async def test_nobody_is_refused_and_a_grey_list_is_waited_for(exim: tuple[int, Path]) -> None:
    with pytest.raises(MailRefused, match="550: no such user"):
        await sent(exim[0], "nobody@acme.example")
    with pytest.raises(Unavailable, match="451: greylisted") as raised:
        await sent(exim[0], "defer@acme.example")

    assert not raised.value.ambiguous
