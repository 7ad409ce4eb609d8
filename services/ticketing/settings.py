"""Settings of the ticketing process, besides those of every process."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from chassis.errors import WrongSetting
from chassis.settings import Settings


class TicketingSettings(Settings):
    """Where tickets go, and how gently. Each name is an environment variable with the prefix `PATCHLINE_`."""

    tracker_kind: Literal["roundup", "rt", "connectwise"] = "roundup"
    tracker_url: str = Field(description="the tracker's page, https or on this machine")
    tracker_origin: str | None = Field(default=None, description="the tracker's own idea of its address, if another")
    tracker_user: str = "patchline"
    tracker_password_file: Path = Field(description="file that holds that user's password or token")
    tracker_own_names: str = Field(
        default="", description="what the tracker calls us in its webhooks, by commas, besides that user"
    )
    tracker_open_status: str = "unread"
    tracker_resolved_status: str = "resolved"
    tracker_closed_statuses: str = Field(default="resolved,done-cbb", description="what counts as closed, by commas")
    tracker_calls_per_second: float = Field(default=50, ge=1)
    tracker_burst: int = Field(default=50, ge=1)
    tracker_share_of_a_client: float = Field(default=0.75, gt=0, le=1, description="of that rate, for one client alone")
    tracker_timeout_seconds: float = Field(default=5, gt=0, le=60, description="of one call")
    tracker_settle_seconds: float = Field(default=15, gt=0, description="until a lost write must show in a search")
    tracker_superseder: str = Field(
        default="superseder", description="property that links to a kept ticket; empty: none"
    )
    tracker_round_seconds: float = Field(
        default=600, ge=1, description="the tracker is searched for duplicates so often"
    )
    tracker_rest_seconds: float = Field(default=0.5, ge=0, le=10, description="between two calls of such a search")
    msp_company: str | None = Field(
        default=None, description="the PSA's name of the MSP itself, for what is the MSP's alone; none: the client's"
    )
    tickets_in_flight: int = Field(
        default=8,
        ge=1,
        le=64,
        description="acts at once; half of them for one client, an eighth while others have turns too",
    )
    ticket_look_seconds: float = Field(default=30, ge=0, description="a ticket is looked at so often for repeats")

    @property
    def own_names(self) -> frozenset[str]:
        """Return the names under which the tracker tells what we did ourselves."""
        return frozenset({self.tracker_user, *(each.strip() for each in self.tracker_own_names.split(","))} - {""})

    @property
    def tracker_password(self) -> SecretStr:
        """Return the tracker's password.

        Raises:
            WrongSetting: its file cannot be read.
        """
        try:
            return SecretStr(self.tracker_password_file.read_text().strip())
        except OSError as error:
            file = self.tracker_password_file
            raise WrongSetting(f"PATCHLINE_TRACKER_PASSWORD_FILE: {file}: {error.strerror}") from error
