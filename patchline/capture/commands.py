"""`patchline source capture`."""

import json
import os
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer
from rich.console import Console

from chassis import commands
from patchline import logs
from patchline.capture import rules
from patchline.capture.reading import Captured, Records
from patchline.sealed_letter import gateway_settings
from services.gateway.keys.safe import connected, opened_safe
from services.gateway.registry import asked
from services.gateway.registry.operating import Json
from services.gateway.registry.source_commands import SourceName, Vendor
from services.gateway.settings import GatewaySettings

LAST: Final = 100

Out = Annotated[Path, typer.Option("--out", help="A new file; only you will be able to read it.")]
For = Annotated[str | None, typer.Option("--for", help="Record what comes from now on: 30s, 10m, 1h. Ctrl-C ends it.")]
Last = Annotated[int | None, typer.Option(min=1, help=f"Take the last so many that are kept. [default: {LAST}]")]
Redact = Annotated[
    list[str] | None, typer.Option(help="Take the values of fields of this name out of bodies; may be repeated.")
]


@dataclass(slots=True)
class _Book:
    """The file that is filled, and what went into it."""

    file: TextIO
    redact: Collection[str]
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, captured: Captured) -> None:
        if captured.problem is None:
            line = rules.line_of(captured.delivery, captured.topic, self.redact)
        else:
            line = rules.line_of_unopened(captured.delivery, captured.topic, captured.problem)
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.file.flush()
        self.counts["deliveries"] += 1
        self.counts["unreadable"] += captured.problem is not None
        self.counts["withheld"] += "withheld" in line


def capture(  # noqa: PLR0913 - one argument per option
    vendor: Vendor,
    name: SourceName,
    *,
    out: Out,
    span: For = None,
    last: Last = None,
    redact: Redact = None,
    as_json: Json = False,
) -> None:
    """Record raw deliveries of one source in a file, in clear, to study what its vendor sends.

    One JSON object a line: receipt time, raw id, headers, and the body as text or base64. Needs what the gateway has:
    PATCHLINE_DATABASE_URL of its role, and the sealing key. `patchline source test VENDOR --captured FILE` shows what
    our adapter makes of them.

    Example: patchline source capture datto merlot --out datto.jsonl --for 1h --redact token
    """
    source_id = asked.source_id_in(vendor, name)
    if span is not None and last is not None:
        commands.stop("--for is for what comes, --last for what is kept: give one of them", commands.WRONG_USE)
    length = None if span is None else rules.span_of(span)
    if span is not None and length is None:
        commands.stop(f"--for {span}: write it like 30s, 10m, 1h or 2d", commands.WRONG_USE)
    settings = gateway_settings()
    with _new_file(out) as file:
        _warn(out, source_id)
        book = _Book(file, tuple(redact or ()))
        try:
            commands.run(_capture(settings, source_id, book, length or last or LAST))
        except KeyboardInterrupt:
            sys.stderr.write("stopped; what came until now is in the file\n")
    told = {
        "source": source_id,
        "file": str(out),
        **{n: book.counts[n] for n in ("deliveries", "unreadable", "withheld")},
    }
    commands.show([told], title="Captured", as_json=as_json)
    raise SystemExit(commands.OK if book.counts["deliveries"] else commands.NO)


async def _capture(settings: GatewaySettings, source_id: str, book: _Book, wanted: timedelta | int) -> None:
    screen = Console(stderr=True)
    async with opened_safe(settings, partial(connected, settings.dsn)) as safe, logs.opened(settings.kafka) as kept:
        records = Records(kept, safe.bodies(), source_id)
        with screen.status(f"{source_id}: looking") as status:
            if isinstance(wanted, int):
                for captured in await records.last(wanted):
                    book.add(captured)
                return
            status.update(f"{source_id}: recording for {wanted}; Ctrl-C ends it")
            async for captured in records.coming(wanted):
                book.add(captured)
                status.update(f"{source_id}: {book.counts['deliveries']} recorded; Ctrl-C ends it")


def _new_file(path: Path) -> TextIO:
    """Open a new file that only its owner reads; one that is there is never overwritten."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        commands.stop(f"--out {path}: {error.strerror}; name a new file", commands.WRONG_USE)


def _warn(path: Path, source_id: str) -> None:
    sys.stderr.write(
        f"{path} will hold what {source_id} sends, in clear: names of machines and people, and whatever secrets its "
        "bodies carry. Only you can read it. Take out what is nobody's business (--redact), and delete it when you are "
        "done.\n"
    )
