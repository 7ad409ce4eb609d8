"""`patchline exception sign`: the client's owner reads what is asked, and signs it with their own key, or says no."""

import base64
import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis import commands
from chassis.clock import moved_clock
from services.compliance.exceptions import statement
from services.credentials.people import keys
from services.credentials.people.commands import Json, PassphraseFile, passphrase_of

MOST_BYTES: Final = 1_048_576
SHOWN: Final = ("client", "ticket", "title", "lane", "machines", "reason", "controls", "valid_from", "until", "renewal")


class SigningSettings(BaseSettings):
    """What a person's own machine may set: no more than its clock, and that for rehearsals alone."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_", extra="ignore", frozen=True)

    clock_offset_seconds: float = 0


def sign(  # noqa: PLR0913 - the options of a command
    file: Annotated[Path, typer.Argument(help="The text that you were sent; see: patchline exception text.")],
    *,
    key: Annotated[Path, typer.Option(envvar="PATCHLINE_APPROVER_KEY", help="Your key file; it says who you are.")],
    out: Annotated[Path | None, typer.Option(help="Where to write what you signed; else beside it.")] = None,
    refuse: Annotated[bool, typer.Option("--refuse", help="Sign that you say no.")] = False,
    passphrase_file: PassphraseFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you mean it.")] = False,
    as_json: Json = False,
) -> None:
    """Read what is to be left undone and sign it, on your own machine. Needs no database. Send back what it writes.

    Example: patchline exception sign exception-5b0f8a3e.json --key ~/.patchline-approver.json
    """
    text = _read(file)
    if not yes:
        _ask(text, refuse=refuse)
    now = moved_clock(commands.settings_of(SigningSettings).clock_offset_seconds)()
    try:
        signer = keys.approver_id(keys.public_key_in(key))
        said = statement.decided(text, approver=signer, approve=not refuse, decided_at=now)
        signature = keys.opened(key, passphrase_of(passphrase_file)).sign(said).signature
    except keys.WrongKey as error:
        commands.stop(str(error), commands.WRONG_USE)
    written = out or file.with_suffix(".signed")
    _write(written, said, signature)
    decision = statement.REFUSE if refuse else statement.APPROVE
    row = {"exception": text["exception"], "decision": decision, "approver": signer, "decided_at": now}
    commands.show([row | {"file": str(written)}], title="Signed", as_json=as_json)


def _ask(text: dict[str, Any], *, refuse: bool) -> None:
    """Show what is to be signed, and ask whether it is meant."""
    for name in SHOWN:
        commands.console.print(f"{name.replace('_', ' ')}: {_plain(text.get(name))}", markup=False, highlight=False)
    typer.confirm("Do you say no to this?" if refuse else "Do you agree to this?", abort=True)


def _write(file: Path, said: bytes, signature: bytes) -> None:
    content = {"statement": said.decode(), "signature": base64.b64encode(signature).decode()}
    try:
        file.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        commands.stop(f"{file}: {error.strerror}", commands.WRONG_USE)


def _read(file: Path) -> dict[str, Any]:
    """Return the text in a file, as it was handed over; stop where it is none."""
    try:
        content = file.read_bytes()
    except OSError as error:
        commands.stop(f"{file}: {error.strerror}", commands.WRONG_USE)
    try:
        text = json.loads(content[:MOST_BYTES])
    except ValueError:
        text = None
    if not isinstance(text, dict) or text.get("statement") != statement.KIND or statement.ADDED & text.keys():
        commands.stop(f"{file}: not the text of an exception; see: patchline exception text", commands.WRONG_USE)
    if text.get("v") != statement.VERSION:
        commands.stop(f"{file}: written by another release; update this one, or ask for the text anew", commands.NO)
    return text


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_plain(each) for each in value)
    if isinstance(value, dict):
        return ": ".join(str(each) for each in value.values())
    return "" if value is None else str(value)
