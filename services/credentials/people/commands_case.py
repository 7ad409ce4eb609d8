"""`patchline case approve|refuse`: a decision about a case, signed with the enrolled key of whoever decides."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID, uuid5

import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.errors import MayWorkLater, NeverWorks
from services.credentials.people import keys, rules_approvals, store_commands
from services.credentials.people.commands import Json, PassphraseFile, operating, passphrase_of, whoever
from services.credentials.people.records import Approver, Request

LOOK_SECONDS: Final = 0.2

Case = Annotated[str, typer.Argument(help="The case's id, or how it begins (at least eight characters).")]
KeyFile = Annotated[
    Path, typer.Option("--key", envvar="PATCHLINE_APPROVER_KEY", help="Your key file; it says who you are.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether you mean it.")]
Wait = Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait until it is counted.")]


class NotDecided(NeverWorks):
    """The decision was not taken; the text says why."""


class NotCountedYet(MayWorkLater):
    """The decision is kept, but the service has not counted it."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What somebody is about to decide."""

    client: str
    request: Request
    approver: Approver


def approve(
    case: Case,
    *,
    key: KeyFile,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    wait: Wait = 10,
    as_json: Json = False,
) -> None:
    """Agree that the account of a case is reset. Your key says who you are; nobody can agree twice.

    Example: patchline case approve 3f0e2a91 --key ~/.patchline-approver.json
    """
    _decide(case, key, passphrase_file, approve=True, is_meant=yes, wait=wait, as_json=as_json)


def refuse(
    case: Case,
    *,
    key: KeyFile,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    wait: Wait = 10,
    as_json: Json = False,
) -> None:
    """Say no to the reset of a case's account. One no ends the question.

    Example: patchline case refuse 3f0e2a91 --key ~/.patchline-approver.json
    """
    _decide(case, key, passphrase_file, approve=False, is_meant=yes, wait=wait, as_json=as_json)


def _decide(  # noqa: PLR0913 - the options of a command
    case: str,
    key: Path,
    passphrase_file: Path | None,
    *,
    approve: bool,
    is_meant: bool,
    wait: float,
    as_json: bool,
) -> None:
    now = moved_clock(commands.command_settings().clock_offset_seconds)
    meant = commands.run(_looked_up(case, key, now()))
    word = "approve" if approve else "refuse"
    if not is_meant:
        request = meant.request
        asked = f"{meant.client}: {request.login}\n{request.why}\nuntil {request.expires_at:%F %R} UTC"
        commands.console.print(asked, markup=False, highlight=False)
        typer.confirm(f"{word} as {meant.approver.name}?", abort=True)
    at = now()
    signed = keys.statement(meant.request, meant.approver.id, approve=approve, decided_at=at)
    signature = _signature(key, passphrase_file, signed)
    answer = commands.run(_bring(meant, signature, approve=approve, at=at, wait=wait))
    row = {
        "case": meant.request.case,
        "client": meant.client,
        "login": meant.request.login,
        "approver": meant.approver.name,
        "decision": word,
        "counted": answer["state"] == "counted",
        "why_not": answer["answer"],
        "given": answer["given"],
        "needed": meant.request.needed,
        "question": answer["request"],
    }
    commands.show([row], title="Decided", as_json=as_json)
    if not row["counted"]:
        raise SystemExit(commands.NO)


def _signature(key: Path, passphrase_file: Path | None, signed: bytes) -> bytes:
    """Sign with the key in a file; stop with one line where it cannot be opened."""
    try:
        return keys.opened(key, passphrase_of(passphrase_file)).sign(signed).signature
    except keys.WrongKey as error:
        commands.stop(str(error), commands.WRONG_USE)


async def _looked_up(case: str, key: Path, now: datetime) -> Meant:
    """Return the question about a case and whose key it is."""
    public_key = keys.public_key_in(key)
    if len(case) < 8:
        raise NotDecided("name at least eight characters of the case's id")
    async with operating() as tx:
        found = await store_commands.questions(tx, case.lower())
        approvers = {each.public_key: each for each in await store_commands.all_approvers(tx)}
    if len(found) != 1:
        raise NotDecided(f"{len(found)} cases with a question begin with {case!r}; see: patchline case list")
    [(client, request)] = found
    approver = approvers.get(public_key)
    hindrance = rules_approvals.hindrance(approver, request, now)
    if hindrance is not None or approver is None:
        commands.stop(hindrance or rules_approvals.NOBODY, commands.NO)
    return Meant(client, request, approver)


async def _bring(meant: Meant, signature: bytes, *, approve: bool, at: datetime, wait: float) -> dict[str, object]:
    """Hand the decision over and return what became of it."""
    statement: UUID = uuid5(meant.request.id, signature.hex())
    async with operating() as tx:
        await store_commands.bring(
            tx,
            meant.request,
            statement=statement,
            approver=meant.approver.id,
            approve=approve,
            at=at,
            signature=signature,
            by=whoever(),
        )
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        async with operating() as tx:
            answer = await store_commands.answered(tx, statement)
        if answer is not None:
            return answer
        if loop.time() >= until:
            raise NotCountedYet("your decision is kept and counts as soon as the credentials process runs")
        await asyncio.sleep(LOOK_SECONDS)
