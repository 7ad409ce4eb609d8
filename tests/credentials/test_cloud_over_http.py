"""The cloud directories over real connections: addresses as an operator gives them, answers without a body, pages."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chassis.health import serve
from services.credentials.adapters import choice
from services.credentials.adapters.link import Kind, Link
from simulators import entra_login
from simulators import google as simulated_google
from simulators import okta as simulated_okta
from simulators.entra import Entra
from simulators.google import Google
from simulators.google_rows import SUPER_ADMIN, google_id
from simulators.identities import Provider
from simulators.okta import Okta, okta_id
from tests.builders import ACME
from tests.credentials.clouds import key, pem, somebody, uuid_of


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(idp: Provider, port: int) -> AsyncIterator[None]:
    """Serve a provider for as long as the `with` block lasts."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(idp, host="127.0.0.1", port=port, stopping=stopping))
        for _ in range(200):
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.02)
        yield
        stopping.set()


def provider(kind: Kind, url: str) -> tuple[Provider, Mapping[str, str], str]:
    """Return a provider of three people, the options that reach it, and its secret."""
    names = [f"{name}@acme.example" for name in ("jane", "joe", "otto")]
    if kind is Kind.ENTRA:
        people = [somebody(each, uuid_of) for each in names]
        tenant = Entra(people, domains={"acme.example": "Managed"}, graph_url=url, login_url=url)
        tenant.page = 2
        options = {
            "tenant_id": entra_login.TENANT,
            "client_id": entra_login.CLIENT_ID,
            "login_url": url,
            "graph_url": url,
        }
        return tenant, options, entra_login.CLIENT_SECRET
    if kind is Kind.OKTA:
        people = [somebody(each, okta_id) for each in names]
        organisation = Okta(people, owner=people[-1], url=url)
        organisation.page = 2
        return organisation, {"url": url, "domains": "acme.example"}, simulated_okta.TOKEN
    people = [somebody(each, google_id) for each in names]
    people[-1].roles = {SUPER_ADMIN}
    customer = Google(
        people[:-1], subject=people[-1], key=key().public_key(), domains={"acme.example": True}, audience=f"{url}/token"
    )
    customer.page = 2
    file = {
        "client_email": simulated_google.SERVICE_ACCOUNT,
        "private_key": pem(),
        "private_key_id": simulated_google.KEY_ID,
    }
    return customer, {"subject": people[-1].login, "api_url": url, "token_url": url}, json.dumps(file)


@pytest.mark.parametrize("kind", [Kind.ENTRA, Kind.OKTA, Kind.GOOGLE])
async def test_a_directory_is_reached_as_an_operator_described_it(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    idp, options, secret = provider(kind, f"http://127.0.0.1:{port}")
    (tmp_path / "acme.secret").write_text(secret + "\n")
    monkeypatch.setenv("PATCHLINE_DIRECTORY_SECRETS_DIR", str(tmp_path))
    directory = choice.connected(Link(tenant=ACME, directory="acme", kind=kind, options=options, secret="acme.secret"))
    jane = idp.by_login("jane@acme.example")
    assert jane is not None

    async with served(idp, port):
        found = [each async for page in directory.accounts() for each in page]
        domains = await directory.domains()
        await directory.invalidate(jane.id)
        told = await directory.revoke(jane.id)
        again = await directory.account(jane.id)
        await directory.close()

    assert len(found) == 3
    assert domains == {"acme.example"}
    assert "hour" in told
    assert again is not None
    assert [each.what for each in idp.deeds] == ["password", "sessions"]
