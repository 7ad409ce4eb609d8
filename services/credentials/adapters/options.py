"""What an operator may say of a directory of each kind. Imports every adapter: for commands, not for the process."""

from collections.abc import Mapping
from typing import Final

from services.credentials.adapters import active_directory, entra, google, okta, openldap
from services.credentials.adapters.link import Kind, Options

OPTIONS: Final[Mapping[Kind, type[Options]]] = {
    Kind.ACTIVE_DIRECTORY: active_directory.ActiveDirectoryOptions,
    Kind.OPENLDAP: openldap.OpenLdapOptions,
    Kind.ENTRA: entra.EntraOptions,
    Kind.OKTA: okta.OktaOptions,
    Kind.GOOGLE: google.GoogleOptions,
}
