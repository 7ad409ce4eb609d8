"""Settings of how people are reached: the mail server, and the links that are mailed."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from chassis.errors import WrongSetting
from chassis.http import LOOPBACK
from chassis.settings import Settings
from contracts.approval import key_in


class PeopleSettings(Settings):
    """How people are written to. Each name is an environment variable with the prefix `PATCHLINE_`."""

    mail_host: str = Field(default="", description="the mail server that takes our notices; empty: none is written")
    mail_port: int = Field(default=587, ge=1, le=65535)
    mail_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="none: only to a server on this machine"
    )
    mail_user: str = Field(default="", description="empty: the server asks for no login")
    mail_password_file: Path | None = Field(default=None, description="file that holds that user's password")
    mail_ca_file: Path | None = Field(default=None, description="whom to believe, if not the system's authorities")
    mail_from: str = Field(default="", description="the sender's address", pattern=r"^([^@\s<>,;]+@[^@\s<>,;]+)?$")
    mail_timeout_seconds: float = Field(default=10, gt=0, le=60, description="of one answer of the mail server")
    approval_url: str = Field(
        default="",
        description="where people reach the gateway's approvals, for example https://hooks.example/approvals",
    )
    approval_key_file: Path | None = Field(default=None, description="key of the links, the gateway's too")

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        if self.mail_host and not self.mail_from:
            raise ValueError("PATCHLINE_MAIL_FROM is needed where PATCHLINE_MAIL_HOST is set")
        if self.mail_host and self.mail_security == "none" and self.mail_host not in LOOPBACK:
            raise ValueError("PATCHLINE_MAIL_SECURITY may be none only for a server on this machine")
        place = urlsplit(self.approval_url)
        if (
            self.approval_url
            and place.scheme != "https"
            and (place.scheme, place.hostname in LOOPBACK) != ("http", True)
        ):
            raise ValueError("PATCHLINE_APPROVAL_URL must be https, or http on this machine")
        if self.approval_url and self.approval_key_file is None:
            raise ValueError("PATCHLINE_APPROVAL_KEY_FILE is needed where PATCHLINE_APPROVAL_URL is set")
        return self

    @property
    def mail_password(self) -> SecretStr | None:
        """Return the mail user's password; `None`: no file is named.

        Raises:
            WrongSetting: its file cannot be read.
        """
        if self.mail_password_file is None:
            return None
        try:
            return SecretStr(self.mail_password_file.read_text().strip())
        except OSError as error:
            raise WrongSetting(f"PATCHLINE_MAIL_PASSWORD_FILE: {self.mail_password_file}: {error.strerror}") from error

    @property
    def approval_key(self) -> bytes | None:
        """Return the key of the links; `None`: there are none.

        Raises:
            WrongSetting: its file cannot be read, or holds no key.
        """
        file = self.approval_key_file
        if file is None:
            return None
        try:
            return key_in(file.read_text())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise WrongSetting(f"PATCHLINE_APPROVAL_KEY_FILE: {file}: {reason}") from error
