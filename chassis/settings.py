"""Settings of a process: environment, then `.env`, secrets from files; read once, frozen, never printed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.errors import WrongSetting
from chassis.lanes import BULK_SHARE, Lanes

S = TypeVar("S", bound=BaseSettings)


class Settings(BaseSettings):
    """What every process needs. Each name is an environment variable with the prefix `PATCHLINE_`."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_", extra="ignore", frozen=True)

    environment: Literal["local", "production"] = "local"
    kafka: str = Field(default="127.0.0.1:19092", description="bootstrap servers, comma-separated host:port")
    database_url: SecretStr = Field(description="this process's own role, for example postgresql://role@host/db")
    database_password_file: Path | None = Field(default=None, description="file that holds that role's password")
    pool_size: int = Field(default=5, ge=1, le=100)
    statement_cache_size: int = Field(default=256, ge=0, description="0 behind pgbouncer in transaction mode")
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=0, ge=0, le=65535, description="0: no health server")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    clock_offset_seconds: float = Field(default=0, description="demo and tests only")
    lanes: Lanes = Field(default=Lanes.BOTH, description="which lanes a consumer's process serves: both, live or bulk")
    bulk_share: float = Field(default=BULK_SHARE, gt=0, le=1, description="of the time bulk may take from live work")
    drain_seconds: float = Field(default=20, gt=0, description="how long SIGTERM may take")
    trace_ratio: float = Field(default=0.05, ge=0, le=1, description="share of deliveries traced")
    group_instance: str = Field(
        default="", description="this process's own name in its consumer groups, if it has the same one after a restart"
    )
    die_at: str = Field(
        default="",
        pattern=r"^[^:]*(:[1-9][0-9]*)?$",
        description="tests only: the labelled point to die at, label[:nth]",
    )

    @model_validator(mode="after")
    def _production_is_strict(self) -> Self:
        if self.environment == "production" and self.clock_offset_seconds:
            raise ValueError("PATCHLINE_CLOCK_OFFSET_SECONDS must be 0 in production")
        if self.environment == "production" and self.die_at:
            raise ValueError("PATCHLINE_DIE_AT must not be set in production")
        return self

    @property
    def dsn(self) -> str:
        """Return the database URL with the password from its file, if one is named.

        Raises:
            WrongSetting: the file cannot be read.
        """
        return with_password(self.database_url.get_secret_value(), self.database_password_file)


def with_password(url: str, password_file: Path | None) -> str:
    """Return `url` with the password that `password_file` holds; `url` itself where no file is named.

    Raises:
        WrongSetting: the file cannot be read.
    """
    if password_file is None:
        return url
    try:
        password = password_file.read_text().strip()
    except OSError as error:
        raise WrongSetting(f"PATCHLINE_DATABASE_PASSWORD_FILE: {password_file}: {error.strerror}") from error
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(parts.username or '')}:{quote(password, safe='')}@{host}"))


def read(kind: type[S], env_files: Sequence[Path] = (Path(".env"),)) -> S:
    """Return the settings of one process; of `env_files` the last that names a setting wins, the environment over all.

    Raises:
        WrongSetting: names each missing or wrong variable.
    """
    try:
        return kind(_env_file=tuple(env_files))
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        problems = "; ".join(
            f"{prefix}{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise WrongSetting(problems) from error
