"""Settings of Request Tracker, besides those of every tracker."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ticketing.adapters.request_tracker import Names

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

    @model_validator(mode="after")
    def _statuses_are_what_they_say(self) -> Self:
        if self.resolved_status not in self.names.closed_statuses:
            raise ValueError("PATCHLINE_RT_RESOLVED_STATUS must be one of PATCHLINE_RT_CLOSED_STATUSES")
        if self.reopened_status in self.names.closed_statuses:
            raise ValueError("PATCHLINE_RT_REOPENED_STATUS must be none of PATCHLINE_RT_CLOSED_STATUSES")
        return self

    @property
    def names(self) -> Names:
        """Return what things are called."""
        return Names(
            queue=self.queue,
            key_field=self.key_field,
            client_field=self.client_field,
            notes=self.notes,
            resolved_status=self.resolved_status,
            reopened_status=self.reopened_status,
            closed_statuses=frozenset(each.strip() for each in self.closed_statuses.split(",")),
        )
