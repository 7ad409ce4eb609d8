"""A real SMTP server on this machine, for the demo and the tests: it takes every mail and keeps it in a Maildir."""

import importlib.util
import mailbox
import os
import smtplib
import sys
from email.message import Message
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable, Say, ports
from patchline.local.child import Child, Command

DEFAULT_PORT: Final = 18025
_READY_SECONDS: Final = 30


class Mail:
    """A mail server below `place`, its own directory. `port` 0 takes any free one at the first start."""

    name = "mail"

    def __init__(self, place: Path, *, port: int = DEFAULT_PORT) -> None:
        """Start nothing yet."""
        self._place = place
        self._port = port
        self.child: Child | None = None

    @property
    def port(self) -> int:
        """Return where it listens, on the loopback."""
        return self._port

    @property
    def url(self) -> str:
        """Return where it is reached."""
        return f"smtp://{ports.LOOPBACK}:{self._port}"

    def start(self, say: Say) -> None:
        """Start it and return when it answers. Raises: PartUnavailable."""
        if importlib.util.find_spec("aiosmtpd") is None:
            raise PartUnavailable("aiosmtpd not installed; run `uv sync`")
        self._port = ports.claimed(self._port, setting="PATCHLINE_MAIL_PORT")
        self._place.mkdir(parents=True, exist_ok=True)
        where = ("-l", f"{ports.LOOPBACK}:{self._port}")
        keeping = ("-c", "aiosmtpd.handlers.Mailbox", str(self._place / "kept"))
        self.child = Child(
            Command(
                name="mail",
                argv=(sys.executable, "-m", "aiosmtpd", "-n", *where, *keeping),
                log_path=self._place / "mail.log",
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        )
        self.child.start()
        self.child.wait_until(self._answers, timeout_seconds=_READY_SECONDS)
        say(f"mail: ready on {self.url}")

    def stop(self) -> None:
        """Stop it; its mails stay."""
        if self.child is not None:
            self.child.stop()

    def kept(self) -> list[Message]:
        """Return every mail that was taken, in no order."""
        return kept(self._place)

    def _answers(self) -> bool:
        if not ports.is_open(self._port):
            return False
        try:
            with smtplib.SMTP(ports.LOOPBACK, self._port, timeout=5) as session:
                return session.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False


def kept(place: Path) -> list[Message]:
    """Return every mail that a server below `place` has taken, in no order; none where there is no server."""
    folder = place / "kept"
    return list(mailbox.Maildir(folder, create=False)) if folder.exists() else []
