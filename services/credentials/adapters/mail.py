"""Mail: one letter to one person, over one pinned server, with a Message-ID that stays the same.

SMTP has no look-up: whoever sends a letter again after a lost answer may send it twice. It is the same letter then, by
its Message-ID, and mail programs show one.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Protocol

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException
from pydantic import SecretStr

from chassis.errors import NeverWorks, WrongSetting, certificate_trouble
from chassis.http import LOOPBACK, Unavailable

ANSWER_CHARACTERS: Final = 200
SLOW_ANSWERS: Final = 3
"""A letter is given up when so many of the server's answers took as long as they may."""
TRANSIENT_CODES: Final = range(400, 500)
LOGIN_REFUSED: Final = frozenset({530, 534, 535, 538})
"""What is amiss with us, not with the letter: mended in the settings. Source: RFC 4954, section 6."""


class MailRefused(NeverWorks):
    """The mail server takes no such letter: a person must look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One letter to one person. `message_id` is stable, without brackets and domain. No secret is in it."""

    to: str
    subject: str
    text: str
    message_id: str
    at: datetime
    language: str = "en"


class Mail(Protocol):
    """Something that takes letters.

    Raises `MailRefused` for what will never work and `Unavailable` for what may work later; `ambiguous` tells that the
    letter may have been taken all the same.
    """

    async def send(self, letter: Letter) -> str:
        """Hand a letter over, and return what the server said."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The one server that letters go to. `security`: `starttls`, `tls`, or `none` on this machine."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    user: str = ""
    password: SecretStr | None = None
    ca_file: Path | None = None
    timeout_seconds: float = 10


class SmtpMail:
    """A mail server, spoken to in a connection of its own for each letter."""

    def __init__(self, server: Server) -> None:
        """Pin the server.

        Raises:
            WrongSetting: whom to believe cannot be read, or a server elsewhere would be spoken to in clear.
        """
        self._server = server
        if server.security == "none" and server.host not in LOOPBACK:
            raise WrongSetting("PATCHLINE_MAIL_SECURITY: none only for a server on this machine")
        try:
            self._tls = None if server.security == "none" else ssl.create_default_context(cafile=server.ca_file)
        except OSError as error:
            raise WrongSetting(f"PATCHLINE_MAIL_CA_FILE: {server.ca_file}: {error.strerror or error}") from error

    async def send(self, letter: Letter) -> str:
        """Hand a letter over, and return what the server said.

        Raises:
            MailRefused: it says no.
            Unavailable: it cannot be reached or asks for patience; `ambiguous`: it may have taken the letter.
        """
        message = written(letter, self._server.sender)
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            timeout=self._server.timeout_seconds,
            use_tls=self._server.security == "tls",
            start_tls=self._server.security == "starttls",
            tls_context=self._tls,
        )
        try:
            async with asyncio.timeout(self._server.timeout_seconds * SLOW_ANSWERS):
                return await self._hand_over(client, letter.to, message)
        except TimeoutError as error:
            raise Unavailable("the mail server took too long over the letter", ambiguous=True) from error
        finally:
            client.close()

    async def _hand_over(self, client: aiosmtplib.SMTP, to: str, message: EmailMessage) -> str:
        try:
            await client.connect()
            if self._server.user:
                password = self._server.password.get_secret_value() if self._server.password else ""
                await client.login(self._server.user, password)
            await client.mail(self._server.sender)
            await client.rcpt(to)
        except (SMTPException, OSError, TimeoutError) as error:
            raise _meaning(error, is_under_way=False) from None  # what a library says of a login may quote it
        except UnicodeError as error:
            raise MailRefused("the address is not written in ASCII") from error
        try:
            answer = await client.data(message.as_bytes())
        except (SMTPException, OSError, TimeoutError) as error:
            raise _meaning(error, is_under_way=True) from None
        return f"{answer.code} {_one_line(answer.message)}"


def written(letter: Letter, sender: str) -> EmailMessage:
    """Return a letter as it travels.

    Raises:
        MailRefused: a header would break out of its line.
    """
    message = EmailMessage(policy=SMTP_POLICY)
    try:
        message["From"] = sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Message-ID"] = f"<{letter.message_id}@{sender.rpartition('@')[2]}>"
    except ValueError as error:
        raise MailRefused("a header of the letter has more than one line") from error
    message["Date"] = format_datetime(letter.at)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(letter.text, cte="base64")
    message["Content-Language"] = letter.language
    return message


def _meaning(error: Exception, *, is_under_way: bool) -> Exception:
    """Return what an error of the library means: an answer is clear, a lost one after the letter is not."""
    if isinstance(error, SMTPResponseException):
        said = f"the mail server says {error.code}"
        if error.code in TRANSIENT_CODES or error.code in LOGIN_REFUSED:
            return Unavailable(f"{said}: {_words(error)}")
        if error.code > 0:
            return MailRefused(f"{said}: {_words(error)}")
    if is_under_way:
        return Unavailable("the mail server did not answer after the letter", ambiguous=True)
    return Unavailable(f"the mail server cannot be reached: {certificate_trouble(error) or type(error).__name__}")


def _words(error: SMTPResponseException) -> str:
    """Return what the server said; of a refused login nothing, because some repeat it."""
    return "the login is refused" if error.code in LOGIN_REFUSED else _one_line(error.message)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:ANSWER_CHARACTERS]
