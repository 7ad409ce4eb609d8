"""`patchline audit export|verify`: a client's audit as a file, and whether it stands as it was written."""

import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from chassis import commands
from chassis.errors import NeverWorks
from chassis.postgres import Connection
from services.credentials.audit import store_commands
from services.credentials.audit.chain import Broken, Head, Walk, Whole, exported, verify

HEX: Final = frozenset("0123456789abcdef")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="The client, by name or id.")]


class NoSuchClient(NeverWorks):
    """There is no client of that name or id."""


def export(
    *,
    tenant: Annotated[str, typer.Option("--tenant", help="The client, by name or id.")],
    to: Annotated[Path | None, typer.Option(help="Where to write it; else to standard output.")] = None,
) -> None:
    """Write a client's audit as JSON lines: what was decided and done about its credentials, each entry with its hash.

    Example: patchline audit export --tenant "Acme Dental" --to acme.jsonl
    """
    head = commands.run(_export(tenant, to))
    note = (
        f"{head.number} entries; note this elsewhere, it proves later that none is missing: {head.number}:{head.hash}"
    )
    sys.stderr.write(f"patchline: {note}\n")


def verify_audit(
    file: Annotated[Path | None, typer.Argument(help="An export. Without it, the database is read.")] = None,
    *,
    tenant: Tenant = None,
    head: Annotated[str | None, typer.Option(help="NUMBER:HASH as it was noted when the audit was exported.")] = None,
    as_json: Json = False,
) -> None:
    """Check the audit's chain, entry by entry, and name the first that is broken; an export needs no server.

    Exit code 1 if an entry was changed, left out, put in or moved; with --head also if the newest are missing.

    Example: patchline audit verify acme.jsonl --head 412:9f2c…
    """
    noted = _head_of(head) if head else None
    if file is not None:
        found = {str(file): _verified(file, noted)}
    elif noted is not None and tenant is None:
        commands.stop("--head is one client's: name it with --tenant", commands.WRONG_USE)
    else:
        found = commands.run(_verify_stored(tenant, noted))
    commands.show([_row(name, each) for name, each in found.items()], title="Audit", as_json=as_json)
    if any(isinstance(each, Broken) for each in found.values()):
        raise SystemExit(commands.NO)


def _row(name: str, found: Whole | Broken) -> dict[str, object]:
    if isinstance(found, Broken):
        broken = f"line {found.line}: {found.why}"
        return {"audit": name, "whole": False, "entries": None, "head": None, "broken": broken, "line": found.line}
    head = f"{found.head.number}:{found.head.hash}"
    return {"audit": name, "whole": True, "entries": found.head.number, "head": head, "broken": None, "line": None}


def _verified(file: Path, head: Head | None) -> Whole | Broken:
    try:
        with file.open(encoding="utf-8") as lines:
            return verify(_lines(lines), head=head)
    except OSError as error:
        commands.stop(f"{file}: {error.strerror}", commands.WRONG_USE)
    except UnicodeDecodeError:
        commands.stop(f"{file}: not UTF-8 text", commands.NO)


def _lines(lines: Iterable[str]) -> Iterator[str]:
    return (line.rstrip("\n") for line in lines)


def _head_of(text: str) -> Head:
    number, _, hash_ = text.partition(":")
    if not number.isdigit() or len(hash_) != 64 or not set(hash_) <= HEX:
        commands.stop(f"--head: {text!r} is not NUMBER:HASH", commands.WRONG_USE)
    return Head(int(number), hash_)


@asynccontextmanager
async def _operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator that sees one moment of all clients' audits."""
    async with commands.operator() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await store_commands.see_all_tenants(connection)
        yield connection


async def _export(tenant: str, to: Path | None) -> Head:
    async with _operating() as tx:
        found = await store_commands.tenants(tx, tenant)
        if not found:
            raise NoSuchClient(f"there is no client called {tenant!r}; see: patchline client list")
        [(_, id_)] = found
        head = await store_commands.head(tx, id_)
        out = sys.stdout if to is None else to.open("w", encoding="utf-8")
        try:
            async for page in store_commands.pages(tx, id_, up_to=head.number):
                out.writelines(f"{exported(line, hash_)}\n" for line, hash_ in page)
        finally:
            if to is not None:
                out.close()
    return head


async def _verify_stored(tenant: str | None, noted: Head | None) -> dict[str, Whole | Broken]:
    """Check what the database holds: against its own heads, and a noted one."""
    found: dict[str, Whole | Broken] = {}
    async with _operating() as tx:
        clients = await store_commands.tenants(tx, tenant)
        if tenant is not None and not clients:
            raise NoSuchClient(f"there is no client called {tenant!r}; see: patchline client list")
        for name, id_ in clients:
            found[name] = await _walked(tx, id_, noted)
    return found


async def _walked(tx: Connection, tenant: UUID, noted: Head | None) -> Whole | Broken:
    """Check one client's entries against each other, the head beside them, and the one that was noted elsewhere."""
    head = await store_commands.head(tx, tenant)
    walks = [Walk(head), *([Walk(noted)] if noted else [])]
    async for page in store_commands.pages(tx, tenant, up_to=sys.maxsize):
        for line, hash_ in page:
            text = json_line(line, hash_)
            for walk in walks:
                if (broken := walk.put(text)) is not None:
                    return broken
    ends = [walk.end() for walk in walks]
    broken_ends = [end for end in ends if isinstance(end, Broken)]
    end = broken_ends[0] if broken_ends else ends[0]
    if isinstance(end, Whole) and end.head.number > head.number:
        return Broken(head.number + 1, head.number + 1, "entries stand behind the newest that was noted beside them")
    return end


def json_line(line: str, hash_: str) -> str:
    """Return a stored entry as `verify` reads it, even one that is no JSON any more."""
    try:
        return exported(line, hash_)
    except ValueError:
        return json.dumps(line)
