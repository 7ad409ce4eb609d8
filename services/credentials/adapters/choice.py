"""Which adapter a client's directory has."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import read
from services.credentials.adapters import active_directory, entra, google, okta, openldap
from services.credentials.adapters.directory import Directory
from services.credentials.adapters.link import Kind, Link, Options, Secrets


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


CONNECT: Final[Mapping[Kind, Connect]] = {
    Kind.ACTIVE_DIRECTORY: active_directory.connect,
    Kind.OPENLDAP: openldap.connect,
    Kind.ENTRA: entra.connect,
    Kind.OKTA: okta.connect,
    Kind.GOOGLE: google.connect,
}

OPTIONS: Final[Mapping[Kind, type[Options]]] = {
    Kind.ACTIVE_DIRECTORY: active_directory.ActiveDirectoryOptions,
    Kind.OPENLDAP: openldap.OpenLdapOptions,
    Kind.ENTRA: entra.EntraOptions,
    Kind.OKTA: okta.OktaOptions,
    Kind.GOOGLE: google.GoogleOptions,
}
"""What an operator may say of a directory of each kind."""
