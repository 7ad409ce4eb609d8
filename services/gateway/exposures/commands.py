"""`patchline exposure`: the keys of redaction and quarantine, and what could not be read."""

import base64
import os
import secrets
from pathlib import Path
from typing import Annotated, Final, NoReturn
from uuid import UUID

import typer

from chassis import commands
from contracts.approval import KEY_BYTES
from services.gateway.exposures import offline_key, store_quarantine
from services.gateway.exposures.offline_key import NotOpened
from services.gateway.registry.operating import Json, operating, read_secret, write_secret

exposure_app: Final = typer.Typer(no_args_is_help=True, help="Exposed credentials: keys, and what could not be read.")
quarantine_app: Final = typer.Typer(
    no_args_is_help=True, help="Deliveries of feeds that no rule can read, sealed to a key that is not here."
)
exposure_app.add_typer(quarantine_app, name="quarantine")

RawIdArgument = Annotated[UUID, typer.Argument(help="As `patchline exposure quarantine list` shows it.")]
PrivateKeyFile = Annotated[Path, typer.Option(help="File with the private half, from where it is kept offline.")]
To = Annotated[Path, typer.Option(help="A new file for the body, secrets and all; only you will be able to read it.")]


@exposure_app.command("key")
def new_key(file: Annotated[Path, typer.Argument(help="A new file.")], *, as_json: Json = False) -> None:
    """Write a new key: for fingerprints (PATCHLINE_FINGERPRINT_KEY_FILE), or for links (PATCHLINE_APPROVAL_KEY_FILE).

    Back the first up as the sealing key is: with another one, exposures that came before are not recognised again.

    Example: patchline exposure key /etc/patchline/fingerprint.key
    """
    write_secret(file, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
    commands.show([{"file": str(file), "bytes": KEY_BYTES}], title="Key", as_json=as_json)


@quarantine_app.command("keys")
def new_keys(
    private_file: Annotated[Path, typer.Argument(help="A new file: take it offline.")],
    public_file: Annotated[Path, typer.Argument(help="A new file for the gateway.")],
    *,
    as_json: Json = False,
) -> None:
    """Make the pair of keys of the quarantine. The gateway needs the public half alone; the private one goes offline.

    Example: patchline exposure quarantine keys quarantine.private quarantine.pub
    """
    private, public = offline_key.new_pair()
    write_secret(private_file, private.strip())
    write_secret(public_file, public.strip())
    key_id = offline_key.read_public(public_file).key_id
    row = {"key": key_id, "private": str(private_file), "public": str(public_file)}
    commands.show([row], title="Keys of the quarantine", as_json=as_json)


@quarantine_app.command("list")
def list_quarantined(*, as_json: Json = False) -> None:
    """List what is quarantined: of which source, why, and which key opens it.

    Example: patchline exposure quarantine list --json
    """
    commands.show(commands.run(_list()), title="Quarantined deliveries", as_json=as_json)


async def _list() -> list[dict[str, object]]:
    async with operating() as tx:
        return [dict(row) for row in await store_quarantine.every(tx)]


@quarantine_app.command("open")
def open_quarantined(raw_id: RawIdArgument, *, private_key_file: PrivateKeyFile, to: To, as_json: Json = False) -> None:
    """Write a quarantined body into a new file, as it was delivered. It holds secrets in clear: delete it afterwards.

    Example: patchline exposure quarantine open 0193... --private-key-file quarantine.private --to body
    """
    private = read_secret(private_key_file).encode()
    found = commands.run(_sealed(raw_id))
    if found is None:
        _stop_without(raw_id)
    try:
        body = offline_key.opened(private, found)
    except NotOpened as error:
        commands.stop(f"{raw_id}: {error}", commands.NO)
    _write(to, body)
    commands.show([{"raw_id": str(raw_id), "file": str(to), "bytes": len(body)}], title="Opened", as_json=as_json)


async def _sealed(raw_id: UUID) -> bytes | None:
    async with operating() as tx:
        rows = await store_quarantine.sealed(tx, [raw_id])
    return rows[0]["sealed"] if rows else None


@quarantine_app.command("forget")
def forget_quarantined(raw_id: RawIdArgument, *, as_json: Json = False) -> None:
    """Delete a quarantined delivery, once a person has dealt with it.

    Example: patchline exposure quarantine forget 0193...
    """
    if not commands.run(_forget(raw_id)):
        _stop_without(raw_id)
    commands.show([{"raw_id": str(raw_id), "forgotten": True}], title="Forgotten", as_json=as_json)


async def _forget(raw_id: UUID) -> bool:
    async with operating() as tx:
        return await store_quarantine.forget(tx, raw_id)


def _stop_without(raw_id: UUID) -> NoReturn:
    commands.stop(f"{raw_id} is not quarantined; see: patchline exposure quarantine list", commands.NO)


def _write(file: Path, body: bytes) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(body)
    except OSError as error:
        commands.stop(f"--to {file}: {error.strerror}; name a new file", commands.WRONG_USE)
