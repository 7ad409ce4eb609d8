"""Settings of Request Tracker, besides those of every tracker."""

from typing import Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

NAMED: Final = r"^\w[\w \-]*$"


class RequestTrackerSettings(BaseSettings):
    """How one Request Tracker is set up. Each name is an environment variable with the prefix `PATCHLINE_RT_`."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_RT_", extra="ignore", frozen=True)

    queue: str = Field(min_length=1, description="the queue that tickets are made in")
    key_field: str = Field(default="CorrelationKey", pattern=NAMED, description="custom field with our key")
    client_field: str = Field(default="Client", pattern=NAMED, description="custom field with the client's name")
    notes: Literal["comment", "correspond"] = Field(
        default="comment", description="comment: for technicians; correspond: RT mails it to the requestors"
    )
    resolved_status: str = Field(default="resolved", min_length=1)
    reopened_status: str = Field(default="open", min_length=1)
    closed_statuses: str = Field(default="resolved,rejected,deleted", description="what counts as closed, by commas")
