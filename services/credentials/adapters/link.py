"""How a client's directory is reached: what an operator said of it, and the file with the secret that opens it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from chassis.errors import WrongSetting

Chosen = TypeVar("Chosen", bound="Options")


class Kind(StrEnum):
    """The kinds of directory. A kind is listed here, in `choice.CONNECT` and `options.OPTIONS`, and nowhere else."""

    ACTIVE_DIRECTORY = "active-directory"
    OPENLDAP = "openldap"
    ENTRA = "entra"
    OKTA = "okta"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How one client's directory is reached, as an operator added it.

    `directory` is our name for it. `options` are the kind's own (see `Options` of each adapter), never a secret.
    `secret` is the name of a file below `PATCHLINE_DIRECTORY_SECRETS_DIR`.
    """

    tenant: UUID
    directory: str
    kind: Kind
    options: Mapping[str, str]
    secret: str


class Options(BaseModel):
    """What an adapter must be told besides its secret; each adapter has its own, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The files of one folder, by bare name."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return where the file `name` is.

        Raises:
            WrongSetting: it is no bare name, or there is no such file.
        """
        path = self.folder / name
        if not name or path.name != name or not path.is_file():
            raise WrongSetting(f"PATCHLINE_DIRECTORY_SECRETS_DIR: {self.folder} has no file {name!r}; put it there")
        return path

    def text(self, name: str) -> SecretStr:
        """Return what the file `name` holds, without blanks around it.

        Raises:
            WrongSetting: it cannot be read, or is empty.
        """
        try:
            kept = self.path(name).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongSetting(f"PATCHLINE_DIRECTORY_SECRETS_DIR: {name}: {type(error).__name__}") from error
        if not kept:
            raise WrongSetting(f"PATCHLINE_DIRECTORY_SECRETS_DIR: {name} is empty")
        return SecretStr(kept)

    def reader(self, name: str) -> Callable[[], SecretStr]:
        """Return what reads the file `name` anew each time, so that what it holds can be renewed.

        Raises:
            WrongSetting: it cannot be read now, or is empty.
        """
        self.text(name)
        return lambda: self.text(name)


def options_of(link: Link, kind: type[Chosen]) -> Chosen:
    """Return the link's options, checked.

    Raises:
        WrongSetting: names each option that is missing, wrong or unknown.
    """
    try:
        return kind.model_validate(dict(link.options))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise WrongSetting(f"directory {link.directory} ({link.kind}): {problems}") from error
