"""Which adapter a client's directory has. Each is imported when the first directory of its kind is connected.

Together they take a fifth of a cold start, and few clients have directories of all kinds.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import read
from services.credentials.adapters.directory import Directory
from services.credentials.adapters.link import Kind, Link, Secrets


class DirectorySettings(BaseSettings):
    """Where the secrets of directories are. Each name is an environment variable with the prefix `PATCHLINE_`."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_", extra="ignore", frozen=True)

    directory_secrets_dir: Path = Field(description="directory with one file per secret or certificate of a directory")


Connect = Callable[[Link, Secrets], Directory]


def connected(link: Link) -> Directory:
    """Return the directory of that link; nothing is sent yet. Close it when done.

    Raises:
        WrongSetting: a setting, an option or a file is wrong; the text names it and holds no secret.
    """
    return CONNECT[link.kind](link, Secrets(read(DirectorySettings).directory_secrets_dir))


def _active_directory(link: Link, secrets: Secrets) -> Directory:
    from services.credentials.adapters.active_directory import connect  # noqa: PLC0415 - see above

    return connect(link, secrets)


def _openldap(link: Link, secrets: Secrets) -> Directory:
    from services.credentials.adapters.openldap import connect  # noqa: PLC0415 - see above

    return connect(link, secrets)


def _entra(link: Link, secrets: Secrets) -> Directory:
    from services.credentials.adapters.entra import connect  # noqa: PLC0415 - see above

    return connect(link, secrets)


def _okta(link: Link, secrets: Secrets) -> Directory:
    from services.credentials.adapters.okta import connect  # noqa: PLC0415 - see above

    return connect(link, secrets)


def _google(link: Link, secrets: Secrets) -> Directory:
    from services.credentials.adapters.google import connect  # noqa: PLC0415 - see above

    return connect(link, secrets)


CONNECT: Final[Mapping[Kind, Connect]] = {
    Kind.ACTIVE_DIRECTORY: _active_directory,
    Kind.OPENLDAP: _openldap,
    Kind.ENTRA: _entra,
    Kind.OKTA: _okta,
    Kind.GOOGLE: _google,
}
