"""Every service's schema, in the order in which they are migrated, and `patchline migrate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, LiteralString

import asyncpg
import typer

from chassis import commands
from chassis.migrate import Schema, migrate
from chassis.settings import with_password
from services.compliance.schema import SCHEMA as COMPLIANCE
from services.credentials.schema import SCHEMA as CREDENTIALS
from services.gateway.schema import SCHEMA as GATEWAY
from services.inventory.schema import SCHEMA as INVENTORY
from services.ticketing.schema import SCHEMA as TICKETING

SCHEMAS: Final[tuple[Schema, ...]] = (GATEWAY, INVENTORY, COMPLIANCE, TICKETING, CREDENTIALS)
LOGIN_ROLES: Final = (
    *(f"{schema.name}_writer" for schema in SCHEMAS),
    "patchline_reader",
    "patchline_operator",
    "patchline_auditor",
)

PASSWORD: Final[LiteralString] = "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)"  # noqa: S105 - SQL


def migrate_command(
    *,
    url: Annotated[str, typer.Option(envvar="DATABASE_URL", help="A role that may create roles and schemas.")],
    password_file: Annotated[
        Path | None,
        typer.Option(envvar="PATCHLINE_ADMIN_PASSWORD_FILE", help="File with that role's password, if not in the URL."),
    ] = None,
    passwords: Annotated[
        Path | None, typer.Option(help="Folder with one file per role: each role gets that password.")
    ] = None,
) -> None:
    """Bring the database to the newest schema. Repeating it changes nothing.

    Example: patchline migrate --url postgresql://admin@db/patchline --password-file admin --passwords /run/secrets
    """
    commands.run(_migrate(url, password_file, passwords))


async def _migrate(admin: str, password_file: Path | None, passwords: Path | None) -> None:
    url = with_password(admin, password_file)
    ran = await migrate(url, SCHEMAS, say=commands.console.print)
    commands.console.print(f"{ran} file(s) applied" if ran else "nothing to do")
    if passwords is not None:
        files = {role: passwords / role for role in LOGIN_ROLES}
        await set_passwords(url, {role: file.read_text().strip() for role, file in files.items() if file.exists()})


async def set_passwords(dsn: str, password_by_role: Mapping[str, str]) -> None:
    """Give each role its password."""
    connection = await asyncpg.connect(dsn)
    try:
        for role, password in sorted(password_by_role.items()):
            await connection.execute(await connection.fetchval(PASSWORD, role, password))
    finally:
        await connection.close()
