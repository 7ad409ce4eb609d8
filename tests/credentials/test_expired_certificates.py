"""A directory or a mail server whose certificate ran out gets no password, and people are told what is wrong."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP
from ldap3.core.exceptions import LDAPException

from chassis.http import Unavailable
from patchline.local.certificate import Authority, Certificate, files_in
from services.credentials.adapters import ldap_wire
from services.credentials.adapters.mail import Server, SmtpMail
from tests.credentials.people.test_mail import LETTER

HOST = "127.0.0.1"


@pytest.fixture
def expired(tmp_path: Path) -> Certificate:
    files = files_in(tmp_path)
    Authority("server").issue(files, "server", HOST, until=datetime.now(UTC) - timedelta(minutes=1))
    return files


@pytest.fixture
def context(expired: Certificate) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(expired.certificate, expired.key)
    return made


async def test_a_directory_gets_no_password_and_it_is_said_that_its_certificate_has_expired(
    expired: Certificate, context: ssl.SSLContext
) -> None:
    came: list[bytes] = []

    async def remember(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read())
        writer.close()

    listening = await asyncio.start_server(remember, HOST, 0, ssl=context)
    async with listening:
        url = f"ldaps://{HOST}:{listening.sockets[0].getsockname()[1]}"
        server = ldap_wire.resolved(ldap_wire.Server(url=url, ca_file=expired.authority, name="server"))
        connection = ldap_wire.connection_to(server, "cn=us", "s3cret", timeout_seconds=2)
        with pytest.raises(LDAPException) as met:
            await asyncio.to_thread(ldap_wire.bound, connection)

    assert ldap_wire.why_not_opened(met.value) == "its certificate has expired"
    assert b"s3cret" not in b"".join(came)


async def test_a_mail_server_gets_no_letter_and_it_is_said_that_its_certificate_has_expired(
    expired: Certificate, context: ssl.SSLContext
) -> None:
    class Nothing:
        """Takes no letter."""

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(Nothing(), hostname="mx", tls_context=context), HOST, 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        mail = SmtpMail(
            Server(host=HOST, port=port, sender="p@msp.example", security="starttls", ca_file=expired.authority)
        )
        with pytest.raises(Unavailable, match="certificate has expired"):
            await mail.send(LETTER)
