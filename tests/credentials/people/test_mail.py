"""Mail on a real SMTP server: what is taken, what is refused, what may have been taken, and that nothing leaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from ssl import SSLContext
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import Unavailable
from services.credentials.adapters.mail import Letter, MailRefused, Server, SmtpMail
from tests.builders import NOON
from tests.credentials.people.authority import Authority

LETTER = Letter(
    to="mara@acme.example",
    subject="Acme: ein Paßwort",
    text="Grüße\n.\nFrom here\n" + "x" * 2000 + "\n",
    message_id="notice.c-1.owner",
    at=NOON,
    language="de",
)
PASSWORD = "of-the-mail-user"


class Post:
    """What a mail server took, and what it answers next."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.answers: dict[str, str] = {}
        self.after_data: Callable[[SMTP], None] | None = None

    async def handle_RCPT(self, *about: Any) -> str:  # noqa: N802 - aiosmtpd's name
        _server, _session, envelope, address, _options = about
        if answer := self.answers.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        assert isinstance(envelope.content, bytes)
        self.taken.append(envelope.content)
        if self.after_data is not None:
            self.after_data(server)
        return self.answers.get("data", "250 taken")

    @property
    def mails(self) -> list[Message]:
        return [message_from_bytes(each, policy=policy.default) for each in self.taken]


@asynccontextmanager
async def serving(post: Post, *, ssl: SSLContext | None = None, **settings: Any) -> AsyncIterator[int]:
    """Yield the port of a mail server; `ssl` speaks TLS from the first byte."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(post, hostname="mx", **settings), "127.0.0.1", 0, ssl=ssl)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def mail_to(port: int, **changes: Any) -> SmtpMail:
    fields: dict[str, Any] = {"host": "127.0.0.1", "port": port, "sender": "patchline@msp.example", "security": "none"}
    return SmtpMail(Server(**{**fields, "timeout_seconds": 2, **changes}))


@pytest.fixture
def post() -> Post:
    return Post()


async def test_a_letter_arrives_whole_with_its_stable_id(post: Post) -> None:
    async with serving(post) as port:
        said = await mail_to(port).send(LETTER)
        await mail_to(port).send(LETTER)

    first, second = post.mails
    assert said == "250 taken"
    assert isinstance(first, EmailMessage)
    assert first.get_content().replace("\r\n", "\n") == LETTER.text
    assert (first["Subject"], first["To"], first["From"]) == (LETTER.subject, LETTER.to, "patchline@msp.example")
    assert first["Message-ID"] == second["Message-ID"] == "<notice.c-1.owner@msp.example>"
    assert (first["Auto-Submitted"], first["Content-Language"]) == ("auto-generated", "de")
    assert first["Date"] == "Tue, 10 Nov 2026 12:00:00 +0000"


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        pytest.param({LETTER.to: "550 no such user"}, MailRefused, "550: no such user", id="nobody there"),
        pytest.param({LETTER.to: "451 greylisted"}, Unavailable, "451: greylisted", id="greylisted"),
        pytest.param(
            {"data": "554 looks like spam"}, MailRefused, "554: looks like spam", id="refused after it was sent"
        ),
        pytest.param({"data": "452 mailbox full"}, Unavailable, "452: mailbox full", id="not now after it was sent"),
    ],
)
async def test_an_answer_says_whether_to_try_again(
    post: Post, answers: dict[str, str], error: type[Exception], words: str
) -> None:
    post.answers = answers

    async with serving(post) as port:
        mail = mail_to(port)
        with pytest.raises(error, match=words) as raised:
            await mail.send(LETTER)

    assert not getattr(raised.value, "ambiguous", False)


async def test_an_answer_that_is_lost_after_the_letter_is_ambiguous(post: Post) -> None:
    def cut(server: SMTP) -> None:
        assert isinstance(server.transport, asyncio.Transport)
        server.transport.abort()

    post.after_data = cut

    async with serving(post) as port:
        mail = mail_to(port)
        with pytest.raises(Unavailable) as raised:
            await mail.send(LETTER)

    assert raised.value.ambiguous
    assert len(post.taken) == 1


async def test_nothing_listening_is_not_ambiguous() -> None:
    with pytest.raises(Unavailable, match="cannot be reached") as raised:
        await mail_to(1).send(LETTER)

    assert not raised.value.ambiguous


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(Unavailable, match="cannot be reached"):
        await mail_to(port, timeout_seconds=0.2).send(LETTER)

    server.close()


async def test_a_server_that_is_slow_at_every_answer_is_given_up() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = iter((b"220 mx\r\n", b"250 mx\r\n", *[b"250 OK\r\n"] * 2, b"354 go on\r\n", b"250 taken\r\n"))
        await asyncio.sleep(0.15)
        writer.write(next(answers))
        while await reader.readline():
            await asyncio.sleep(0.15)
            writer.write(next(answers))
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    mail = mail_to(server.sockets[0].getsockname()[1], timeout_seconds=0.2)

    with pytest.raises(Unavailable, match="too long") as raised:
        await mail.send(LETTER)

    assert raised.value.ambiguous
    server.close()


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path)

    @staticmethod
    def logins(seen: list[bytes]) -> Callable[..., AuthResult]:
        def check(_server: SMTP, _session: Session, _envelope: Envelope, _way: str, given: Any) -> AuthResult:
            seen.append(given.password)
            return AuthResult(success=given.password == PASSWORD.encode(), handled=False)

        return check

    async def test_a_login_goes_over_tls_to_the_server_that_is_believed(self, post: Post, authority: Authority) -> None:
        seen: list[bytes] = []
        settings: dict[str, Any] = {
            "tls_context": authority.context,
            "authenticator": self.logins(seen),
            "auth_required": True,
        }

        async with serving(post, **settings) as port:
            mail = mail_to(
                port, security="starttls", ca_file=authority.file, user="patchline", password=SecretStr(PASSWORD)
            )
            await mail.send(LETTER)

        assert (seen, len(post.taken)) == ([PASSWORD.encode()], 1)

    async def test_a_server_that_nobody_vouches_for_gets_nothing(
        self, post: Post, authority: Authority, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        other = Authority(tmp_path / "other")

        async with serving(post, tls_context=authority.context) as port:
            mail = mail_to(port, security="starttls", ca_file=other.file)
            with pytest.raises(Unavailable, match="reached"):
                await mail.send(LETTER)

        assert post.taken == []

    async def test_a_server_without_tls_gets_nothing(self, post: Post, authority: Authority) -> None:
        async with serving(post) as port:
            mail = mail_to(port, security="starttls", ca_file=authority.file)
            with pytest.raises(Unavailable):
                await mail.send(LETTER)

        assert post.taken == []

    async def test_a_refused_login_is_told_without_what_was_said(self, post: Post, authority: Authority) -> None:
        settings: dict[str, Any] = {
            "tls_context": authority.context,
            "authenticator": self.logins([]),
            "auth_required": True,
        }

        async with serving(post, **settings) as port:
            mail = mail_to(port, security="starttls", ca_file=authority.file, user="u", password=SecretStr("wr0ng"))
            with pytest.raises(Unavailable) as raised:
                await mail.send(LETTER)

        assert str(raised.value) == "the mail server says 535: the login is refused"
        assert raised.value.__cause__ is None
        assert "wr0ng" not in repr(mail_to(1, password=SecretStr("wr0ng"))._server)

    async def test_tls_from_the_first_byte(self, post: Post, authority: Authority) -> None:
        context = authority.context
        async with serving(post, ssl=context) as port:
            await mail_to(port, security="tls", ca_file=authority.file).send(LETTER)

        assert len(post.taken) == 1


def test_clear_text_leaves_this_machine_never() -> None:
    with pytest.raises(WrongSetting, match="only for a server on this machine"):
        mail_to(25, host="mail.msp.example")


def test_whom_to_believe_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="PATCHLINE_MAIL_CA_FILE"):
        mail_to(25, security="tls", ca_file=tmp_path / "none.pem")
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(WrongSetting, match="PATCHLINE_MAIL_CA_FILE"):
        mail_to(25, security="tls", ca_file=tmp_path / "bad.pem")


@pytest.mark.parametrize("to", ["m\u00e4ra@acme.example"])
async def test_an_address_that_mail_cannot_carry_is_refused(post: Post, to: str) -> None:
    letter = Letter(to=to, subject="s", text="t", message_id="m", at=NOON)

    async with serving(post) as port:
        mail = mail_to(port)
        with pytest.raises(MailRefused):
            await mail.send(letter)


async def test_a_header_cannot_break_out_of_its_line(post: Post) -> None:
    letter = Letter(to=LETTER.to, subject="s\r\nBcc: all@acme.example", text="t", message_id="m", at=NOON)

    async with serving(post) as port:
        mail = mail_to(port)
        with pytest.raises(MailRefused, match="more than one line"):
            await mail.send(letter)

    assert post.taken == []
