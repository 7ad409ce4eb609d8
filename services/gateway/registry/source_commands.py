"""`patchline source`: who may deliver, how each proves it, and how its API is polled."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import Field

from chassis import commands
from chassis.postgres import Connection
from services.gateway.keys.sealing import Purpose, SealingKey, read_sealing_key, sealed
from services.gateway.registry import asked, regions, schemes, sources, store_sources, trying
from services.gateway.registry.operating import Json, now, operating, read_secret, write_secret
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import NewSource, Polling
from services.gateway.settings import SealingSettings

source_app: Final = typer.Typer(no_args_is_help=True, help="Sources: who may deliver, and how each proves it.")

POLL_SECONDS: Final = 900
FOR_PEOPLE: Final = ("source", "scheme", "header", "enabled", "live_secrets", "poll_seconds", "quarantined_at")
"""The columns that fit a terminal; the rest is in the JSON."""

Vendor = Annotated[
    str,
    typer.Argument(
        help="The RMM, PSA or feed, for example ninjaone, roundup, patchline, spycloud, exposure/patchline."
    ),
]
SourceName = Annotated[str, typer.Argument(help="Your name for this account of it, for example main.")]
Header = Annotated[
    str | None, typer.Option(help=f"Header of a static secret or a signature. [default: {schemes.DEFAULT_HEADER}]")
]
KeyHosts = Annotated[
    list[str] | None,
    typer.Option("--key-host", help="ConnectWise: where keys of callbacks may be fetched. Repeatable."),
]
SecretFile = Annotated[Path | None, typer.Option(help="Write the secret into this new file instead of showing it.")]
GivenSecret = Annotated[
    Path | None, typer.Option(help="File with a secret that the sender chose; without it we make one.")
]
ApiUrl = Annotated[str | None, typer.Option(help="Where the API is, to poll it: an address, or a region's name alone.")]
ClientId = Annotated[str | None, typer.Option(help="OAuth2 client id, or API key, for the API.")]
ClientSecretFile = Annotated[Path | None, typer.Option(help="File with the OAuth2 client secret.")]
LiveRate = Annotated[
    float | None,
    typer.Option(min=0, help="Deliveries a second that it may send live; the excess goes to bulk. 0: the setting's."),
]
PollSeconds = Annotated[int | None, typer.Option(min=1, help="How often the API is read. [default: 900]")]


class SourceCommandSettings(commands.CommandSettings, SealingSettings):
    """What commands about sources need."""

    gateway_url: str = Field(default="", description="where the gateway is reached from outside, to show whole URLs")


@source_app.command("add")
def add_source(  # noqa: PLR0913 - one argument per option
    vendor: Vendor,
    name: SourceName,
    *,
    scheme: Annotated[Scheme | None, typer.Option(help="How it proves itself; what the vendor can do.")] = None,
    header: Header = None,
    key_hosts: KeyHosts = None,
    given_secret_file: GivenSecret = None,
    secret_file: SecretFile = None,
    api_url: ApiUrl = None,
    client_id: ClientId = None,
    client_secret_file: ClientSecretFile = None,
    poll_seconds: PollSeconds = None,
    as_json: Json = False,
) -> None:
    """Add a source and show its URL and its secret, once: nobody can show the secret again.

    Example: patchline source add ninjaone main --header x-patchline-secret
    """
    source = asked.new_source(vendor, name, scheme, header, key_hosts=tuple(key_hosts or ()))
    polling = _polling(source.source_id, api_url, client_id, client_secret_file, poll_seconds=poll_seconds)
    secret = asked.secret(source.scheme, given_secret_file)
    commands.run(_add(source, polling, secret, secret_file))
    _tell(source.source_id, secret, secret_file=secret_file, shows=given_secret_file is None, as_json=as_json)


async def _add(source: NewSource, polling: Polling | None, secret: str, secret_file: Path | None) -> None:
    async with operating() as tx:
        if not await store_sources.add(tx, source, now()):
            commands.stop(
                f"{source.source_id} is there already; for a new secret: patchline source rotate "
                f"{source.vendor} {source.name}",
                commands.NO,
            )
        if source.scheme not in schemes.KEYLESS:
            kept = schemes.material(source.scheme, secret, source_id=source.source_id, sealing_key=_sealing_key())
            await store_sources.add_secret(tx, source.source_id, 0, material=kept, created_at=now())
        if polling is not None:
            await store_sources.set_polling(tx, source.source_id, polling)
        if secret_file is not None:
            write_secret(secret_file, secret)


@source_app.command("rotate")
def rotate_secret(
    vendor: Vendor,
    name: SourceName,
    *,
    at_once: Annotated[bool, typer.Option("--at-once", help="End the old secrets now: they are known to others.")] = (
        False
    ),
    given_secret_file: GivenSecret = None,
    secret_file: SecretFile = None,
    as_json: Json = False,
) -> None:
    """Give a source a new secret. The one before stays valid until the next rotation, so that nothing is lost.

    Example: patchline source rotate ninjaone main
    """
    source_id = asked.source_id_in(vendor, name)
    secret = commands.run(_rotate(source_id, given_secret_file, secret_file, at_once=at_once))
    _tell(source_id, secret, secret_file=secret_file, shows=given_secret_file is None, as_json=as_json)


async def _rotate(source_id: str, given: Path | None, secret_file: Path | None, *, at_once: bool) -> str:
    async with operating() as tx:
        scheme = await existing(tx, source_id)
        secret = asked.secret(scheme, given)
        if scheme in schemes.KEYLESS:
            commands.stop(f"{source_id} has no secret of ours: its keys are the vendor's", commands.NO)
        plan = sources.rotation(await store_sources.live_secrets(tx, source_id), at_once=at_once)
        kept = schemes.material(scheme, secret, source_id=source_id, sealing_key=_sealing_key())
        await store_sources.retire(tx, source_id, plan.retired, now())
        await store_sources.add_secret(tx, source_id, plan.slot, material=kept, created_at=now())
        if secret_file is not None:
            write_secret(secret_file, secret)
    return secret


@source_app.command("change")
def change_source(  # noqa: PLR0913 - one argument per option
    vendor: Vendor,
    name: SourceName,
    *,
    header: Header = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Believe it, or answer 401.")] = None,
    live_rate: LiveRate = None,
    api_url: ApiUrl = None,
    client_id: ClientId = None,
    client_secret_file: ClientSecretFile = None,
    poll_seconds: PollSeconds = None,
    as_json: Json = False,
) -> None:
    """Change a source's header, whether it is believed, how much it may send live, or how its API is polled.

    Example: patchline source change ninjaone main --disable
    """
    source_id = asked.source_id_in(vendor, name)
    polling = _polling(source_id, api_url, client_id, client_secret_file, poll_seconds=poll_seconds)
    if (header, enabled, live_rate, polling) == (None, None, None, None):
        commands.stop("nothing to change; see: patchline source change --help", commands.WRONG_USE)
    commands.run(_change(source_id, header, polling, enabled=enabled, live_rate=live_rate))
    commands.show([{"source": source_id, "changed": True}], title="Source", as_json=as_json)


async def _change(
    source_id: str, header: str | None, polling: Polling | None, *, enabled: bool | None, live_rate: float | None
) -> None:
    async with operating() as tx:
        scheme = await existing(tx, source_id)
        if header is not None:
            await store_sources.set_header(tx, source_id, asked.header_of(scheme, header))
        if enabled is not None:
            await store_sources.set_enabled(tx, source_id, enabled=enabled)
        if live_rate is not None:
            await store_sources.set_live_rate(tx, source_id, live_rate or None)
        if polling is not None:
            await store_sources.set_polling(tx, source_id, polling)


@source_app.command("list")
def list_sources(*, as_json: Json = False) -> None:
    """List the sources: how each proves itself, how old its newest secret is, whether it is quarantined.

    The JSON also tells how the adapters of its vendor were confirmed, and what of them is not.

    Example: patchline source list --json
    """
    rows = commands.run(_list())
    shown = rows if as_json else [{name: row[name] for name in FOR_PEOPLE} for row in rows]
    commands.show(shown, title="Sources", as_json=as_json)


async def _list() -> list[dict[str, object]]:
    async with operating() as tx:
        rows = await store_sources.every(tx)
    return [{**row, "confirmed": _told_confirmations(row["source"])} for row in rows]


def _told_confirmations(source_id: str) -> dict[str, dict[str, object]]:
    return {channel: asdict(each) for channel, each in trying.of(source_id).confirmed.items()}


@source_app.command("release")
def release_source(vendor: Vendor, name: SourceName, *, as_json: Json = False) -> None:
    """Translate a quarantined source again. What was put aside meanwhile is brought back by `patchline dlq replay`.

    Example: patchline source release ninjaone main
    """
    source_id = asked.source_id_in(vendor, name)
    if not commands.run(_release(source_id)):
        commands.stop(f"{source_id} is not quarantined", commands.NO)
    commands.show([{"source": source_id, "released": True}], title="Source", as_json=as_json)


async def _release(source_id: str) -> bool:
    async with operating() as tx:
        await existing(tx, source_id)
        return await store_sources.release(tx, source_id)


async def existing(tx: Connection, source_id: str) -> Scheme:
    """Lock a source until the transaction ends and return its scheme; stop with a clear line where there is none."""
    scheme = await store_sources.scheme_for_update(tx, source_id)
    if scheme is None:
        commands.stop(f"there is no source {source_id}; see: patchline source list", commands.NO)
    return scheme


def _polling(
    source_id: str, api_url: str | None, client_id: str | None, secret_file: Path | None, *, poll_seconds: int | None
) -> Polling | None:
    if (api_url, client_id, secret_file, poll_seconds) == (None, None, None, None):
        return None
    client_id = client_id or regions.CLIENT_ID_OF.get(source_id.split("/")[1])
    if api_url is None or client_id is None or secret_file is None:
        commands.stop("polling needs all of --api-url, --client-id and --client-secret-file", commands.WRONG_USE)
    api_url = regions.api_url(source_id.split("/")[1], api_url)
    if not api_url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        commands.stop("--api-url must begin with https://", commands.WRONG_USE)
    secret = sealed(_sealing_key(), read_secret(secret_file).encode(), source_id=source_id, purpose=Purpose.API)
    return Polling(
        api_url=api_url.rstrip("/"),
        client_id=client_id,
        sealed_client_secret=secret,
        poll_seconds=poll_seconds or POLL_SECONDS,
    )


def _settings() -> SourceCommandSettings:
    return commands.settings_of(SourceCommandSettings)


def _sealing_key() -> SealingKey:
    return read_sealing_key(_settings().sealing_key_file)


def _tell(source_id: str, secret: str, *, secret_file: Path | None, shows: bool, as_json: bool) -> None:
    """Show where to deliver and, once, the secret, unless it went into a file or the person has it already."""
    told: dict[str, object] = {"source": source_id, **sources.login(source_id)}
    if schemes.DEFAULT_SCHEME.get(source_id.split("/")[1]) is not Scheme.POLLED:
        told["url"] = _settings().gateway_url + sources.path(source_id)
    if secret_file is not None:
        told["secret_file"] = str(secret_file)
    elif shows and secret:
        told["secret"] = secret
    if as_json:
        commands.show([told], title="Source", as_json=True)
        return
    for name, value in told.items():
        commands.console.print(f"{name}: {value}", markup=False, highlight=False, soft_wrap=True)
