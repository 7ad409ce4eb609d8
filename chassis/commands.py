"""What the command lines of all services share: their settings, output for people and machines, exit codes.

Exit codes: 0 done; 1 the answer is no, or something is wrong with what was looked at; 2 wrong use or wrong setting;
3 a part cannot be reached, try again.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console
from rich.table import Table

from chassis.errors import MayWorkLater, NeverWorks, WrongSetting
from chassis.postgres import Connection, prepare_connection
from chassis.settings import read, with_password

T = TypeVar("T")
S = TypeVar("S", bound=BaseSettings)

OK: Final = 0
NO: Final = 1
WRONG_USE: Final = 2
UNREACHABLE: Final = 3

WIDE: Final = 220
"""Columns of a table that goes into a pipe or a file: nobody wraps it there."""

console = Console(width=None if sys.stdout.isatty() else WIDE)


class KafkaSettings(BaseSettings):
    """How a command line reaches Kafka: environment, else `.env`, else the local stack's own file."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_", extra="ignore", frozen=True)

    kafka: str = "127.0.0.1:19092"


class CommandSettings(KafkaSettings):
    """How a command line reaches Kafka and the database."""

    operator_url: SecretStr = Field(description="role patchline_operator, for example postgresql://role@host/db")
    operator_password_file: Path | None = None
    clock_offset_seconds: float = 0

    @property
    def operator_dsn(self) -> str:
        """Return the operator's database URL with its password."""
        return with_password(self.operator_url.get_secret_value(), self.operator_password_file)


def command_settings() -> CommandSettings:
    """Return the settings of a command line.

    Raises:
        WrongSetting: names each missing or wrong variable.
    """
    return settings_of(CommandSettings)


def kafka_servers() -> str:
    """Return the bootstrap servers that a command line talks to."""
    return settings_of(KafkaSettings).kafka


def settings_of(kind: type[S]) -> S:
    """Return the settings of a command line that needs more than the others.

    Raises:
        WrongSetting: names each missing or wrong variable, and what writes them for the local stack.
    """
    files = (Path(os.environ.get("PATCHLINE_HOME", ".patchline")) / "env", Path(".env"))
    try:
        return read(kind, env_files=files)
    except WrongSetting as error:
        raise WrongSetting(f"{error}; `patchline up` starts a local stack and writes its settings") from error


@asynccontextmanager
async def operator() -> AsyncIterator[Connection]:
    """Yield a connection of the operator's role; nothing of any tenant is visible until `set_config` says so."""
    connection = await asyncpg.connect(command_settings().operator_dsn, timeout=5, command_timeout=30)
    try:
        await prepare_connection(connection)
        yield connection
    finally:
        await connection.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end; errors become one clear line and an exit code."""
    try:
        return asyncio.run(work)
    except NeverWorks as error:
        stop(str(error), WRONG_USE)
    except (MayWorkLater, OSError, KafkaError, asyncpg.CannotConnectNowError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        stop(f"cannot reach a part: {why}; is it running? try: patchline status", UNREACHABLE)
    except asyncpg.PostgresError as error:
        stop(f"the database refuses: {error}", NO)


def stop(reason: str, code: int) -> NoReturn:
    """Print one line to standard error and leave with `code`."""
    sys.stderr.write(f"patchline: {reason}\n")
    raise SystemExit(code)


def show(rows: Sequence[Mapping[str, object]], *, title: str, as_json: bool) -> None:
    """Print rows: a table for people, a JSON list for machines."""
    if as_json:
        sys.stdout.write(json.dumps([dict(row) for row in rows], default=str, indent=2) + "\n")
        return
    if not rows:
        console.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)
