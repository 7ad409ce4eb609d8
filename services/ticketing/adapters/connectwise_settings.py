"""Settings of ConnectWise PSA, besides those of every tracker."""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.errors import WrongSetting
from services.ticketing.adapters.connectwise import VERSION, Login, Words

PREFIX: Final = "PATCHLINE_CONNECTWISE_"


class ConnectWiseSettings(BaseSettings):
    """How one ConnectWise PSA is used. Each name is an environment variable with the prefix `PATCHLINE_CONNECTWISE_`.

    PATCHLINE_TRACKER_USER is the API member's identifier: what that member wrote, no person wrote. Its private key is
    in the file that PATCHLINE_TRACKER_PASSWORD_FILE names.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    company: str = Field(min_length=1, pattern=r"^[^+:/\s]+$", description="the company that one names to log in")
    public_key_file: Path = Field(description="file that holds the API member's public key")
    client_id: str = Field(
        pattern=r"^[0-9A-Za-z-]{8,64}$", description="of developer.connectwise.com, for this product"
    )
    board: str = Field(min_length=1, description="the service board that tickets are made on")
    new_status: str | None = Field(default=None, description="of a new ticket; unset: the board's own")
    resolved_status: str | None = Field(default=None, description="unset: the board's first closed one")
    reopened_status: str | None = Field(default=None, description="unset: the board's first open one")
    priorities: dict[str, str] = Field(default={}, description='by severity, as JSON: {"critical": "Priority 1"}')
    notes: Literal["internal", "discussion"] = Field(
        default="internal", description="internal: for technicians; discussion: customers see it too"
    )
    announce: bool = Field(default=False, description="let ConnectWise mail what is written")
    skip_callbacks: bool = Field(default=False, description="call nobody back about tickets that are created")
    version: str = Field(default=VERSION, pattern=r"^\d{4}\.\d+$", description="of the API, to pin answers to")

    def login(self, member: str, private_key: SecretStr) -> Login:
        """Return who we are to ConnectWise.

        Raises:
            WrongSetting: the file with the public key cannot be read.
        """
        try:
            public_key = self.public_key_file.read_text().strip()
        except OSError as error:
            raise WrongSetting(f"{PREFIX}PUBLIC_KEY_FILE: {self.public_key_file}: {error.strerror}") from error
        return Login(
            company=self.company,
            public_key=public_key,
            private_key=private_key,
            client_id=self.client_id,
            member=member,
        )

    @property
    def words(self) -> Words:
        """Return how tickets are written."""
        return Words(
            board=self.board,
            new_status=self.new_status,
            resolved_status=self.resolved_status,
            reopened_status=self.reopened_status,
            notes=self.notes,
            is_announced=self.announce,
            skips_callbacks=self.skip_callbacks,
            priority_by_severity=self.priorities,
        )
