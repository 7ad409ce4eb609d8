"""`patchline source test`: what a vendor's examples, or captured bodies, become, offline or through the door."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from chassis import commands
from chassis.http import Unavailable
from services.gateway.registry import asked, examples, proving, sources, store_sources, trying
from services.gateway.registry.examples import Example
from services.gateway.registry.operating import Json, now, operating, read_secret
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.source_commands import SourceCommandSettings, Vendor
from services.gateway.registry.trial import Answer, Trial, confirmations
from services.gateway.registry.trying import Tried

SEND_SECONDS: Final = 10.0
NOBODY: Final = "test"
"""The source that examples come from while none is named."""

Name = Annotated[str, typer.Argument(help="One of your sources of it, for --send.")]
Send = Annotated[bool, typer.Option("--send", help="Deliver them through the running door, as this source.")]
SecretFile = Annotated[Path | None, typer.Option(help="File with the source's secret, for --send.")]
Captured = Annotated[Path | None, typer.Option(help="A file of `patchline source capture`, instead of the examples.")]


def try_source(
    vendor: Vendor,
    name: Name = NOBODY,
    *,
    sends: Send = False,
    secret_file: SecretFile = None,
    captured: Captured = None,
    as_json: Json = False,
) -> None:
    """Show what a vendor's examples become: events, codes without a meaning, problems; and how that is confirmed.

    Reaches nothing outside. With --send they are delivered for real: their invented devices belong to nobody until an
    organisation is mapped, and `patchline journey RAW_ID` follows each. Exit code 1 if one becomes something else than
    its file says, or is not accepted.

    Example: patchline source test ninjaone
    """
    source_id = asked.source_id_in(vendor, name)
    tried = trying.of(source_id)
    chosen = _chosen(tried, vendor, captured)
    trials = [Trial(tried.confirmed.get(each.channel), each, tried.became(each)) for each in chosen]
    if sends:
        answers = commands.run(_sent(source_id, chosen, _secret(secret_file)))
        trials = [
            Trial(each.confirmed, each.example, each.became, answer)
            for each, answer in zip(trials, answers, strict=True)
        ]
    rows = [each.for_machines() if as_json else each.for_people() for each in trials]
    commands.show(rows, title=f"What examples of {vendor} become", as_json=as_json)
    if not as_json:
        for line in confirmations(trials):
            commands.console.print(line, markup=False, highlight=False)
    raise SystemExit(commands.OK if all(each.is_good for each in trials) else commands.NO)


def _chosen(tried: Tried, vendor: str, captured: Path | None) -> list[Example]:
    if captured is None:
        if tried.examples:
            return tried.examples
        commands.stop(f"no examples of {vendor}; there are some of: {', '.join(tried.others)}", commands.NO)
    try:
        return examples.captured(captured)
    except (OSError, ValueError) as error:
        commands.stop(str(error), commands.WRONG_USE)


def _secret(file: Path | None) -> str:
    if file is None:
        commands.stop("--send needs --secret-file: nobody can show a source's secret again", commands.WRONG_USE)
    return read_secret(file)


async def _sent(source_id: str, chosen: Sequence[Example], secret: str) -> list[Answer | None]:
    """Deliver the examples one after the other; what only a poller reads is not sent.

    Raises:
        Unavailable: the door cannot be reached.
    """
    async with operating() as tx:
        found = [row for row in await store_sources.every(tx) if row["source"] == source_id]
    if not found:
        commands.stop(f"there is no source {source_id}; see: patchline source list", commands.NO)
    scheme, header = Scheme(found[0]["scheme"]), found[0]["header"]
    url = commands.settings_of(SourceCommandSettings).gateway_url + sources.path(source_id)
    answers: list[Answer | None] = []
    async with httpx.AsyncClient(timeout=SEND_SECONDS, trust_env=False) as client:
        for each in chosen:
            if each.channel != "webhook":
                answers.append(None)
                continue
            try:
                proof = proving.proof(scheme, secret, each.body, source_id=source_id, header=header, at=now())
            except proving.CannotProve as error:
                commands.stop(str(error), commands.NO)
            answers.append(await _answer(client, url, each.body, proof))
    return answers


async def _answer(client: httpx.AsyncClient, url: str, body: bytes, proof: proving.Headers) -> Answer:
    try:
        answer = await client.post(url, content=body, headers={"content-type": "application/json", **proof})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{url}: {type(error).__name__}") from error
    if answer.status_code != httpx.codes.ACCEPTED:
        return Answer(answer.status_code, None)
    return Answer(answer.status_code, answer.json()["raw_id"])
