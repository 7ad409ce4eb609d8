"""The local mail server takes mails over real SMTP and keeps them over a restart."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

from patchline.local.mail import Mail, kept


def _send(server: Mail, subject: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "patchline@msp.example", "owner@acme.example", subject
    message.set_content("Plain words.")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as session:
        session.send_message(message)


def test_mails_are_kept_over_a_restart(tmp_path: Path) -> None:
    server = Mail(tmp_path / "mail", port=0)
    lines: list[str] = []
    server.start(lines.append)
    try:
        _send(server, "first")
        server.stop()
        server.start(lines.append)
        _send(server, "second")

        assert sorted(each["Subject"] for each in server.kept()) == ["first", "second"]
    finally:
        server.stop()
    assert lines[-1] == f"mail: ready on {server.url}"


def test_where_no_server_was_there_are_no_mails(tmp_path: Path) -> None:
    assert kept(tmp_path) == []
