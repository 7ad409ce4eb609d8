"""Settings of the credentials process, besides those of every process and of how people are written to."""

from pydantic import Field

from services.credentials.people.settings import PeopleSettings


class CredentialsSettings(PeopleSettings):
    """How resets are carried out. Each name is an environment variable with the prefix `PATCHLINE_`."""

    pool_size: int = Field(default=12, ge=8, le=100)
    """An account with power holds a connection of its own while it is acted upon."""

    steps_in_flight: int = Field(default=4, ge=1, le=16, description="steps of cases at once; half of them per client")
    step_seconds: float = Field(default=45, ge=5, le=600, description="what one step may take at most")
    directory_settle_seconds: float = Field(
        default=60, gt=0, description="until an accepted change must show in a directory"
    )
    verify_seconds: float = Field(
        default=60, ge=0, description="after a reset was read back, until it is looked at again"
    )
