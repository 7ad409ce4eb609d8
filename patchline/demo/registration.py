"""Tells the product who delivers and whose devices they are, with the commands that an operator types."""

from pathlib import Path
from typing import Final

from patchline.demo.typed import CommandLine, typed
from patchline.local import place
from simulators import datto_api, ninjaone_api
from simulators.datto_alerts import site_uid
from simulators.fleet import CLIENTS, SOURCES, Client, Source

POLL_SECONDS: Final = 10
_CREDENTIALS: Final = {
    "ninjaone": (ninjaone_api.CLIENT_ID, ninjaone_api.CLIENT_SECRET),
    "datto": (datto_api.CLIENT_ID, datto_api.CLIENT_SECRET),
}


def register(patchline: CommandLine, *, home: Path, simulated_rmm: str) -> dict[str, str]:
    """Add the clients, the sources and who belongs to whom; return the sources' secrets by their full names."""
    for client in CLIENTS:
        typed(
            patchline, "client", "add", client.name, "--zone", client.zone, "--owner-contact", client.contact,
            "--psa-company", client.name,
        )  # fmt: skip
    typed(patchline, "catalog", "load")
    secrets = {source.full_name: _secret(patchline, source, home, simulated_rmm) for source in SOURCES}
    for source in SOURCES:
        for client in CLIENTS:
            typed(patchline, "client", "map", client.name, source.full_name, organisation_of(source, client))
    return secrets


def organisation_of(source: Source, client: Client) -> str:
    """Return how a source calls a client."""
    match source.vendor:
        case "ninjaone":
            return str(client.organisation)
        case "datto":
            return site_uid(client)
        case _:
            return client.name


def _secret(patchline: CommandLine, source: Source, home: Path, simulated_rmm: str) -> str:
    """Add a source, polled if it has an API, and return the secret that the command shows once."""
    words = ["source", "add", source.vendor, source.name]
    if source.polls:
        client_id, client_secret = _CREDENTIALS[source.vendor]
        file = home / "secrets" / f"simulated-{source.vendor}"
        place.write_private(file, client_secret)
        words += ["--api-url", f"{simulated_rmm}/{source.name}", "--client-id", client_id]
        words += ["--client-secret-file", str(file), "--poll-seconds", str(POLL_SECONDS)]
    [added] = typed(patchline, *words)
    secret: str = added["secret"]
    return secret
